"""
An adapter as plain LoRA of a rank, behind a fold: PEFT converts it, and both are measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.lowrank import CONVERT, run_about, start_convert
from playground.errors import PlaygroundError
from playground.locales import number, text
from playground.lowrank.settings import AS_RANK
from playground.plots.kit.figures import change
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import STREAM, alarm
from playground.ui.kit.lab import Lab
from playground.ui.kit.wording import html
from playground.ui.lowrank.pieces import chip
from playground.ui.lowrank.shared import Chosen, Shared, known
from playground.ui.lowrank.worth_html import measured

if TYPE_CHECKING:
    from playground.lowrank.convert import Converted
    from playground.work.jobs import Run

WHO = ("base", "whole", "lora")


@dataclass(frozen=True)
class Asked(Chosen):
    """The chosen adapter, and the rank that its LoRA shall have; None for an emptied field."""

    as_rank: int | None


@dataclass(frozen=True)
class Fold:
    """The components."""

    as_rank: gr.Slider
    go: gr.Button
    notice: gr.HTML
    shown: gr.HTML

    def convert(self, asked: Asked) -> Iterator[Changes]:
        """Convert and measure."""
        try:
            run = start_convert(asked.key, asked.chosen, asked.as_rank, CONVERT)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked)

    def attach(self, asked: Chosen) -> Iterator[Changes]:
        """What was last asked of the chosen adapter; another one's goes."""
        yield {self.notice: "", self.shown: ""}
        run = run_about(asked.key, CONVERT, asked.chosen)
        if run:
            yield from self._follow(run, asked)

    def _follow(self, run: Run, asked: Chosen) -> Iterator[Changes]:
        adapter = known(asked.key, asked.chosen)
        method = adapter.record.method if adapter else ""
        draw = partial(drawn, method=method, language=asked.language)
        yield from sections.follow(run, asked.language, self.notice, self.shown, draw)


def drawn(done: Converted, method: str, language: str) -> str:
    """Everything that is known so far."""
    if not done.parameters:
        return ""
    rank, parameters = number(language, done.rank), number(language, done.parameters)
    said = [text(language, "convert.said", rank=rank, parameters=parameters)]
    if done.apart:
        key = f"convert.neutral.{'differs' if done.apart.differs else 'noise'}"
        said.append(text(language, key, change=change(language, done.apart.change)))
    titles = [text(language, f"convert.who.{who}", rank=rank) for who in WHO]
    return f'<p class="pp-outcome">{escape(" ".join(said))}</p>' + measured(done.worth, titles, method, language)


def build(lab: Lab) -> Fold:
    """A fold with a slider and a button."""
    make = lab.wording.make
    with make(gr.Accordion, {"label": "convert.title"}, open=False, elem_classes="pp-more", elem_id="convert"):
        make(html, {"value": lambda lang: sections.soft(lang, "convert.lead")})
        as_rank = make(
            gr.Slider, {"label": "convert.rank"}, minimum=AS_RANK.minimum, maximum=AS_RANK.maximum, step=1,
            value=AS_RANK.default, elem_id="convert-rank",
        )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = chip(lab.wording, "convert.go", "convert-go")
        notice, shown = html("", elem_id="convert-notice"), html("", elem_id="convert-shown")
    return Fold(as_rank, go, notice, shown)


def wire(fold: Fold, shared: Shared) -> dict[str, Any]:
    """What the button does. Gives the event that shows what was asked before."""
    asked, chosen = shared.controls(Asked, as_rank=fold.as_rank), shared.controls(Chosen)
    results = [fold.notice, fold.shown]
    fold.go.click(asked.handler(fold.convert), asked.inputs, results, **STREAM)
    return {"fn": chosen.handler(fold.attach), "inputs": chosen.inputs, "outputs": results, **STREAM}
