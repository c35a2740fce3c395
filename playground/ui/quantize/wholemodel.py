"""
The whole model in the quantization lab: every format's size, errors and reading, and a map of the errors.

Opens with what was measured when the examples were recorded; a press of the button measures it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.quantize import SURVEY, recorded, start_survey
from playground.errors import PlaygroundError
from playground.locales import machine
from playground.model.catalogue import FORMS, USUAL_FORMS
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, progress
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import wholemodel_html
from playground.ui.quantize.pieces import card, choices, more
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.quantize.wholemodel import Survey


CHOSEN = ("int8_vectorwise", "nf4", "fp4", "int4", "ternary")  # what is measured unless one chooses
FIRST = "nf4"  # whose map is shown first


@dataclass(frozen=True)
class Asked:
    """What the controls say; `mapped` is the format whose map is shown."""

    key: str
    language: str
    base: str
    formats: list[str]
    mapped: str | None
    more: Sequence[str] = ()  # formats that are not among the usual ones


@dataclass(frozen=True)
class WholeModel:
    """The components that change, and the handlers that change them."""

    notice: gr.HTML
    table: gr.HTML
    mapped: gr.Dropdown
    map: gr.HTML
    halt: gr.Button  # there while something goes on

    @property
    def measured(self) -> list[Any]:
        """What `measure` changes."""
        return [self.notice, self.table, self.mapped, self.map, self.halt]

    def draw(self, asked: Asked) -> Changes:
        """What is known when the tab is opened."""
        seen = latest(asked.key)
        ready = seen is recorded()
        line = note(asked.language, "wholemodel.recorded", machine=machine(asked.language, seen["machine"])) if ready else ""
        return {self.notice: line} | self._drawn(seen, asked.mapped, asked.language) | self._stoppable(asked)

    def _drawn(self, seen: Mapping[str, Any], wanted: str | None, language: str) -> Changes:
        """A survey in plain values: its table, and the map of the wanted format if it is there."""
        known = [one for one in (*seen["found"], seen["working"]) if one and one["modules"]][1:]
        ids = [one["format"] for one in known]
        chosen = next((one for one in (wanted, FIRST, *ids[-1:]) if one in ids), None)
        modules = next((one["modules"] for one in known if one["format"] == chosen), ())
        return {
            self.table: _marked(wholemodel_html.table(seen, language), seen, language),
            self.mapped: gr.update(choices=choices(language, ids), value=chosen),
            self.map: _marked(wholemodel_html.errors_map(modules, language), seen, language),
        }

    def draw_map(self, asked: Asked) -> Changes:
        """The map of another format."""
        seen, language = latest(asked.key), asked.language
        found = next((one for one in seen["found"] if one["format"] == asked.mapped), None)
        if found is None:
            return unchanged(self.map)
        return {self.map: _marked(wholemodel_html.errors_map(found["modules"], language), seen, language)}

    def measure(self, asked: Asked) -> Iterator[Changes]:
        """Measure the chosen formats, and show how far that is."""
        try:
            wanted = [*asked.formats, *asked.more]
            if not wanted:
                raise PlaygroundError("no_formats")
            run = start_survey(asked.key, asked.base, [form for form in FORMS if form in wanted])
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._watch(run, asked)

    def stop(self, asked: Asked) -> None:
        SESSIONS.stop(asked.key, SURVEY)

    def _stoppable(self, asked: Asked) -> Changes:
        """The button is there while there is something to stop."""
        run = SESSIONS.get(asked.key).runs.get(SURVEY)
        return {self.halt: gr.update(visible=run is not None and not run.ended)}

    def _watch(self, run: Run, asked: Asked) -> Iterator[Changes]:
        for changes in self._seen(run, asked.language):
            yield changes | self._stoppable(asked)

    def _seen(self, run: Run, language: str) -> Iterator[Changes]:
        """A survey until it has ended, drawn again when there is more of it: it also tells that it waits for a base."""
        before = -1
        for _ in run.changes():
            if run.replaced:
                yield unchanged(self.notice)
                return
            seen: Survey | None = run.events[-1] if run.events else None
            if seen is None or not (seen.found or seen.working):
                yield {self.notice: progress(run, language)}
                continue
            modules = len(seen.working.modules) if seen.working else 0
            if run.ended or modules != before:
                yield {self.notice: _standing(run, seen, language)} | self._drawn(asdict(seen), None, language)
            before = modules

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still runs, or runs again after a reload."""
        yield unchanged(self.notice)
        surveying = SESSIONS.get(asked.key).runs.get(SURVEY)
        if surveying:
            yield from self._watch(surveying, asked)


def latest(key: str) -> dict[str, Any]:
    """What the session's run has found so far; without one what was recorded."""
    run = SESSIONS.get(key).runs.get(SURVEY)
    events = run.events if run else []
    return asdict(events[-1]) if events and (events[-1].found or events[-1].working) else recorded()


def _marked(result: str, seen: Mapping[str, Any], language: str) -> str:
    """With the base that was measured; which formats, the rows say themselves."""
    return marks.marked(result, {marks.BASE: seen["base"]}, marks.changed(language, "wholemodel.go"))


def _standing(run: Run, seen: Survey, language: str) -> str:
    """Where the survey is."""
    if run.ended or seen.working is None:
        return progress(run, language)
    return wholemodel_html.working(seen.working, seen.fraction, language)


# Layout


def build(lab: Lab) -> None:
    """The three sections and their events: one survey, its map, and the answers of what was chosen."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("wholemodel") as first, card(wording, "wholemodel.title", "wholemodel.lead"):
        formats, others = usual_forms(wording, "wholemodel-formats"), more(wording, "wholemodel-more")
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "wholemodel.go"}, variant="primary", size="sm", elem_id="wholemodel-go")
            stop = make(
                gr.Button, {"value": "wholemodel.stop"}, visible=False, size="sm", elem_classes="chip",
                elem_id="wholemodel-stop",
            )  # fmt: skip
        notice, table = html("", elem_id="wholemodel-notice"), html("", elem_id="wholemodel-table")
    with lab.opened("map") as second, card(wording, "wholemodel.map.title", "wholemodel.map.lead"):
        mapped = make(gr.Dropdown, {"label": "wholemodel.map.format"}, choices=[], elem_id="wholemodel-shown")
        where = html("", elem_id="wholemodel-map")
    whole = WholeModel(notice, table, mapped, where, stop)
    made = {"base": lab.base, "formats": formats, "mapped": mapped, "more": others}
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, **made})
    marks.wire([table, where], lab.base)
    go.click(controls.handler(whole.measure), controls.inputs, whole.measured, **STREAM)
    stop.click(controls.handler(whole.stop), controls.inputs, None, **HIDDEN)
    mapped.input(controls.handler(whole.draw_map), controls.inputs, where, **HIDDEN)
    lab.draw(Section(controls, whole.measured, whole.draw, whole.attach, offered=[mapped]), first, second)


def usual_forms(wording: Wording, elem_id: str) -> gr.CheckboxGroup:
    """The usual forms of a base, those of CHOSEN chosen."""
    return wording.make(
        gr.CheckboxGroup, {"label": "wholemodel.formats", "choices": partial(choices, formats=USUAL_FORMS)},
        value=list(CHOSEN), elem_id=elem_id,
    )  # fmt: skip
