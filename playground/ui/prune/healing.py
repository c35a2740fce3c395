"""
What comes back: a LoRA trained on what pruning left, one distilled from the whole base, and the same LoRA on the whole base.

A run belongs to a place of the session, so that a page that is opened later finds it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.prune import HEAL, pruning_of, start_heal
from playground.adapt.tasks import TASK_IDS
from playground.errors import PlaygroundError
from playground.model.pruning import SHARE, Pruning
from playground.ui.kit import marks, sections
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.prune import healing_html
from playground.ui.prune.names import choices, what_of
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.prune.recovery import Recovery, RecoveryJob

WHAT, TASK = "width-activation", "summary"
STEPS, MOST, PERCENT = 8, 40, 40


@dataclass(frozen=True)
class Asked:
    """What the controls say; `share` in percent."""

    key: str
    language: str
    base: str
    what: str
    share: float
    task: str
    steps: int
    seed: int


@dataclass(frozen=True)
class Healing:
    """The components that change, and the handlers that change them."""

    status: gr.HTML
    table: gr.HTML
    go: gr.Button
    halt: gr.Button  # there while something goes on

    @property
    def shown(self) -> list[Any]:
        return [self.status, self.table, self.go, self.halt]

    def draw(self, asked: Asked) -> Changes:
        """What the session has here; an empty room if that is nothing."""
        run = SESSIONS.get(asked.key).runs.get(HEAL)
        if run and run.events:
            return {self.table: self._of(run.events[-1], run, asked.language)}
        return {self.table: soft(asked.language, "healing.empty")}

    def heal(self, asked: Asked) -> Iterator[Changes]:
        """Queue the trainings and show what they bring back."""
        try:
            pruning = pruning_of(asked.what, asked.share)
            run = start_heal(asked.key, asked.base, pruning, asked.task, asked.steps, asked.seed)
        except PlaygroundError as error:
            yield {self.status: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still runs, or runs again after a reload."""
        run = SESSIONS.get(asked.key).runs.get(HEAL)
        yield unchanged(self.status)
        if run:
            yield from self._follow(run, asked)

    def stop(self, asked: Asked) -> None:
        SESSIONS.stop(asked.key, HEAL)

    def _follow(self, run: Run, asked: Asked) -> Iterator[Changes]:
        draw = partial(self._of, run=run, language=asked.language)
        for changes in sections.follow(run, asked.language, self.status, self.table, draw):
            buttons = {self.go: gr.update(interactive=run.ended), self.halt: gr.update(visible=not run.ended)}
            yield changes | self._stands(run, asked.language) | buttons

    def _stands(self, run: Run, language: str) -> Changes:
        """Who is at work, while somebody is."""
        seen: Recovery | None = run.events[-1] if run.events else None
        working = seen is not None and seen.working is not None and not run.ended
        return {self.status: healing_html.working(seen, language)} if seen and working else {}

    def _of(self, seen: Recovery, run: Run, language: str) -> str:
        job: RecoveryJob = run.job
        by = {marks.BASE: seen.base, **_made_from(job)}
        return marks.marked(healing_html.table(seen, language), by, marks.changed(language, "healing.go"))


def _made_from(job: RecoveryJob) -> dict[str, Any]:
    """The recipe, by the names of its controls."""
    pruning: Pruning = job.pruning
    share = round(100 * pruning.share, 4)
    return {"what": what_of(pruning), "share": share, "task": job.task.id, "steps": job.steps, "seed": job.seed}


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("healing") as place, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("healing.title", "healing.lead"))
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                recipe = _recipe(wording)
                go = make(gr.Button, {"value": "healing.go"}, variant="primary", elem_id="healing-go", elem_classes="pp-go")
                stop = make(gr.Button, {"value": "qlora.stop"}, visible=False, elem_id="healing-stop", elem_classes="pp-go")
            with gr.Column(min_width=0):
                healing = Healing(html("", elem_id="healing-status"), html("", elem_id="healing-table"), go, stop)
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, "base": lab.base, **recipe})
    marks.wire([healing.table], lab.base, recipe)
    go.click(controls.handler(healing.heal), controls.inputs, healing.shown, **STREAM)
    stop.click(controls.handler(healing.stop), controls.inputs, None, **HIDDEN)
    lab.draw(
        Section(
            controls, healing.shown, healing.draw, healing.attach, pressed=[go.click],
            run=lambda asked, linked: healing.heal(asked),
        ),
        place,
    )  # fmt: skip


def _recipe(wording: Wording) -> dict[str, Any]:
    def known(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"tasks.{one}.title"), one) for one in TASK_IDS]

    make = wording.make
    return {
        "what": make(
            gr.Dropdown, {"label": "prune.what", "choices": choices}, value=WHAT, filterable=False, elem_id="healing-what"
        ),
        "share": make(
            gr.Slider, {"label": "prune.percent"}, minimum=0, maximum=100 * (SHARE.maximum or 0), step=5, value=PERCENT,
            elem_id="healing-share",
        ),
        "task": make(
            gr.Dropdown, {"label": "train.task", "choices": known}, value=TASK, filterable=False, elem_id="healing-task"
        ),
        "steps": make(
            gr.Slider, {"label": "train.steps"}, minimum=1, maximum=MOST, step=1, value=STEPS, elem_id="healing-steps"
        ),
        "seed": make(gr.Slider, {"label": "train.seed"}, minimum=0, maximum=100, step=1, value=0, elem_id="healing-seed"),
    }  # fmt: skip
