"""
Speed in the quantization lab: a layer of the embedded base in each type, against what this machine can do at most.

Opens with what was recorded, and says where; a press measures here. What was measured here stays, for everybody: it is about
the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.actions.learn import energies, start_timing, tells_energy, timed_here, timing_now
from playground.errors import PlaygroundError
from playground.learn import timing, writing
from playground.learn.products import KINDS
from playground.learn.timing import HEAD, LAYER, LAYERS, TOKENS, Timed
from playground.locales import machine, number, text
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, progress
from playground.ui.kit.wording import html
from playground.ui.quantize import speed_html
from playground.ui.quantize.pieces import card
from playground.work.jobs import Run


@dataclass(frozen=True)
class Asked:
    """What the controls say."""

    language: str
    layer: str
    tokens: int


@dataclass(frozen=True)
class Speed:
    """The components that change, and the handlers that change them."""

    notice: gr.HTML
    result: gr.HTML

    @property
    def results(self) -> list[Any]:
        return [self.notice, self.result]

    def draw(self, asked: Asked) -> Changes:
        """What was measured here, or else what was recorded."""
        try:
            layer = timing.ASKED.check(asked.layer)
        except PlaygroundError as error:
            return {self.notice: alarm(error.message(asked.language)), self.result: ""}
        timed, language = timed_here(layer) or timing.recorded_layer(layer), asked.language
        if timed is None:
            return {self.notice: note(language, "speed.nothing"), self.result: ""}
        drawn = speed_html.speed(timed, asked.tokens, energies(), tells_energy(), writing.recorded(), language)
        return {self.notice: _where(timed, language), self.result: drawn}

    def measure(self, asked: Asked) -> Iterator[Changes]:
        """How far the measuring is; what it found is drawn after it, for whatever the controls say then."""
        try:
            run = start_timing(asked.layer)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked.language)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what is measured already."""
        yield unchanged(self.notice)
        run = timing_now(asked.layer)
        if run:
            yield from self._follow(run, asked.language)
            yield self.finished(asked)

    def run(self, asked: Asked) -> Iterator[Changes]:
        """For a link from somebody who had measured."""
        yield from self.measure(asked)
        yield self.finished(asked)

    def finished(self, asked: Asked) -> Changes:
        """What was found; an error stays."""
        return self.draw(asked) if timed_here(asked.layer) else unchanged(self.notice)

    def _follow(self, run: Run, language: str) -> Iterator[Changes]:
        for _ in run.changes():
            yield {self.notice: _standing(run, language)}


def _where(timed: Timed, language: str) -> str:
    if timed.machine:
        return note(language, "timing.recorded", machine=machine(language, timed.machine))
    return note(language, "timing.here")


def _standing(run: Run, language: str) -> str:
    found: Timed | None = run.events[-1] if run.events else None
    if run.ended or found is None:
        return progress(run, language)
    done, all_ = number(language, len(found.products)), number(language, len(KINDS) * len(TOKENS))
    return note(language, "speed.working", done=done, all=all_)


def layers(language: str) -> list[tuple[str, str]]:
    """The layers with their sides, inputs first."""
    named = []
    for layer in LAYERS:
        inputs, outputs = timing.shape(layer)
        name = text(language, "speed.layer.head") if layer == HEAD else layer
        named.append((f"{name} · {number(language, inputs)} × {number(language, outputs)}", layer))
    return named


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("speed") as place, card(wording, "speed.title", "speed.lead"):
        layer = make(gr.Radio, {"label": "speed.layer", "choices": layers}, value=LAYER, elem_id="speed-layer")
        tokens = make(
            gr.Radio, {"label": "speed.tokens", "info": "speed.tokens.help"}, choices=list(TOKENS), value=TOKENS[0],
            elem_id="speed-tokens",
        )  # fmt: skip
        notice, result = html("", elem_id="speed-notice"), html("", elem_id="speed-result")
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "timing.go"}, size="sm", elem_classes="chip", elem_id="speed-go")
    controls = Controls(Asked, {"language": lab.language, "layer": layer, "tokens": tokens})
    shown = Speed(notice, result)
    late: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    gr.on([layer.input, tokens.input], controls.handler(shown.draw), controls.inputs, shown.results, **late)
    measured = go.click(controls.handler(shown.measure), controls.inputs, notice, **STREAM)
    measured.then(controls.handler(shown.finished), controls.inputs, shown.results, **HIDDEN)
    section = Section(
        controls, shown.results, shown.draw, shown.attach, pressed=[go.click], run=lambda asked, linked: shown.run(asked)
    )
    lab.draw(section, place)
