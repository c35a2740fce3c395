"""
The whole base under one rung of the ladder: rounded layer by layer on a press, then read and asked; every rung on the
embedded base was measured beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.ladder import PROMPT, WHOLE, recorded, start_whole
from playground.errors import PlaygroundError
from playground.locales import machine, number
from playground.model.catalogue import split_id
from playground.plots.quantize.ladder import rung_name
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, progress, watch
from playground.ui.kit.wording import html
from playground.ui.quantize import ladder_html
from playground.ui.quantize.ladder import grid
from playground.ui.quantize.pieces import card
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.quantize.sequential import Climbed

FIRST = "gptq"
RUNGS = (
    "nearest_tensor", "nearest_channel", "nearest", "clipped", "hqq", "awq", "smoothquant", "rotated", "gptq",
    "gptq_act_order",
)  # fmt: skip  # as in quantize.ladder, which loads torch


@dataclass(frozen=True)
class Asked:
    """What the controls say."""

    key: str
    language: str
    base: str
    rung: str
    bits: int
    block: int
    prompt: str


@dataclass(frozen=True)
class Whole:
    """The components that change, and the handlers that change them."""

    notice: gr.HTML
    result: gr.HTML
    recorded: gr.HTML
    halt: gr.Button  # there while something goes on

    @property
    def results(self) -> list[Any]:
        return [self.notice, self.result, self.halt]

    def draw(self, asked: Asked) -> Changes:
        """What was measured beforehand; of another base nothing was."""
        found, language = recorded(), asked.language
        try:
            ours = split_id(asked.base)[0].id == found["base"]
        except PlaygroundError as error:
            return {self.notice: alarm(error.message(language))}
        if not ours:
            return {self.recorded: note(language, "rungs.elsewhere")}
        line = note(language, "ladder.recorded", machine=machine(language, found["machine"]))
        return {self.recorded: marks.marked(line + ladder_html.recorded(found, language), {marks.BASE: found["base"]})}

    def go(self, asked: Asked) -> Iterator[Changes]:
        """Round every layer, then read and ask."""
        try:
            run = start_whole(asked.key, asked.base, asked.rung, asked.bits, asked.block, asked.prompt)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked.language)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still runs, or show what has run, after a reload."""
        yield unchanged(self.notice)
        run = SESSIONS.get(asked.key).runs.get(WHOLE)
        if run:
            yield from self._follow(run, asked.language)

    def stop(self, asked: Asked) -> None:
        SESSIONS.stop(asked.key, WHOLE)

    def _follow(self, run: Run, language: str) -> Iterator[Changes]:
        def changes(run: Run) -> Changes:
            found: Climbed | None = run.events[-1] if run.events else None
            drawn = {self.result: _marked(run, found, language)} if found and found.reading else {}
            return {self.notice: _standing(run, found, language), self.halt: gr.update(visible=not run.ended)} | drawn

        yield from watch(run, self.notice, changes)


def _standing(run: Run, found: Climbed | None, language: str) -> str:
    """How many layers are rounded, and what comes after."""
    if run.ended or not found:
        return progress(run, language)
    if found.fraction < 1:
        return note(language, "rungs.working", percent=number(language, 100 * found.fraction))
    return note(language, "rungs.reading")


def _marked(run: Run, found: Climbed, language: str) -> str:
    """With everything that was asked: a press measures anew."""
    job = run.job
    made = {marks.BASE: job.base, "rung": job.rung, "bits": job.grid.bits, "block": job.grid.block, "prompt": job.prompts[0]}
    return marks.marked(
        ladder_html.ran(asdict(found), asdict(job.grid), language), made, marks.changed(language, "rungs.go")
    )


def rung_choices(language: str) -> list[tuple[str, str]]:
    return [(rung_name(language, one), one) for one in RUNGS]


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("rungs") as place, card(wording, "rungs.title", "rungs.lead"):
        table = html("", elem_id="rungs-recorded")
        with gr.Row(elem_classes="pp-gridded"):
            rung = make(gr.Dropdown, {"label": "rungs.rung", "choices": rung_choices}, value=FIRST, elem_id="rungs-rung")
            made = {"rung": rung, **grid(wording, "rungs")}
        with gr.Row(elem_classes="pp-ask"):
            prompt = make(
                gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=PROMPT,
                show_label=False, container=False, max_lines=4, elem_id="rungs-prompt",
            )  # fmt: skip
            go = make(gr.Button, {"value": "rungs.go"}, elem_id="rungs-go", elem_classes="pp-go")
        make(html, {"value": english})
        stop = make(
            gr.Button, {"value": "wholemodel.stop"}, visible=False, size="sm", elem_classes="chip", elem_id="rungs-stop"
        )
        notice, result = html("", elem_id="rungs-notice"), html("", elem_id="rungs-result")
    named = {**made, "prompt": prompt}
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, "base": lab.base, **named})
    shown = Whole(notice, result, table, stop)
    marks.wire([result], lab.base, named)
    marks.wire([table], lab.base)
    asked = [go.click, prompt.submit]
    gr.on(asked, controls.handler(shown.go), controls.inputs, shown.results, **STREAM)
    stop.click(controls.handler(shown.stop), controls.inputs, None, **HIDDEN)
    section = Section(
        controls, [table, *shown.results], shown.draw, shown.attach, pressed=asked, run=lambda asked, linked: shown.go(asked)
    )
    lab.draw(section, place)
