"""
Two adapters beside each other in the low-rank lab: do they use the same directions? And lengths against directions.

Both figures stand still, so plotly draws them. Knows nothing about training or answering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.adapters import examined
from playground.errors import PlaygroundError
from playground.ui.compare.panes import pane_title
from playground.ui.kit import sections
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank.adapter import UpdatesSection, choices, ready_made

if TYPE_CHECKING:
    from playground.adapt.adapters import Record


SECOND = "sentiment-lora"
SIDES = ("input", "output")


def build(
    wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown, first: UpdatesSection
) -> None:
    """A card with two figures, each drawn when asked for."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("overlap.title", "overlap.lead"))
        with gr.Row():
            other = make(
                gr.Dropdown, {"label": "overlap.other", "choices": ready_made}, value=SECOND, elem_id="overlap-other"
            )
            side = make(
                gr.Radio,
                {"label": "overlap.side", "choices": sides},
                value="input", elem_id="overlap-side",
            )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "overlap.go"}, size="sm", elem_classes="chip", elem_id="overlap-go")
            turn = make(gr.Button, {"value": "overlap.directions"}, size="sm", elem_classes="chip", elem_id="directions-go")
        said = make(html, {"value": lambda lang: ""}, elem_id="overlap-said")
        figure = gr.Plot(visible=False, show_label=False, container=False, elem_id="overlap")
    other.focus(
        lambda key, lang, base_id: gr.update(choices=choices(key, lang, base_id)),
        [visitor, language, base],
        other,
        **HIDDEN,
    )
    gr.on(
        [go.click, other.input, side.input],
        overlap, [visitor, language, first.chosen, other, first.controls.module, side], [said, figure], **HIDDEN,
    )  # fmt: skip
    gr.on(
        [first.chosen.change, first.controls.module.change],
        lambda: ["", gr.update(visible=False)], None, [said, figure], **HIDDEN,
    )  # fmt: skip
    turn.click(directions, [visitor, language, first.chosen], [said, figure], **HIDDEN)


def sides(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, f"overlap.side.{one}"), one) for one in SIDES]


def overlap(key: str, language: str, one_id: str, other_id: str, module: str, side: str) -> list[Any]:
    """φ(i, j) of one module's update in two adapters."""
    from playground.lowrank import factors, findings
    from playground.model.modules import kind_of, layer_of
    from playground.plots.lowrank.adapter import overlap as drawn

    try:
        base, one = examined(key, one_id)
        base_of_other, other = examined(key, other_id)
        if base_of_other.spec.id != base.spec.id:
            raise PlaygroundError("other_base", found=other.record.base, expected=one.record.base)
        parts = [findings.directions(base, adapter, module, side) for adapter in (one, other)]
    except PlaygroundError as error:
        return [alarm(error.message(language)), gr.update(visible=False)]
    values = factors.overlap(*parts).numpy()
    names = pane_title(one.summary(), language), pane_title(other.summary(), language)
    chance = max(parts[0].shape[1], parts[1].shape[1]) / parts[0].shape[0]
    figures = {"first": values[0, 0], "all": values[-1, -1], "chance": chance}
    said = {name: locales.significant(language, float(value)) for name, value in figures.items()}
    place = locales.text(language, "lowrank.module", layer=layer_of(module), kind=kind_of(module))
    line = sections.soft(language, "overlap.said", module=place, **said)
    if side == "input" and same_start(one.record, other.record):
        line += sections.soft(language, "overlap.same_seed", seed=one.record.seed)
    return [line, gr.update(value=drawn(values, names, language), visible=True)]


def same_start(one: Record, other: Record) -> bool:
    """Whether both began with the very same A. Of an uploaded adapter, which has no versions, the seed is hearsay."""
    shared = [getattr(one, name) == getattr(other, name) for name in ("base", "method", "seed", "versions")]
    shaped = [one.hyperparameters.get(name) == other.hyperparameters.get(name) for name in ("rank", "targets")]
    return bool(one.versions) and all((*shared, *shaped))


def directions(key: str, language: str, adapter_id: str) -> list[Any]:
    """Every module's change of length against its change of direction."""
    from dataclasses import asdict

    from playground.lowrank import findings
    from playground.plots.lowrank.adapter import directions as drawn

    try:
        turns = findings.turns(*examined(key, adapter_id))
    except PlaygroundError as error:
        return [alarm(error.message(language)), gr.update(visible=False)]
    length, turned = (sum(getattr(turn, name) for turn in turns) / len(turns) for name in ("length", "direction"))
    said = {"length": locales.percent(language, 100 * length), "direction": locales.significant(language, turned)}
    figure = drawn([asdict(turn) for turn in turns], language)
    return [sections.soft(language, "overlap.directions.said", **said), gr.update(value=figure, visible=True)]
