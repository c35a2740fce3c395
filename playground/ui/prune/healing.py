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
from playground.ui.kit.sections import Section
from playground.ui.kit.wording import Wording, html
from playground.ui.prune import healing_html
from playground.ui.prune.names import choices, what_of
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.prune.healed import Recovery

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
        """What the session has here, or else what was recorded."""
        from playground.prune.healed import recorded

        run = SESSIONS.get(asked.key).runs.get(HEAL)
        if run and run.events:
            return {self.table: self._of(run.events[-1], asked.language)}
        made = recorded()
        return {self.table: _marked(healing_html.recorded(made, asked.language), made.found, asked.language)}

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
        draw = partial(self._of, language=asked.language)
        for changes in sections.follow(run, asked.language, self.status, self.table, draw):
            buttons = {self.go: gr.update(interactive=run.ended), self.halt: gr.update(visible=not run.ended)}
            yield changes | self._stands(run, asked.language) | buttons

    def _stands(self, run: Run, language: str) -> Changes:
        """Who is at work, while somebody is."""
        seen: Recovery | None = run.events[-1] if run.events else None
        working = seen is not None and seen.working is not None and not run.ended
        return {self.status: healing_html.working(seen, language)} if seen and working else {}

    def _of(self, seen: Recovery, language: str) -> str:
        return _marked(healing_html.table(seen, language), seen, language)


def _marked(shown: str, seen: Recovery, language: str) -> str:
    """With the recipe, by the names of its controls."""
    pruning = Pruning.parse(seen.pruning)
    by = {"what": what_of(pruning), "share": round(100 * pruning.share, 4), "task": seen.task}
    made = {marks.BASE: seen.base, **by, "steps": seen.steps, "seed": seen.seed}
    return marks.marked(shown, made, marks.changed(language, "healing.go"))


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
