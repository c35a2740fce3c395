"""
Two adapters beside each other in the low-rank lab: do they use the same directions? And lengths against directions.

Both figures stand still, so plotly draws them. Knows nothing about training or answering.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.adapters import examined
from playground.adapt.initialization import chosen
from playground.errors import PlaygroundError
from playground.model.modules import kind_of, layer_of
from playground.model.names import Named
from playground.ui.compare.panes import pane_title
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.wording import html
from playground.ui.lowrank.pieces import chip
from playground.ui.lowrank.shared import Chosen, Shared, choices, ready_made

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter, Record


SECOND = "sentiment-lora"
SIDES = ("input", "output")


@dataclass(frozen=True)
class Pair(Chosen):
    """The chosen adapter's module beside that of another adapter."""

    base: str
    module: str | None
    other: str | None
    side: str


@dataclass(frozen=True)
class Cards:
    """A sentence and one of the two figures, each drawn when asked for."""

    other: gr.Dropdown
    side: gr.Radio
    go: gr.Button
    turn: gr.Button
    said: gr.HTML
    figure: gr.Plot

    def overlap(self, pair: Pair) -> Changes:
        """φ(i, j) of one module's update in two adapters."""
        try:
            return self._drawn(*compared(pair))
        except PlaygroundError as error:
            return self._refused(error, pair.language)

    def directions(self, chosen: Chosen) -> Changes:
        """Every module's change of length against its change of direction."""
        from playground.lowrank import findings
        from playground.plots.lowrank.adapter import directions as drawn

        language = chosen.language
        try:
            turns = findings.turns(*examined(chosen.key, chosen.chosen))
        except PlaygroundError as error:
            return self._refused(error, language)
        length, turned = (sum(getattr(turn, name) for turn in turns) / len(turns) for name in ("length", "direction"))
        said = {"length": locales.percent(language, 100 * length), "direction": locales.significant(language, turned)}
        figure = drawn([asdict(turn) for turn in turns], language)
        return self._drawn(sections.soft(language, "overlap.directions.said", **said), figure)

    def offer(self, pair: Pair) -> Changes:
        """What can be chosen now, and of what was chosen that which still can."""
        offered = choices(pair.key, pair.language, pair.base)
        ids = [one for _, one in offered]
        return {self.other: gr.update(choices=offered, value=pair.other if pair.other in ids else next(iter(ids), None))}

    def clear(self) -> Changes:
        return {self.said: "", self.figure: gr.update(visible=False)}

    def _drawn(self, said: str, figure: Any) -> Changes:
        return {self.said: said, self.figure: gr.update(value=figure, visible=True)}

    def _refused(self, error: PlaygroundError, language: str) -> Changes:
        return self.clear() | {self.said: alarm(error.message(language))}


def build(lab: Lab) -> tuple[Cards, Place]:
    """A card with two figures, each drawn when asked for."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("overlap") as place, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("overlap.title", "overlap.lead"))
        with gr.Row():
            other = make(
                gr.Dropdown, {"label": "overlap.other", "choices": ready_made}, value=SECOND, elem_id="overlap-other"
            )
            side = make(gr.Radio, {"label": "overlap.side", "choices": sides}, value="input", elem_id="overlap-side")
        with gr.Row(elem_classes="pp-chips"):
            go = chip(wording, "overlap.go", "overlap-go")
            turn = chip(wording, "overlap.directions", "directions-go")
        said = html("", elem_id="overlap-said")
        figure = gr.Plot(visible=False, show_label=False, container=False, elem_id="overlap")
    return Cards(other, side, go, turn, said, figure), place


def wire(cards: Cards, shared: Shared) -> None:
    """What the controls do."""
    other, side, drawn = cards.other, cards.side, [cards.said, cards.figure]
    pair, chosen = shared.controls(Pair, other=other, side=side), shared.controls(Chosen)
    other.focus(pair.handler(cards.offer), pair.inputs, other, **HIDDEN)
    gr.on([cards.go.click, other.input, side.input], pair.handler(cards.overlap), pair.inputs, drawn, **HIDDEN)
    gr.on([shared.chosen.change, shared.module.change], cards.clear, None, drawn, **HIDDEN)
    cards.turn.click(chosen.handler(cards.directions), chosen.inputs, drawn, **HIDDEN)


def sides(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, f"overlap.side.{one}"), one) for one in SIDES]


def compared(pair: Pair) -> tuple[str, Any]:
    """What is to be said about the overlap of two updates, and its map. Raises PlaygroundError."""
    from playground.lowrank import factors, findings
    from playground.plots.lowrank.adapter import overlap as drawn

    language, module = pair.language, pair.module or ""
    base, one = examined(pair.key, pair.chosen)
    base_of_other, other = examined(pair.key, pair.other or "")
    if base_of_other.spec.id != base.spec.id:
        raise PlaygroundError("other_base", found=Named(other.record.base), expected=Named(one.record.base))
    parts = [findings.directions(base, adapter, module, pair.side) for adapter in (one, other)]
    values = factors.overlap(*parts).numpy()
    chance = max(parts[0].shape[1], parts[1].shape[1]) / parts[0].shape[0]
    figures = {"first": values[0, 0], "all": values[-1, -1], "chance": chance}
    names = pane_title(one.summary(), language), pane_title(other.summary(), language)
    return in_words(pair, one, other, figures), drawn(values, names, language)


def in_words(pair: Pair, one: Adapter, other: Adapter, figures: Mapping[str, float]) -> str:
    """φ of the first directions and of all, beside what chance would give; and whether both had the same start."""

    language, module = pair.language, pair.module or ""
    said = {name: locales.significant(language, float(value)) for name, value in figures.items()}
    place = locales.text(language, "lowrank.module", layer=layer_of(module), kind=kind_of(module))
    line = sections.soft(language, "overlap.said", module=place, **said)
    if pair.side == "input" and same_start(one.record, other.record):
        line += sections.soft(language, "overlap.same_seed", seed=one.record.seed)
    return line


def same_start(one: Record, other: Record) -> bool:
    """Whether both began with the very same A. Of an uploaded adapter, which has no versions, the seed is hearsay."""
    shared = [getattr(one, name) == getattr(other, name) for name in ("base", "method", "seed", "versions")]
    shaped = [
        one.hyperparameters.get(name, "") == other.hyperparameters.get(name, "") for name in ("rank", "targets", "ranks")
    ]
    shaped += [chosen(one.hyperparameters) == chosen(other.hyperparameters)]
    return bool(one.versions) and all((*shared, *shaped))
