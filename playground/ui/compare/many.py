"""
Below the panes: the same question many times, and whether the panes then differ by more than chance explains.

What is shown names its own question, and is marked once the controls say something else. Handlers give back what changes by
component.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.actions.compare import Question, renamed
from playground.actions.many import latest_many, start_many, stop_many
from playground.compare.job import TEMPERATURE
from playground.compare.many import TIMES, USUAL_TEMPERATURE
from playground.errors import PlaygroundError
from playground.locales import number, text, written
from playground.ui.compare import many_html
from playground.ui.compare.asked import Asked
from playground.ui.kit import marks, sections
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, plain
from playground.ui.kit.sections import watch
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import Run


@dataclass(frozen=True)
class Many:
    """The components below the panes, and what happens to them."""

    asked: Controls[Asked]
    go: gr.Button
    stop: gr.Button
    notice: gr.HTML
    result: gr.HTML

    @property
    def times(self) -> gr.Slider:
        """How often; it stands with the settings of decoding."""
        slider: gr.Slider = self.asked.components[TIMES.name]
        return slider

    @property
    def shown(self) -> list[Any]:
        return [self.notice, self.result, self.go, self.stop]

    def start(self, asked: Asked) -> Iterator[Changes]:
        """Queue it at the temperature that the button says, and show it; a wrong input becomes a sentence."""
        decoding = {**asked.decoding, TEMPERATURE.name: _temperature(asked.decoding)}
        try:
            run = start_many(asked.key, asked.base, asked.prompt, asked.panes, decoding, asked.times, subject=asked.repeated)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self.follow(run, asked)

    def follow(self, run: Run, visit: Visit) -> Iterator[Changes]:
        """Show the answers as they are written; what is drawn stays until there is one more."""
        drawn = None

        def changes(run: Run) -> Changes:
            nonlocal drawn
            buttons = {self.go: gr.update(visible=run.ended), self.stop: gr.update(visible=not run.ended)}
            said: Changes = {self.notice: progress(run, visit.language), **buttons}
            now = (run.events[-1].written, run.ended) if run.events else None
            if now == drawn:
                return said
            drawn = now
            frame = renamed(visit.key, run.events[-1].as_json())
            return {**said, self.result: many_html.result(frame, run.job, visit.language)}

        yield from watch(run, self.notice, changes)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """After a reload, or once an adapter has another name: the session's latest one, if its question is asked here."""
        run = latest_many(asked.key)
        yield unchanged(self.notice)  # a generator that yields nothing would empty what it may change
        if run and _who(run.job.question) == _who(asked.question):
            yield from self.follow(run, asked)

    def halt(self, visit: Visit) -> Changes:
        """Stop it. The buttons do not wait for whoever follows it: that may be another window."""
        stop_many(visit.key)
        return {self.go: gr.update(visible=True), self.stop: gr.update(visible=False)}

    def label(self, asked: Asked) -> Changes:
        return {self.go: label(asked.language, asked.decoding, asked.times)}


def _who(question: Question) -> tuple[Any, ...]:
    """What is asked, and whom; not in which manner."""
    return question.base, question.prompt, question.panes


def label(language: str, decoding: Mapping[str, Any], times: int = TIMES.default) -> str:
    """What the button does, with the temperature that it uses: one of its own where answers are greedy."""
    key = "many.go" if decoding[TEMPERATURE.name] else "many.go.greedy"
    return text(language, key, count=number(language, times or 0), temperature=written(language, _temperature(decoding)))


def _temperature(decoding: Mapping[str, Any]) -> float:
    return decoding[TEMPERATURE.name] or USUAL_TEMPERATURE


def progress(run: Run, language: str) -> str:
    """Where it stands, in one line."""
    if run.state == "finished":
        return ""
    if run.state != "running" or not run.events:
        return sections.progress(run, language)
    frame = run.events[-1]
    counts = {"count": frame.written, "total": frame.times * len(frame.panes)}
    return plain(text(language, "many.running", **{name: number(language, one) for name, one in counts.items()}))


def build(wording: Wording, asked: Controls[Asked]) -> Many:
    """The row and the result; what is `asked` says what the button repeats."""
    with gr.Row(elem_classes="pp-chips", elem_id="many-row"):
        go = wording.make(
            gr.Button, {"value": lambda lang: label(lang, {TEMPERATURE.name: TEMPERATURE.default})},
            size="sm", elem_classes="chip", elem_id="many",
        )  # fmt: skip
        stop = wording.make(
            gr.Button, {"value": "compare.stop"}, size="sm", elem_classes="chip", elem_id="stop-many", visible=False
        )
    notice = html("", elem_id="many-notice")
    result = html("", elem_id="many-result")
    return Many(asked, go, stop, notice, result)


def wire(many: Many, visit: Controls[Visit], decoding: Mapping[str, Any]) -> None:
    asked, named = many.asked, many.asked.components
    many.go.click(asked.handler(many.start), asked.inputs, many.shown, **STREAM)
    many.stop.click(visit.handler(many.halt), visit.inputs, [many.go, many.stop], **HIDDEN)
    told = [decoding[TEMPERATURE.name], named["times"]]
    gr.on(
        [control.change for control in told], asked.handler(many.label), asked.inputs, many.go,
        trigger_mode="always_last", **HIDDEN,
    )  # fmt: skip
    made_from = {name: named[name] for name in ("prompt", "panes", "times", *decoding)}
    marks.wire([many.result], named["base"], {many_html.USED: named["base"], **made_from})
