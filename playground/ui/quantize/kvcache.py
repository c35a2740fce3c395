"""
The cache of keys and values in fewer bits: what it takes, how the base reads with it, what it answers.

The embedded base's was measured beforehand; a press measures the base in use, and its answer to another prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.ladder import CACHE, PROMPT, recorded, start_caches
from playground.errors import PlaygroundError
from playground.locales import machine, number
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, progress, watch
from playground.ui.kit.wording import html
from playground.ui.quantize import ladder_html
from playground.ui.quantize.pieces import card
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.quantize.caching import Caches


@dataclass(frozen=True)
class Asked:
    """What the controls say."""

    key: str
    language: str
    base: str
    prompt: str


@dataclass(frozen=True)
class Cache:
    """The components that change, and the handlers that change them."""

    notice: gr.HTML
    result: gr.HTML
    halt: gr.Button  # there while something goes on

    @property
    def results(self) -> list[Any]:
        return [self.notice, self.result, self.halt]

    def draw(self, asked: Asked) -> Changes:
        """What was measured beforehand."""
        found, language = recorded(), asked.language
        line = note(language, "wholemodel.recorded", machine=machine(language, found["machine"]))
        return {self.notice: line, self.result: _marked(found["caches"], language)}

    def measure(self, asked: Asked) -> Iterator[Changes]:
        try:
            run = start_caches(asked.key, asked.base, asked.prompt)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked.language)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still runs, or show what has run, after a reload."""
        yield unchanged(self.notice)
        run = SESSIONS.get(asked.key).runs.get(CACHE)
        if run:
            yield from self._follow(run, asked.language)

    def stop(self, asked: Asked) -> None:
        SESSIONS.stop(asked.key, CACHE)

    def _follow(self, run: Run, language: str) -> Iterator[Changes]:
        before = -1

        def changes(run: Run) -> Changes:
            nonlocal before
            found: Caches | None = run.events[-1] if run.events else None
            count = len(found.found) if found else 0
            drawn = {self.result: _marked(asdict(found), language)} if found and count not in (0, before) else {}
            before = count
            return {self.notice: _standing(run, found, language), self.halt: gr.update(visible=not run.ended)} | drawn

        yield from watch(run, self.notice, changes)


def _standing(run: Run, found: Caches | None, language: str) -> str:
    if run.ended or not found:
        return progress(run, language)
    return note(language, "kvcache.working", percent=number(language, 100 * found.fraction))


def _marked(found: Mapping[str, Any], language: str) -> str:
    made = {marks.BASE: found["base"], "prompt": found["prompt"]}
    return marks.marked(ladder_html.caches(found, language), made, marks.changed(language, "wholemodel.go"))


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("kvcache") as place, card(wording, "kvcache.title", "kvcache.lead"):
        notice, result = html("", elem_id="kvcache-notice"), html("", elem_id="kvcache-result")
        with gr.Row(elem_classes="pp-ask"):
            prompt = make(
                gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=PROMPT,
                show_label=False, container=False, max_lines=4, elem_id="kvcache-prompt",
            )  # fmt: skip
            go = make(gr.Button, {"value": "wholemodel.go"}, elem_id="kvcache-go", elem_classes="pp-go")
        make(html, {"value": english})
        stop = make(
            gr.Button, {"value": "wholemodel.stop"}, visible=False, size="sm", elem_classes="chip", elem_id="kvcache-stop"
        )
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, "base": lab.base, "prompt": prompt})
    shown = Cache(notice, result, stop)
    marks.wire([result], lab.base, {"prompt": prompt})
    asked = [go.click, prompt.submit]
    gr.on(asked, controls.handler(shown.measure), controls.inputs, shown.results, **STREAM)
    stop.click(controls.handler(shown.stop), controls.inputs, None, **HIDDEN)
    section = Section(
        controls, shown.results, shown.draw, shown.attach, pressed=asked, run=lambda asked, linked: shown.measure(asked)
    )
    lab.draw(section, place)
