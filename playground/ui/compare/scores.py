"""
Below the answers of Compare: what the panes are worth on a task's held-out questions, in one table. One line before it is
opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales
from playground.actions.scores import (
    PANES,
    held_out_of,
    score_view,
    scoring_of,
    start_scoring,
    stop_scoring,
    with_references,
)
from playground.adapt.tasks import OWN, TASK_IDS
from playground.errors import PlaygroundError
from playground.ui.compare.scores_html import drawn
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.sections import soft, watch
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import Run


@dataclass(frozen=True)
class Wish(Visit):
    """The panes, the question that they answer, and the task that they shall be scored on."""

    panes: list[str]
    prompt: str
    task: str


@dataclass(frozen=True)
class Scores:
    """The components, and what happens to them."""

    visit: Controls[Visit]
    wish: Controls[Wish]
    panel: gr.Accordion
    task: gr.Dropdown
    go: gr.Button
    stop: gr.Button
    result: gr.HTML

    @property
    def shown(self) -> list[Any]:
        return [self.panel, self.go, self.stop, self.result]

    def suggest(self, wish: Wish) -> Changes:
        """The task of the question that is asked above, if that is a held-out one."""
        found = held_out_of(wish.prompt)
        return {self.task: found} if found else unchanged(self.task)

    def start(self, wish: Wish) -> Iterator[Changes]:
        """Queue the scoring of the panes, with base and few-shot beside them, and show it."""
        try:
            run = start_scoring(wish.key, wish.base, wish.task, with_references(wish.panes), PANES)
        except PlaygroundError as error:
            yield {self.result: alarm(error.message(wish.language))}
            return
        yield from self.follow(run, wish)

    def follow(self, run: Run, visit: Visit) -> Iterator[Changes]:
        """Show a scoring until it has ended."""

        def changes(run: Run) -> Changes:
            running = {self.go: gr.update(interactive=run.ended), self.stop: gr.update(visible=not run.ended)}
            return {self.result: drawn(score_view(visit.key, run, visit.language), visit.language), **running}

        yield from watch(run, self.result, changes)

    def attach(self, visit: Visit) -> Iterator[Changes]:
        """After a reload: the session's latest scoring again, followed if it still runs."""
        run = scoring_of(visit.key, PANES)
        yield {self.panel: gr.update(open=True)} if run else unchanged(self.panel)
        if run:
            yield from self.follow(run, visit)

    def halt(self, visit: Visit) -> None:
        stop_scoring(visit.key, PANES)


def build(wording: Wording, visit: Controls[Visit], panes: gr.Dropdown, prompt: gr.Textbox) -> Scores:
    """One closed line, with everything behind it, and its events."""

    def choices(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"tasks.{one}.title"), one) for one in (*TASK_IDS, OWN)]

    make = wording.make
    with (
        gr.Column(elem_classes="pp-card"),
        make(gr.Accordion, {"label": "score.panes.title"}, open=False, elem_id="scores") as panel,
    ):
        make(html, {"value": lambda lang: soft(lang, "score.panes.lead")})
        task = make(
            gr.Dropdown, {"label": "score.panes.task", "choices": choices},
            value=TASK_IDS[0], filterable=False, elem_id="scores-task",
        )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "score.panes.go"}, size="sm", elem_classes="chip", elem_id="scores-go")
            stop = make(
                gr.Button, {"value": "score.stop"}, size="sm", elem_classes="chip", visible=False, elem_id="scores-stop"
            )
        result = html("", elem_id="scores-result")
    wish = Controls(Wish, {**visit.components, "panes": panes, "prompt": prompt, "task": task})
    scores = Scores(visit=visit, wish=wish, panel=panel, task=task, go=go, stop=stop, result=result)
    panel.expand(wish.handler(scores.suggest), wish.inputs, task, **HIDDEN)
    go.click(wish.handler(scores.start), wish.inputs, scores.shown, **STREAM)
    stop.click(visit.handler(scores.halt), visit.inputs, None, **HIDDEN)
    return scores
