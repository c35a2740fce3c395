"""
The components of the section about mixing: which adapters, their weights, the rule and what it takes, the places below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales
from playground.bounds import SEED, Bound
from playground.lowrank.mix import COUNT, DENSITY, MAJORITY_SIGN, RANK, RULE, RULES, WEIGHT
from playground.ui.kit import sections
from playground.ui.kit.events import english
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank.mixing_html import rule_name, stacking
from playground.ui.lowrank.pieces import chip

FIRST = ("pirate-lora", "json-lora")  # what it opens with
WEIGHTS = tuple(f"weight{place}" for place in range(1, COUNT[1] + 1))
MEASURES = ("cosine", "rows", "columns")  # of `interference.Interference`


@dataclass(frozen=True)
class Layout:
    """What there is, from the top down."""

    adapters: gr.Dropdown
    show: gr.Radio
    map: gr.HTML
    weights: Mapping[str, gr.Slider]  # by WEIGHTS
    rule: gr.Dropdown
    ruled: gr.HTML
    settings: Mapping[str, Any]  # by the fields of a Mix; hidden where the rule does not take them
    prompt: gr.Textbox
    go: gr.Button
    notice: gr.HTML
    panes: gr.HTML
    made: gr.HTML
    after: gr.Column  # there once there is a mix
    download: gr.DownloadButton
    score: gr.Button
    stop: gr.Button
    scores: gr.HTML
    again: gr.Button  # from other seeds; there where the mix drew
    spread: gr.HTML

    @property
    def controls(self) -> dict[str, Any]:
        """What a visitor fills in, by the fields of `mixing.Asked`."""
        own = {name: getattr(self, name) for name in ("adapters", "show", "rule", "prompt")}
        return {**own, **self.weights, **self.settings}


def layout(lab: Lab) -> tuple[Layout, Place]:
    """The section's place with everything in it."""
    make = lab.wording.make
    with lab.opened("mixing") as place, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("mix.title", "mix.lead"))
        with gr.Row():
            adapters = make(
                gr.Dropdown, {"label": "mix.adapters"}, choices=[], value=[], multiselect=True, max_choices=COUNT[1],
                elem_id="mix-adapters",
            )  # fmt: skip
            show = make(gr.Radio, {"label": "mix.show", "choices": _measures}, value=MEASURES[0], elem_id="mix-show")
        shown = html("", elem_id="mix-map")
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                weights = {name: _weight(lab.wording, name) for name in WEIGHTS}
                rule = make(
                    gr.Dropdown, {"label": "mix.rule", "choices": _rules}, value=RULE.default, filterable=False,
                    elem_id="mix-rule",
                )  # fmt: skip
                ruled = html("", elem_id="mix-ruled")
                settings = _settings(lab.wording)
                go = make(gr.Button, {"value": "mix.go"}, variant="primary", elem_id="mix-go", elem_classes="pp-go")
            with gr.Column(min_width=0):
                prompt = make(gr.Textbox, {"label": "compare.prompt"}, value="", max_lines=4, elem_id="mix-prompt")
                make(html, {"value": english})
                notice, made = html("", elem_id="mix-notice"), html("", elem_id="mix-made")
                after, below = _after(lab.wording)
        panes = html("", elem_id="mix-panes")
        scores, spread = html("", elem_id="mix-scores"), html("", elem_id="mix-spread")
        make(html, {"value": stacking}, elem_id="mix-how")
    return Layout(
        adapters=adapters, show=show, map=shown, weights=weights, rule=rule, ruled=ruled, settings=settings, prompt=prompt,
        go=go, notice=notice, panes=panes, made=made, after=after, scores=scores, spread=spread, **below,
    ), place  # fmt: skip


def _after(wording: Wording) -> tuple[gr.Column, dict[str, Any]]:
    """What there is to do with a mix."""
    with gr.Column(visible=False) as after, gr.Row(elem_classes="pp-chips"):
        look = {"size": "sm", "elem_classes": "chip"}
        download = wording.make(gr.DownloadButton, {"label": "train.download"}, elem_id="mix-download", **look)
        score = chip(wording, "mix.score", "mix-score")
        stop = chip(wording, "score.stop", "mix-stop", visible=False)
        again = chip(wording, "mix.spread", "mix-again", visible=False)
    return after, {"download": download, "score": score, "stop": stop, "again": again}


def _weight(wording: Wording, name: str) -> gr.Slider:
    return wording.make(
        gr.Slider, {"label": f"mix.{name}"}, minimum=WEIGHT.minimum, maximum=WEIGHT.maximum, step=0.1, value=WEIGHT.default,
        visible=name in WEIGHTS[: len(FIRST)], elem_id=f"mix-{name}",
    )  # fmt: skip


def _settings(wording: Wording) -> dict[str, Any]:
    """Hidden at first: the first rule takes none of them."""

    def slider(bound: Bound, step: float) -> gr.Slider:
        return wording.make(
            gr.Slider, {"label": f"mix.{bound.name}", "info": f"mix.{bound.name}.help"}, minimum=bound.minimum,
            maximum=bound.maximum, step=step, value=bound.default, visible=False, elem_id=f"mix-{bound.name}",
        )  # fmt: skip

    sign = wording.make(
        gr.Radio, {"label": "mix.majority_sign", "choices": _signs}, value=MAJORITY_SIGN.default, visible=False,
        elem_id="mix-majority_sign",
    )  # fmt: skip
    seed = wording.make(
        gr.Slider, {"label": "mix.seed"}, minimum=0, maximum=100, step=1, value=SEED.default, visible=False,
        elem_id="mix-seed",
    )  # fmt: skip
    return {"rank": slider(RANK, 1), "density": slider(DENSITY, 0.05), "majority_sign": sign, "seed": seed}


def _measures(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, f"mix.show.{one}"), one) for one in MEASURES]


def _rules(language: str) -> list[tuple[str, str]]:
    return [(rule_name(one, language), one) for one in RULES]


def _signs(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, f"mix.majority_sign.{one}"), one) for one in MAJORITY_SIGN.choices]
