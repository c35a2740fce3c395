"""
What a new adapter does to a task that it was not trained for, behind a press: the base's score and the adapter's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales
from playground.actions.scores import ELSEWHERE, elsewhere_view, other_tasks, score_elsewhere, scoring_of
from playground.adapt import tasks
from playground.adapt.adapters import STEP_MARK
from playground.errors import PlaygroundError
from playground.ui.compare.scores_html import drawn, moved
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.sections import soft
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import Run


@dataclass(frozen=True)
class Looked(Visit):
    """The adapter that is looked at; "" before there is one."""

    adapter: str


@dataclass(frozen=True)
class Asked(Looked):
    """And a task; None before there is one."""

    task: str | None


@dataclass(frozen=True)
class Elsewhere:
    """The components, and what happens to them."""

    task: gr.Dropdown
    result: gr.HTML

    def offer(self, asked: Asked) -> Changes:
        """The other tasks, for another adapter."""
        try:
            offered = other_tasks(asked.key, asked.adapter.partition(STEP_MARK)[0])
        except PlaygroundError:  # there is no adapter: the card is hidden
            return {self.task: gr.skip()}
        named = [(locales.text(asked.language, f"tasks.{one}.title"), one) for one in offered]
        return {self.task: gr.update(choices=named, value=asked.task if asked.task in offered else offered[0])}

    def show(self, asked: Looked) -> Iterator[Changes]:
        """What was asked of this adapter."""
        run, adapter = scoring_of(asked.key, ELSEWHERE), asked.adapter.partition(STEP_MARK)[0]
        if run and adapter in run.job.ids:
            yield from self.follow(run, asked)
        else:
            yield {self.result: ""}

    def start(self, asked: Asked) -> Iterator[Changes]:
        """Score the adapter and its base on the other task now."""
        try:
            run = score_elsewhere(asked.key, asked.adapter.partition(STEP_MARK)[0], asked.task or "")
        except PlaygroundError as error:
            yield {self.result: alarm(error.message(asked.language))}
            return
        yield from self.follow(run, asked)

    def follow(self, run: Run, asked: Looked) -> Iterator[Changes]:
        for _ in run.changes():
            if scoring_of(asked.key, ELSEWHERE) is not run:
                return
            view = elsewhere_view(asked.key, run, asked.language)
            yield {self.result: drawn(view, asked.language) + moved(view, asked.language)}


def build(wording: Wording, visit: Controls[Visit], adapter: gr.State) -> Elsewhere:
    """A fold in the card of the scores, and its events."""
    make = wording.make
    with make(gr.Accordion, {"label": "score.elsewhere.title"}, open=False, elem_classes="pp-more", elem_id="elsewhere"):
        make(html, {"value": lambda lang: soft(lang, "score.elsewhere.lead")})
        with gr.Row(elem_classes="pp-chips"):
            task = make(gr.Dropdown, {"label": "score.elsewhere.task", "choices": _named}, elem_id="elsewhere-task")
            chip = {"size": "sm", "elem_classes": "chip"}
            go = make(gr.Button, {"value": "score.elsewhere.go"}, elem_id="elsewhere-go", **chip)
        result = html("", elem_id="elsewhere-result")
    elsewhere = Elsewhere(task, result)
    asked = Controls(Asked, {**visit.components, "adapter": adapter, "task": task})
    adapter.change(asked.handler(elsewhere.offer), asked.inputs, task, **HIDDEN)
    looked = Controls(Looked, {**visit.components, "adapter": adapter})  # the tasks are just being replaced
    adapter.change(looked.handler(elsewhere.show), looked.inputs, result, trigger_mode="multiple", **STREAM)
    go.click(asked.handler(elsewhere.start), asked.inputs, result, **STREAM)
    return elsewhere


def _named(language: str) -> list[Any]:
    return [(locales.text(language, f"tasks.{one}.title"), one) for one in tasks.TASK_IDS]
