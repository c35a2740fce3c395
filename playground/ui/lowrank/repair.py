"""
Intruder dimensions in the low-rank lab: marked in one module, and turned down in all of them with a slider.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.adapters import examined
from playground.actions.lowrank import REPAIR, run_about, start_repair
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.lowrank.settings import EPSILON, LAMBDA, TOP_K
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.wording import html
from playground.ui.lowrank.pieces import chip
from playground.ui.lowrank.shared import Chosen, Shared, known
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.work.jobs import Run


@dataclass(frozen=True)
class Asked(Chosen):
    """What counts as an intruder in the chosen adapter, and how much of it stays; None for an emptied field."""

    threshold_epsilon: float | None
    top_k: int | None
    mitigation_lambda: float | None

    @property
    def settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("top_k", "threshold_epsilon", "mitigation_lambda")}


@dataclass(frozen=True)
class Marked(Asked):
    """The same, in one module."""

    module: str | None


@dataclass(frozen=True)
class Cards:
    """The marked spectrum, and the repair."""

    column: gr.Column  # for an adapter that changes weights
    spectrum: gr.HTML
    notice: gr.HTML
    result: gr.HTML
    stop: gr.Button

    def mark(self, marked: Marked) -> Changes:
        """The intruders of the module that is looked at."""
        from playground.lowrank.findings import most_changed
        from playground.lowrank.intruders import Repair
        from playground.ui.lowrank.repair_html import in_module

        try:
            base, adapter = examined(marked.key, marked.chosen)
            module = marked.module or most_changed(base, adapter)
            repair = Repair(TOP_K.check(marked.top_k), EPSILON.check(marked.threshold_epsilon))
            return {self.spectrum: in_module(base, adapter, module, repair, marked.language)}
        except PlaygroundError as error:
            return {self.spectrum: alarm(error.message(marked.language))}

    def repair(self, asked: Asked) -> Iterator[Changes]:
        """Turn the intruders of all modules down, and measure what comes of it."""
        try:
            run = start_repair(asked.key, asked.chosen, asked.settings, REPAIR)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked)

    def again(self, asked: Asked) -> Iterator[Changes]:
        """The same once the slider has moved, if it was pressed before."""
        if run_about(asked.key, REPAIR, asked.chosen):
            yield from self.repair(asked)
        else:
            yield {self.notice: ""}

    def attach(self, asked: Chosen) -> Iterator[Changes]:
        """What was last asked of the chosen adapter; another one's goes."""
        yield {self.notice: "", self.result: "", self.spectrum: "", self.stop: gr.update(visible=False)}
        run = run_about(asked.key, REPAIR, asked.chosen)
        if run:
            yield from self._follow(run, asked)

    def _follow(self, run: Run, asked: Chosen) -> Iterator[Changes]:
        from playground.ui.lowrank.repair_html import drawn

        adapter = known(asked.key, asked.chosen)
        method = adapter.record.method if adapter else ""
        shown = partial(drawn, method=method, language=asked.language)
        for changes in sections.follow(run, asked.language, self.notice, self.result, shown):
            yield changes | {self.stop: gr.update(visible=not run.ended)}


@dataclass(frozen=True)
class Knobs:
    """PEFT's own parameters, under its names."""

    threshold_epsilon: gr.Slider
    top_k: gr.Slider
    mitigation_lambda: gr.Slider


@dataclass(frozen=True)
class Fix:
    """All of the section."""

    place: Place
    knobs: Knobs
    mark: gr.Button
    go: gr.Button
    cards: Cards


def build(lab: Lab) -> Fix:
    """A card: what counts as an intruder, one module's spectrum, and the slider that turns intruders down."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("repair") as place, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("repair.title", "repair.lead"))
        with gr.Column() as column:
            with gr.Row():
                epsilon = _slider(lab, EPSILON, 0.05)
                top_k = _slider(lab, TOP_K, 1)
            with gr.Row(elem_classes="pp-chips"):
                mark = chip(wording, "repair.mark", "repair-mark")
            spectrum = html("", elem_id="repair-spectrum")
            strength = _slider(lab, LAMBDA, 0.05)
            with gr.Row(elem_classes="pp-chips"):
                go = chip(wording, "repair.go", "repair-go")
                stop = chip(wording, "edits.stop", "repair-stop", visible=False, elem_classes="chip pp-push")
            notice, result = html("", elem_id="repair-notice"), html("", elem_id="repair-result")
    knobs = Knobs(epsilon, top_k, strength)
    return Fix(place, knobs, mark, go, Cards(column, spectrum, notice, result, stop))


def _slider(lab: Lab, bound: Bound, step: float) -> gr.Slider:
    name = bound.name
    said = {"label": f"repair.{name}", "info": f"repair.{name}.help"}
    found: gr.Slider = lab.wording.make(
        gr.Slider,
        said,
        minimum=bound.minimum,
        maximum=bound.maximum,
        step=step,
        value=bound.default,
        elem_id=f"repair-{name}",
    )
    return found


def wire(fix: Fix, shared: Shared) -> dict[str, Any]:
    """What the controls do. Gives the event that shows what was asked before."""
    cards, knobs = fix.cards, fix.knobs
    marked, asked = shared.controls(Marked, **vars(knobs)), shared.controls(Asked, **vars(knobs))
    chosen = shared.controls(Chosen)
    results = [cards.notice, cards.result, cards.stop]
    moved = [fix.mark.click, knobs.threshold_epsilon.release, knobs.top_k.release]
    gr.on(moved, marked.handler(cards.mark), marked.inputs, cards.spectrum, trigger_mode="always_last", **HIDDEN)
    shared.module.change(lambda: "", None, cards.spectrum, **HIDDEN)
    fix.go.click(asked.handler(cards.repair), asked.inputs, results, **STREAM)
    knobs.mitigation_lambda.release(asked.handler(cards.again), asked.inputs, results, trigger_mode="multiple", **STREAM)
    cards.stop.click(lambda key: SESSIONS.stop(key, REPAIR), shared.key, None, **HIDDEN)
    return {
        "fn": chosen.handler(cards.attach), "inputs": chosen.inputs, "outputs": [cards.spectrum, *results], **STREAM,
    }  # fmt: skip
