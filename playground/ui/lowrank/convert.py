"""
An adapter as plain LoRA of a rank, behind a fold: PEFT converts it, and both are measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.adapters import described
from playground.actions.export import download
from playground.actions.lowrank import CONVERT, run_about, start_convert
from playground.errors import PlaygroundError
from playground.locales import number, size, text
from playground.lowrank.settings import AS_RANK
from playground.plots.kit.figures import change, needed
from playground.ui.compare.panes import file_title, pane_title
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import STREAM, alarm
from playground.ui.kit.lab import Lab
from playground.ui.kit.wording import html
from playground.ui.lowrank.pieces import chip, to_compare
from playground.ui.lowrank.shared import Chosen, Shared, known
from playground.ui.lowrank.worth_html import measured

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
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
    download: gr.DownloadButton

    def convert(self, asked: Asked) -> Iterator[Changes]:
        """Convert and measure; the LoRA is an adapter of the session."""
        try:
            source = described(asked.key, asked.chosen)
            title = (file_title if source["own"] else pane_title)(source, asked.language)
            name = text(asked.language, "convert.name", rank=asked.as_rank, title=title)
            run = start_convert(asked.key, asked.chosen, asked.as_rank, CONVERT, name)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked)

    def attach(self, asked: Chosen) -> Iterator[Changes]:
        """What was last asked of the chosen adapter; another one's goes."""
        yield {self.notice: "", self.shown: "", self.download: gr.update(visible=False)}
        run = run_about(asked.key, CONVERT, asked.chosen)
        if run:
            yield from self._follow(run, asked)

    def _follow(self, run: Run, asked: Chosen) -> Iterator[Changes]:
        adapter, offered = known(asked.key, asked.chosen), False

        def draw(done: Converted) -> str:
            return drawn(done, adapter, bool(done.made and known(asked.key, done.made.id)), asked.language)

        for changes in sections.follow(run, asked.language, self.notice, self.shown, draw):
            made = next((one.made for one in reversed(run.events) if one and one.made), None)
            if made and not offered and self.notice in changes:
                offered, changes = True, changes | self._offered(made.id, asked)
            yield changes

    def _offered(self, made: str, asked: Chosen) -> Changes:
        """The zip of what was made, while it is there; or why it cannot be written."""
        if not known(asked.key, made):
            return {self.download: gr.update(visible=False)}
        try:
            title = file_title(described(asked.key, made), asked.language)
            return {self.download: gr.update(value=download(asked.key, made, title, asked.language), visible=True)}
        except PlaygroundError as error:
            return {self.download: gr.update(visible=False), self.notice: alarm(error.message(asked.language))}


def drawn(done: Converted, adapter: Adapter | None, there: bool, language: str) -> str:
    """Everything that is known so far of the conversion of an adapter; whether what was made is still `there`."""
    if not done.made or not adapter:
        return ""
    made, method = done.made, adapter.record.method
    rank, parameters = number(language, done.rank), number(language, made.record.trainable_parameters)
    said = [text(language, "convert.said", rank=rank, parameters=parameters)]
    said += [text(language, "convert.made", name=made.name, size=size(language, made.record.bytes))] if there else []
    if done.apart:
        key = f"convert.neutral.{'differs' if done.apart.differs else 'noise'}"
        said.append(
            text(
                language,
                key,
                change=change(language, done.apart.change, needed(done.apart.change) if done.apart.differs else 2),
            )
        )
    titles = [text(language, f"convert.who.{who}", rank=rank) for who in WHO]
    panes = [{"id": "base"}, adapter.summary(), made.summary()]
    question = next(iter(adapter.record.questions), "")
    way = to_compare("convert.compare", adapter.record.base, question, panes, language) if there else ""
    return f'<p class="pp-outcome">{escape(" ".join(said))}</p>{way}' + measured(done.worth, titles, method, language)


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
            look = {"size": "sm", "elem_classes": "chip"}
            zipped = make(gr.DownloadButton, {"label": "train.download"}, visible=False, elem_id="convert-download", **look)
        notice, shown = html("", elem_id="convert-notice"), html("", elem_id="convert-shown")
    return Fold(as_rank, go, notice, shown, zipped)


def wire(fold: Fold, shared: Shared) -> dict[str, Any]:
    """What the button does. Gives the event that shows what was asked before."""
    asked, chosen = shared.controls(Asked, as_rank=fold.as_rank), shared.controls(Chosen)
    results = [fold.notice, fold.shown, fold.download]
    fold.go.click(asked.handler(fold.convert), asked.inputs, results, **STREAM)
    return {"fn": chosen.handler(fold.attach), "inputs": chosen.inputs, "outputs": results, **STREAM}
