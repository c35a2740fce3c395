"""
What a new adapter is worth, once it is there: its held-out loss and its score beside those of the base and few-shot, and
the answers behind them. It is scored after the training has ended, so nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.actions.scores import AFTER, score_adapter, score_view, scoring_of, stop_scoring
from playground.adapt.adapters import STEP_MARK
from playground.errors import PlaygroundError
from playground.ui.compare.scores_html import drawn
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.html import heading
from playground.ui.kit.sections import soft
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import elsewhere
from playground.work.jobs import Run


@dataclass(frozen=True)
class Learned(Visit):
    """The adapter that is looked at, "" before there is one."""

    adapter: str


@dataclass(frozen=True)
class Scores:
    """The components, and what happens to them. `told`: the events after which there are new numbers."""

    visit: Controls[Visit]
    learned: Controls[Learned]
    card: gr.Column
    result: gr.HTML
    go: gr.Button
    stop: gr.Button
    told: tuple[Any, ...] = ()

    @property
    def shown(self) -> list[Any]:
        return [self.card, self.result, self.go, self.stop]

    def show(self, learned: Learned) -> Iterator[Changes]:
        """The scoring of an adapter, or that it was not scored; nothing where there is no adapter."""
        adapter, _, _ = learned.adapter.partition(STEP_MARK)
        run = scoring_of(learned.key, AFTER)
        if not adapter:
            yield {self.card: gr.update(visible=False)}
        elif run and adapter in run.job.ids:
            yield from self.follow(run, learned)
        else:
            yield {self.result: soft(learned.language, "score.none"), **self._buttons(running=False, offered=True)}

    def start(self, learned: Learned) -> Iterator[Changes]:
        """Score the adapter now."""
        try:
            run = score_adapter(learned.key, learned.adapter.partition(STEP_MARK)[0])
        except PlaygroundError as error:
            yield {self.result: alarm(error.message(learned.language))}
            return
        yield from self.follow(run, learned)

    def follow(self, run: Run, visit: Visit) -> Iterator[Changes]:
        """Show a scoring until it has ended or is no more that of the latest training."""
        for _ in run.changes():
            if scoring_of(visit.key, AFTER) is not run:
                return
            view = score_view(visit.key, run, visit.language)
            offered = run.state in ("stopped", "failed")
            yield {self.result: drawn(view, visit.language), **self._buttons(running=not run.ended, offered=offered)}

    def halt(self, visit: Visit) -> None:
        stop_scoring(visit.key, AFTER)

    def _buttons(self, running: bool, offered: bool) -> Changes:
        return {
            self.card: gr.update(visible=True),
            self.go: gr.update(visible=offered),
            self.stop: gr.update(visible=running),
        }


def build(wording: Wording, visit: Controls[Visit], adapter: gr.State) -> Scores:
    """The card, hidden until there is an adapter, and its events."""
    make, chip = wording.make, {"size": "sm", "elem_classes": "chip", "visible": False}
    with gr.Column(elem_classes="pp-card", visible=False, elem_id="score") as card:
        with gr.Row(elem_classes="pp-card-head"):
            make(html, {"value": lambda lang: heading(lang, "score.title")}, elem_classes="pp-grow")
            stop = make(gr.Button, {"value": "score.stop"}, elem_id="score-stop", **chip)
            go = make(gr.Button, {"value": "score.go"}, elem_id="score-go", **chip)
        result = html("", elem_id="score-result")
        elsewhere.build(wording, visit, adapter)
    learned = Controls(Learned, {**visit.components, "adapter": adapter})
    scores = Scores(visit=visit, learned=learned, card=card, result=result, go=go, stop=stop)
    show, inputs = learned.handler(scores.show), learned.inputs
    told = (
        adapter.change(show, inputs, scores.shown, trigger_mode="multiple", **STREAM),
        go.click(learned.handler(scores.start), inputs, scores.shown, **STREAM),
    )
    stop.click(visit.handler(scores.halt), visit.inputs, None, **HIDDEN)
    return replace(scores, told=told)
