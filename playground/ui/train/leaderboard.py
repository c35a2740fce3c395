"""
How the methods compare, below the training: what was measured beforehand on a task, and the session's own runs in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.actions.leaderboard import board, board_tasks, own_runs
from playground.locales import text
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN
from playground.ui.kit.sections import soft
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import leaderboard_html


@dataclass(frozen=True)
class Asked(Visit):
    """The task whose leaderboard is shown, with `every` method or those in front; and the one chosen above, to train on."""

    task: str
    every: bool
    chosen: str


@dataclass(frozen=True)
class Leaderboard:
    """The components, and what happens to them."""

    asked: Controls[Asked]
    panel: gr.Accordion
    task: gr.Dropdown
    every: gr.Checkbox
    result: gr.HTML

    def open(self, asked: Asked) -> Changes:
        """The task that is chosen above, where it was measured."""
        task = asked.chosen if asked.chosen in board_tasks() else asked.task
        return {self.task: task, **self.draw(replace(asked, task=task))}

    def draw(self, asked: Asked) -> Changes:
        found, own = board(asked.task, asked.every), own_runs(asked.key, asked.task)
        said = "" if asked.chosen in board_tasks() else leaderboard_html.unmeasured(asked.chosen, asked.task, asked.language)
        return {
            self.every: gr.update(visible=found["more"] > 0),
            self.result: said + leaderboard_html.drawn(found, own, asked.language),
        }


def build(
    wording: Wording, visit: Controls[Visit], chosen: gr.Dropdown, adapter: gr.State, told: Iterable[Any]
) -> Leaderboard:
    """
    One closed line; what is behind it is drawn when it is opened, with the task that is `chosen` above, and again when
    another one is, when there is a new `adapter`, and after the events that have `told` of new numbers.
    """
    make, there = wording.make, board_tasks()
    with (
        gr.Column(elem_classes="pp-card", visible=bool(there)),
        make(gr.Accordion, {"label": "board.title"}, open=False, elem_id="board") as panel,
    ):
        make(html, {"value": lambda lang: soft(lang, "board.lead")})
        task = make(
            gr.Dropdown,
            {"label": "board.task", "choices": lambda lang: [(text(lang, f"tasks.{one}.title"), one) for one in there]},
            value=there[0] if there else None, elem_id="board-task",
        )  # fmt: skip
        every = make(gr.Checkbox, {"label": "board.every"}, value=False, visible=False, elem_id="board-every")
        result = html("", elem_id="board-result")
    components = {**visit.components, "task": task, "every": every, "chosen": chosen}
    found = Leaderboard(Controls(Asked, components), panel, task, every, result)
    draw, drawn = found.asked.handler(found.draw), [every, result]
    gr.on([panel.expand, chosen.change], found.asked.handler(found.open), found.asked.inputs, [task, *drawn], **HIDDEN)
    gr.on([task.input, every.input, adapter.change], draw, found.asked.inputs, drawn, **HIDDEN)
    for event in told:
        event.then(draw, found.asked.inputs, drawn, **HIDDEN)
    return found
