"""
The whole model in the quantization lab: every format's size, errors and reading, a map of the errors, and the answers.

Opens with what was measured when the examples were recorded; a press of the button measures it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.quantize import FORMS_ANSWERS, SURVEY, recorded, start_forms, start_survey
from playground.errors import PlaygroundError
from playground.model.catalogue import FORMS
from playground.ui.compare.lab import Answers
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english, note
from playground.ui.kit.html import machine
from playground.ui.kit.sections import ANSWER_TOKENS, Section, progress, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import wholemodel_html
from playground.ui.quantize.pieces import card, choices
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.quantize.wholemodel import Survey


ANSWERS = Answers(FORMS_ANSWERS, "wholemodel.ask", "lab.elsewhere.forms")
CHOSEN = ("int8_vectorwise", "nf4", "fp4", "int4", "ternary")  # what is measured and asked unless one chooses
FIRST = "nf4"  # whose map is shown first
PROMPT = "What is the capital of France?"


@dataclass(frozen=True)
class Asked:
    """What the controls say; `mapped` is the format whose map is shown."""

    key: str
    language: str
    base: str
    formats: list[str]
    mapped: str | None
    prompt: str


@dataclass(frozen=True)
class WholeModel:
    """The components that change, and the handlers that change them."""

    notice: gr.HTML
    table: gr.HTML
    mapped: gr.Dropdown
    map: gr.HTML
    said: gr.HTML
    panes: gr.HTML
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
            if not asked.formats:
                raise PlaygroundError("no_formats")
            run = start_survey(asked.key, asked.base, [form for form in FORMS if form in asked.formats])
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._watch(run, asked)

    def stop(self, asked: Asked) -> None:
        for place in (SURVEY, FORMS_ANSWERS):
            SESSIONS.stop(asked.key, place)

    def _stoppable(self, asked: Asked) -> Changes:
        """The button is there while there is something to stop."""
        runs = SESSIONS.get(asked.key).runs
        going = any(place in runs and not runs[place].ended for place in (SURVEY, FORMS_ANSWERS))
        return {self.halt: gr.update(visible=going)}

    def _watch(self, run: Run, asked: Asked) -> Iterator[Changes]:
        for changes in self._seen(run, asked.language):
            yield changes | self._stoppable(asked)

    def _answers(self, run: Run, asked: Asked) -> Iterator[Changes]:
        for changes in ANSWERS.follow(run, asked.key, asked.language, self.said, self.panes):
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

    def answer(self, asked: Asked) -> Iterator[Changes]:
        """The base and its forms answering the same prompt."""
        yield {self.said: note(asked.language, "wholemodel.preparing")}
        try:
            run = start_forms(asked.key, asked.base, asked.formats, asked.prompt, {"max_new_tokens": ANSWER_TOKENS})
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(asked.language))}
            return
        ANSWERS.remember(asked.key, {"prompt": asked.prompt, "formats": asked.formats})
        yield from self._answers(run, asked)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still runs, or runs again after a reload; answers that are there do not wait for the survey."""
        runs = SESSIONS.get(asked.key).runs
        surveying, answering = runs.get(SURVEY), runs.get(FORMS_ANSWERS)
        yield unchanged(self.notice)
        if answering:
            yield next(self._answers(answering, asked))
        if surveying:
            yield from self._watch(surveying, asked)
        if answering:
            yield from self._answers(answering, asked)


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


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> Section:
    """The three cards and their events."""
    make = wording.make
    with card(wording, "wholemodel.title", "wholemodel.lead"):
        formats = make(
            gr.CheckboxGroup, {"label": "wholemodel.formats", "choices": partial(choices, formats=FORMS)},
            value=list(CHOSEN), elem_id="wholemodel-formats",
        )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "wholemodel.go"}, variant="primary", size="sm", elem_id="wholemodel-go")
            stop = make(
                gr.Button, {"value": "wholemodel.stop"}, visible=False, size="sm", elem_classes="chip",
                elem_id="wholemodel-stop",
            )  # fmt: skip
        notice, table = html("", elem_id="wholemodel-notice"), html("", elem_id="wholemodel-table")
    with card(wording, "wholemodel.map.title", "wholemodel.map.lead"):
        mapped = make(gr.Dropdown, {"label": "wholemodel.map.format"}, choices=[], elem_id="wholemodel-shown")
        where = html("", elem_id="wholemodel-map")
    with card(wording, "wholemodel.answers.title", "wholemodel.answers.lead"):
        with gr.Row(elem_classes="pp-ask"):
            prompt = make(
                gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=PROMPT,
                show_label=False, container=False, max_lines=4, elem_id="wholemodel-prompt",
            )  # fmt: skip
            ask = make(gr.Button, {"value": "wholemodel.ask"}, elem_id="wholemodel-ask", elem_classes="pp-go")
        make(html, {"value": english})
        said = html("", elem_id="wholemodel-said")
        panes = make(html, {"value": lambda lang: soft(lang, "wholemodel.answers.empty")}, elem_id="wholemodel-answers")

    made = {"base": base, "formats": formats, "mapped": mapped, "prompt": prompt}
    controls = Controls(Asked, {"key": visitor, "language": language, **made})
    whole = WholeModel(notice, table, mapped, where, said, panes, stop)
    marks.wire([table, where], base)
    ANSWERS.wire(panes, base, {"prompt": prompt, "formats": formats})
    given, answered = controls.inputs, [said, panes, stop]
    go.click(controls.handler(whole.measure), given, whole.measured, **STREAM)
    stop.click(controls.handler(whole.stop), given, None, **HIDDEN)
    mapped.input(controls.handler(whole.draw_map), given, where, **HIDDEN)
    gr.on([ask.click, prompt.submit], controls.handler(whole.answer), given, answered, **STREAM)
    return Section(controls, [*whole.measured, *answered], whole.draw, whole.attach)
