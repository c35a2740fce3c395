"""
Which rank would have been enough, in every module of an adapter: a map behind a fold, drawn when asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from playground.actions.adapters import examined
from playground.errors import PlaygroundError
from playground.locales import number, significant, text
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.html import colour, words
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import soft
from playground.ui.kit.wording import html
from playground.ui.lowrank.pieces import chip, small
from playground.ui.lowrank.shared import Chosen, Shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playground.lowrank.ranks import Ranks


@dataclass(frozen=True)
class Fold:
    """The components."""

    go: gr.Button
    shown: gr.HTML

    def draw(self, chosen: Chosen) -> Changes:
        """The ranks of all modules of the chosen adapter."""
        from playground.lowrank.findings import ranks_of

        try:
            base, adapter = examined(chosen.key, chosen.chosen)
            drawn = every(ranks_of(base, adapter), chosen.language)
            return {self.shown: f"<div {colour(adapter.record.method)}>{drawn}</div>"}
        except PlaygroundError as error:
            return {self.shown: alarm(error.message(chosen.language))}


def build(lab: Lab) -> Fold:
    """A fold with a button."""
    make = lab.wording.make
    with make(gr.Accordion, {"label": "ranks.title"}, open=False, elem_classes="pp-more", elem_id="ranks"):
        make(html, {"value": lambda lang: soft(lang, "ranks.lead")})
        with gr.Row(elem_classes="pp-chips"):
            go = chip(lab.wording, "ranks.go", "ranks-go")
        shown = html("", elem_id="ranks-shown")
    return Fold(go, shown)


def wire(fold: Fold, shared: Shared) -> None:
    """What the button does; another adapter's ranks go."""
    chosen = shared.controls(Chosen)
    fold.go.click(chosen.handler(fold.draw), chosen.inputs, fold.shown, **HIDDEN)
    shared.chosen.change(lambda: "", None, fold.shown, **HIDDEN)


def every(found: Mapping[str, Ranks], language: str) -> str:
    """A map of the suggested ranks, and what they would cost."""
    from playground.lowrank.ranks import suggestion
    from playground.model.modules import kind_of, layer_of
    from playground.plots.kit.heatmap import Place, layer_map

    def place(module: str, one: Ranks) -> Place:
        figures = {"energy": one.energy_rank, "noise": one.noise_rank, "rank": one.rank}
        written = {name: number(language, value) for name, value in figures.items()}
        name = text(language, "ranks.cell", layer=layer_of(module), kind=kind_of(module), **written)
        return Place(kind_of(module), layer_of(module), one.suggested / one.rank, number(language, one.suggested), name)

    told, each = suggestion(list(found.values())), [one.suggested for one in found.values()]
    figures = {
        "least": min(each),
        "most": max(each),
        "uniform": told.uniform,
        "parameters": told.parameters,
        "now": told.now,
    }
    figures |= {"above": sum(one.noise_rank for one in found.values()), "all": sum(one.rank for one in found.values())}
    written = {name: number(language, value) for name, value in figures.items()}
    said = words(language, "ranks.said", mean=significant(language, sum(each) / len(each)), **written)
    drawn = layer_map([place(module, one) for module, one in found.items()], language)
    return f'{drawn}<p class="pp-outcome">{said}</p>{small(words(language, "ranks.noise"))}'
