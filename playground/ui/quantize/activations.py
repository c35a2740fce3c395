"""
Activations: what a layer reads of a few prompts, ranges for it, and the few features that are far larger than the rest.

The first visit asks for what the button would, and so does another base. It may have to be loaded, which takes place
where it was asked for; the forward passes run in the lab's lane, one prompt after the other, so that other lanes have
their turns between. Knows nothing about how activations are had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.quantize import is_here, outside, prompts_of, start_calibration
from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.model.catalogue import split_id
from playground.plots.quantize.names import path_name
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import STREAM, alarm, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, progress, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import activations_html
from playground.ui.quantize.pieces import card, choices
from playground.work.jobs import Run

if TYPE_CHECKING:
    from playground.actions.quantize import Found


FORMATS = ("int8", "int4")
CALIBRATE, TEST = ("pirate", "act_as", "spanish", "sentiment"), "polite"  # tasks whose first held-out prompts are read
THRESHOLD, LOWEST, HIGHEST = 6.0, 0.5, 60.0


@dataclass(frozen=True)
class Asked:
    """What the controls say; `read` is the page's base when it was last read with unasked, "" before the first visit."""

    key: str
    language: str
    base: str
    seen: str  # prompts to calibrate on, a line each
    test: str
    module: str | None
    format: str
    threshold: float
    read: str


@dataclass(frozen=True)
class Activations:
    """The components that change, and the handlers that change them."""

    read: gr.State
    notice: gr.HTML
    module: gr.Dropdown
    result: gr.HTML
    outside: gr.HTML
    network: gr.HTML

    @property
    def results(self) -> list[Any]:
        """What `show` changes."""
        return [self.notice, self.module, self.result, self.outside, self.network]

    def draw(self, asked: Asked) -> Changes:
        chosen = [(path_name(asked.language, asked.module), asked.module)] if asked.module else []
        offered = {self.module: gr.update(choices=chosen, value=asked.module)} if chosen else {}
        return offered | self._told(asked, note(asked.language, "calibration.opening"))

    def _told(self, asked: Asked, said: str) -> Changes:
        """How it goes; before the base has been read with, also where the other two sections have nothing to show yet."""
        places = [self.notice] if asked.read == asked.base else [self.notice, self.outside, self.network]
        return dict.fromkeys(places, said)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """At a visit: read with the page's base, unless that was done; other changes wait for a button."""
        if asked.read == asked.base:
            yield unchanged(self.notice)
            return
        yield {self.read: asked.base}
        yield from self.show(asked)

    def change_base(self, asked: Asked) -> Iterator[Changes]:
        """Nobody has to wait for a base that nobody looks at: before the first visit it is not read with."""
        if asked.read:
            yield from self.attach(asked)
        else:
            yield unchanged(self.notice)

    def show(self, asked: Asked) -> Iterator[Changes]:
        """Ranges, outliers and the map once the base has read the prompts."""
        language = asked.language
        try:
            prompts = prompts_of(asked.seen, asked.test)
            waits = not is_here(asked.base)
            if waits:
                yield self._told(asked, note(language, "calibration.loading"))
            run = start_calibration(asked.key, asked.base, prompts, asked.module, asked.format, asked.threshold)
        except PlaygroundError as error:
            yield self._told(asked, alarm(error.message(language)))
            return
        yield from self._follow(run, asked, waits)

    def _follow(self, run: Run, asked: Asked, waits: bool) -> Iterator[Changes]:
        """A run until it has ended; of a base that `waits` to be loaded, that is said until something was read."""
        for _ in run.changes():
            if run.replaced:
                yield unchanged(self.notice)
                return
            waits = waits and not run.events and not run.ended
            found = run.events[-1] if run.events else None
            said = note(asked.language, "calibration.loading") if waits else progress(run, asked.language)
            yield self._told(asked, said) | (self.fill(found, asked) if found else {})

    def fill(self, found: Found, asked: Asked) -> Changes:
        """What was found, and which modules there are to choose from."""
        language = asked.language
        offered = [(path_name(language, path), path) for path in found.modules]
        return {
            self.module: gr.update(choices=offered, value=found.module),
            self.result: _marked(activations_html.result(found, language), asked),
            self.outside: _marked(activations_html.outside(found.outside, language), asked),
            self.network: _marked(activations_html.network(found.cells, found.module, language), asked),
        }

    def decompose(self, asked: Asked) -> Changes:
        """The outliers for another threshold: what was read is remembered, so this takes a moment."""
        try:
            if not asked.module or not is_here(asked.base):
                return unchanged(self.outside)
            found = outside(asked.base, prompts_of(asked.seen, asked.test), asked.module, asked.threshold)
        except PlaygroundError as error:
            return {self.outside: alarm(error.message(asked.language))}
        return {self.outside: _marked(activations_html.outside(found, asked.language), asked)}


def _marked(result: str, asked: Asked) -> str:
    """With what only the button, or another base, brings up to date; every other control draws anew by itself."""
    made_from = {marks.BASE: split_id(asked.base)[0].id, "seen": asked.seen, "test": asked.test}
    return marks.marked(result, made_from, marks.changed(asked.language, "calibration.go"))


def build(lab: Lab) -> None:
    """The three sections and their events: what one reading shows."""
    wording, make = lab.wording, lab.wording.make
    with (
        lab.opened("calibration") as first,
        card(wording, "calibration.title", "calibration.lead"),
        gr.Row(elem_classes="pp-lab"),
    ):
        with gr.Column(min_width=0):
            made = _prompts(wording)
            go = make(
                gr.Button, {"value": "calibration.go"}, variant="primary", elem_id="calibration-go",
                elem_classes="pp-go",
            )  # fmt: skip
        with gr.Column(min_width=0):
            notice, result = html("", elem_id="calibration-notice"), html("", elem_id="calibration-result")
    with (
        lab.opened("outliers") as second,
        card(wording, "calibration.outliers.title", "calibration.outliers.lead"),
        gr.Row(elem_classes="pp-lab"),
    ):
        with gr.Column(min_width=0):
            threshold = make(
                gr.Slider, {"label": "calibration.threshold", "info": "calibration.threshold.help"},
                minimum=LOWEST, maximum=HIGHEST, step=0.5, value=THRESHOLD, elem_id="calibration-threshold",
            )  # fmt: skip
            make(html, {"value": lambda lang: soft(lang, "calibration.paper")})
        with gr.Column(min_width=0):
            outliers = html("", elem_id="calibration-outliers")
    with lab.opened("activations") as third, card(wording, "calibration.network.title", "calibration.network.lead"):
        network, read = html("", elem_id="calibration-network"), gr.State("")
    given = {"key": lab.visitor, "language": lab.language, "base": lab.base, **made, "threshold": threshold, "read": read}
    controls = Controls(Asked, given)
    marks.wire([result, outliers, network], lab.base, {"seen": made["seen"], "test": made["test"]})
    shown = Activations(read, notice, made["module"], result, outliers, network)
    _wire(controls, shown, go)
    section = Section(controls, [read, *shown.results], shown.draw, shown.attach, offered=[made["module"]])
    lab.draw(section, first, second, third)


def _wire(controls: Controls[Asked], shown: Activations, go: gr.Button) -> None:
    given, made = controls.inputs, controls.components
    asking: dict[str, Any] = {"trigger_mode": "multiple", **STREAM}
    asked = [go.click, made["module"].input, made["format"].input]
    gr.on(asked, controls.handler(shown.show), given, shown.results, **asking)
    made["base"].change(controls.handler(shown.change_base), given, [shown.read, *shown.results], **asking)
    made["threshold"].input(
        controls.handler(shown.decompose), given, shown.outside,
        trigger_mode="always_last", **{**STREAM, "concurrency_limit": 2},
    )  # fmt: skip


def _prompts(wording: Wording) -> dict[str, Any]:
    """Prompts to calibrate on, one to test on, the module and the format."""
    make, (*prompts, last) = wording.make, [tasks.task(task).held_out[0].prompt for task in (*CALIBRATE, TEST)]
    return {
        "seen": make(
            gr.Textbox, {"label": "calibration.prompts", "info": "calibration.prompts.help"}, value="\n".join(prompts),
            lines=4, max_lines=9, elem_id="calibration-prompts",
        ),
        "test": make(
            gr.Textbox, {"label": "calibration.test", "info": "calibration.test.help"}, value=last, lines=1, max_lines=4,
            elem_id="calibration-test",
        ),
        "module": make(
            gr.Dropdown, {"label": "calibration.module", "info": "calibration.module.help"}, choices=[],
            elem_id="calibration-module",
        ),
        "format": make(
            gr.Radio, {"label": "calibration.format", "choices": partial(choices, formats=FORMATS)}, value="int8",
            elem_id="calibration-format",
        ),
    }  # fmt: skip
