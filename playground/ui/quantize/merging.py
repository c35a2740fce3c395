"""
What merging an adapter into NF4 costs: a card with the adapters that can be merged, and the numbers of the chosen one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import gradio as gr

from playground.actions.adapters import list_adapters
from playground.actions.quantize import start_merge
from playground.errors import PlaygroundError
from playground.locales import NO_BREAK, number, significant
from playground.model.catalogue import split_id
from playground.plots.quantize import qlora as plots
from playground.ui.compare.panes import pane_title
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import alarm
from playground.ui.kit.html import counted, words
from playground.ui.kit.sections import follow, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize.pieces import card, said

if TYPE_CHECKING:
    from playground.quantize.merging import Merging


METHODS = ("lora", "qlora")  # that can be merged into 4 bits


@dataclass(frozen=True)
class Asked:
    """An adapter on a base."""

    key: str
    language: str
    base: str
    adapter: str | None


@dataclass(frozen=True)
class Merge:
    """The card's components that change, and the handlers that change them."""

    adapter: gr.Dropdown
    notice: gr.HTML
    cost: gr.HTML

    def draw(self, asked: Asked) -> Changes:
        return {self.cost: soft(asked.language, "qlora.merge.empty")}

    def clear(self, asked: Asked) -> Changes:
        """Another adapter: what the former one loses goes."""
        return {self.notice: ""} | self.draw(asked)

    def offer(self, asked: Asked) -> Changes:
        """The adapters of the base that can be merged, QLoRA's first."""
        found = [one for one in list_adapters(asked.key, asked.base) if one["method"] in METHODS]
        found.sort(key=lambda one: one["method"] != "qlora")
        choices = [(pane_title(one, asked.language), one["id"]) for one in found]
        ids = [one for _, one in choices]
        chosen = asked.adapter if asked.adapter in ids else next(iter(ids), None)
        return {self.adapter: gr.update(choices=choices, value=chosen)}

    def weigh(self, asked: Asked) -> Iterator[Changes]:
        """What the chosen adapter loses."""
        try:
            run = start_merge(asked.key, asked.adapter or "")
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        drawn = partial(cost, asked.language, run.job.record.method)
        yield from follow(run, asked.language, self.notice, self.cost, drawn)


def build(wording: Wording) -> tuple[Merge, gr.Button]:
    """The card, and the button that weighs."""
    make = wording.make
    with card(wording, "qlora.merge", "qlora.merge.lead"), gr.Row(elem_classes="pp-lab"):
        with gr.Column(min_width=0):
            adapter = make(gr.Dropdown, {"label": "qlora.merge.adapter"}, choices=[], elem_id="qlora-adapter")
            go = make(
                gr.Button, {"value": "qlora.merge.go"}, variant="primary", elem_id="qlora-merge-go",
                elem_classes="pp-go",
            )  # fmt: skip
        with gr.Column(min_width=0):
            notice, numbers = html("", elem_id="qlora-merge-notice"), html("", elem_id="qlora-merge")
    return Merge(adapter, notice, numbers), go


# HTML


def cost(language: str, method_id: str, found: Merging) -> str:
    """What merging costs: first in weights, then in predictions, a sentence a number; then the losses."""
    foreign = [words(language, "qlora.merge.foreign")] if method_id == "lora" else []
    sentences = [*foreign, *_weights(language, found), *_predictions(language, found)]
    losses = plots.merged(found.losses, language) if found.losses else ""
    return said(sentences, live=False) + losses + _stored(language, found)


def _weights(language: str, found: Merging) -> Iterator[str]:
    if found.modules:
        kept = number(language, math.floor(1e4 * found.kept) / 100, 2) + NO_BREAK + "%"  # never a 100 that is none
        yield f"<b>{words(language, 'qlora.merge.codes', percent=kept)}</b>"
    if found.rounding is not None:
        ratio = significant(language, found.rounding)
        yield counted(language, "qlora.merge.rounding", len(found.modules), ratio=ratio)


def _predictions(language: str, found: Merging) -> Iterator[str]:
    if found.losses and not math.isfinite(found.losses.kl + found.losses.float_difference):
        yield words(language, "qlora.merge.overflow")
    elif found.losses:
        tokens = number(language, found.losses.tokens)
        yield words(language, "qlora.merge.kl", kl=significant(language, found.losses.kl), tokens=tokens)
        moved = significant(language, found.losses.float_difference)
        yield words(language, "qlora.merge.float", difference=moved)


def _stored(language: str, found: Merging) -> str:
    """That the embedded base's weights were 4-bit ones before; nothing about other bases."""
    if split_id(found.base)[0].source != "embedded":
        return ""
    return f'<p class="pp-legend">{words(language, "stored.q4_1")}</p>'
