"""
The soft-prompt view of the low-rank lab: what the virtual tokens of a prompt-tuning adapter became.

Which adapter, at which checkpoint, is chosen above; `Cards.draw` shows it, and says so for every other method.
Handlers turn the core's reports into HTML; runs and their places belong to the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.actions.adapters import examined
from playground.actions.lowrank import IMPORTANCE, LEFT_OUT, run_about, start_importance, start_without
from playground.adapt.variant import Variant
from playground.compare.job import Frame
from playground.errors import PlaygroundError
from playground.locales import number, text
from playground.ui.compare.lab import Answers
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.wording import html
from playground.ui.lowrank import softprompt_html as drawn
from playground.ui.lowrank.pieces import chip
from playground.ui.lowrank.shared import Chosen, Shared
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

METHOD = "prompt_tuning"
MOST_NAMED = 6  # virtual tokens that a pane's title names
ANSWERS = Answers(LEFT_OUT, "softprompt.answer", "lab.elsewhere.adapter")


@dataclass(frozen=True)
class Asked(Chosen):
    """The chosen adapter and what is left out of it."""

    base: str
    prompt: str
    left_out: list[int]  # virtual tokens, from 1


@dataclass(frozen=True)
class Cards:
    """The section; for an adapter that is no soft prompt a sentence is all of it."""

    column: gr.Column
    none: gr.HTML
    table: gr.HTML
    plane: gr.HTML
    plot: gr.Plot
    left_out: gr.Dropdown
    answer: gr.Button
    notice: gr.HTML
    panes: gr.HTML
    measured: gr.HTML
    bars: gr.HTML
    measure: gr.Button
    stop: gr.Button

    def draw(self, asked: Asked) -> Changes:
        """
        An adapter that was chosen. Of the virtual tokens left out (by the answers that are there, on a page that was opened
        again) those stay that this one has; answers and measurements of another adapter go.
        """
        library = SESSIONS.get(asked.key).library
        if not library.knows(asked.chosen) or library.get(asked.chosen).record.method != METHOD:
            return {self.column: gr.update(visible=False), self.none: sections.soft(asked.language, "softprompt.none")}
        from playground.lowrank import softprompt
        from playground.plots.lowrank.softprompt import projection_figure

        language = asked.language
        try:
            Variant.of(asked.base, library.get(asked.chosen))  # raises if it is another base's
            base, adapter = examined(asked.key, asked.chosen)
            found, points = softprompt.report(base, adapter), softprompt.projection(base, adapter)
        except PlaygroundError as error:
            told = {self.table: alarm(error.message(language)), self.plane: "", self.plot: None, self.none: ""}
            return {self.column: gr.update(visible=True)} | told
        choices = [(drawn.choice(token), token.position) for token in found.tokens]
        before = ANSWERS.asked(asked.key) if run_about(asked.key, LEFT_OUT, asked.chosen) else {}
        wanted = asked.left_out or before.get("left_out", [])
        kept = [position for position in wanted if position <= len(choices)]
        return {
            self.column: gr.update(visible=True),
            self.none: "",
            self.table: drawn.tokens(found, language),
            self.plane: drawn.plane(points, language),
            self.plot: projection_figure(points, language),
            self.left_out: gr.update(choices=choices, value=kept),
        } | self._latest(asked)

    def _latest(self, asked: Chosen) -> Changes:
        """What the runs about this adapter have shown so far."""
        language = asked.language
        answers, importance = (run_about(asked.key, place, asked.chosen) for place in (LEFT_OUT, IMPORTANCE))

        def answered(frame: Frame) -> str:
            return ANSWERS.html(frame.as_json(), ANSWERS.asked(asked.key), language)

        return {
            **latest(answers, language, self.notice, self.panes, answered),
            **latest(importance, language, self.measured, self.bars, lambda event: drawn.importance(event, language)),
            **self._buttons(importance),
        }

    def answers(self, asked: Asked) -> Iterator[Changes]:
        """The base, the whole prompt, and what is left of it answer the same question."""
        try:
            run = ask(asked)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from ANSWERS.follow(run, asked.key, asked.language, self.notice, self.panes)

    def measure_all(self, asked: Chosen) -> Iterator[Changes]:
        """Leave every virtual token out once, and watch."""
        try:
            run = start_importance(asked.key, asked.chosen, IMPORTANCE)
        except PlaygroundError as error:
            yield {self.measured: alarm(error.message(asked.language))}
            return
        yield from self._follow(run, asked.language)

    def attach(self, asked: Chosen) -> Iterator[Changes]:
        """When an adapter is chosen again that still answers or is measured: follow it."""
        yield unchanged(self.measured)  # a generator that yields nothing would empty its outputs
        answered, measured = (run_about(asked.key, place, asked.chosen) for place in (LEFT_OUT, IMPORTANCE))
        if answered and not answered.ended:
            yield from ANSWERS.follow(answered, asked.key, asked.language, self.notice, self.panes)
        if measured and not measured.ended:
            yield from self._follow(measured, asked.language)

    def _follow(self, run: Run, language: str) -> Iterator[Changes]:
        for changes in sections.follow(
            run, language, self.measured, self.bars, lambda event: drawn.importance(event, language)
        ):
            yield changes if run.replaced else changes | self._buttons(run)

    def _buttons(self, run: Run | None) -> Changes:
        """One of the two, by whether something is measured."""
        idle = run is None or run.ended
        return {self.measure: gr.update(visible=idle), self.stop: gr.update(visible=not idle)}


def ask(asked: Asked) -> Run:
    """Queue the base, the whole prompt, and what is left of it. Raises PlaygroundError."""

    def names(language: str) -> tuple[str, str]:
        return text(language, "softprompt.whole_name"), named(asked.left_out, language)

    decoding, titles = {"max_new_tokens": sections.ANSWER_TOKENS}, names(asked.language)
    run = start_without(asked.key, LEFT_OUT, asked.chosen, asked.left_out, asked.prompt, decoding, titles)
    ANSWERS.remember(asked.key, {"prompt": asked.prompt, "left_out": asked.left_out}, names)
    return run


def latest(run: Run | None, language: str, notice: Any, shown: Any, draw: Callable[[Any], str]) -> Changes:
    """Where a run stands and what it has shown so far; nothing without one."""
    if run is None or not run.events or run.events[-1] is None:
        return {notice: "", shown: ""}
    return {notice: sections.progress(run, language), shown: draw(run.events[-1])}


def named(positions: Sequence[int], language: str) -> str:
    """The title of a pane without those virtual tokens."""
    listed = ", ".join(number(language, position) for position in sorted(positions))
    if len(positions) == 1:
        return text(language, "softprompt.without_one", position=listed)
    if len(positions) <= MOST_NAMED:
        return text(language, "softprompt.without", positions=listed)
    return text(language, "softprompt.without_many", count=number(language, len(positions)))


def build(lab: Lab) -> tuple[Cards, Place]:
    """The section's layout."""
    wording, make = lab.wording, lab.wording.make

    def fold(title: str) -> gr.Accordion:
        return make(gr.Accordion, {"label": title}, open=False, elem_classes="pp-more")

    with lab.opened("softprompt") as place, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("softprompt.title", "softprompt.lead"))
        none = make(html, {"value": lambda lang: sections.soft(lang, "softprompt.none")}, elem_id="softprompt-none")
        with gr.Column(visible=False, elem_id="softprompt") as column:
            table = html("", elem_id="softprompt-tokens")
            with fold("softprompt.plane.title"):
                plane = html("", elem_id="softprompt-plane")
                plot = gr.Plot(show_label=False, container=False, elem_id="softprompt-plot")
            with fold("softprompt.less"):
                make(html, {"value": lambda lang: sections.soft(lang, "softprompt.less_lead")})
                with gr.Row(elem_classes="pp-leave-out"):
                    left_out = make(
                        gr.Dropdown, {"label": "softprompt.leave_out"}, choices=[], multiselect=True,
                        elem_id="softprompt-leave-out",
                    )  # fmt: skip
                    answer = chip(wording, "softprompt.answer", "softprompt-answer")
                notice = html("", elem_id="softprompt-notice")
                panes = html("", elem_id="softprompt-panes")
            with fold("softprompt.importance"):
                make(html, {"value": lambda lang: sections.soft(lang, "softprompt.importance_lead")})
                with gr.Row(elem_classes="pp-chips"):
                    measure = chip(wording, "softprompt.measure", "softprompt-measure")
                    stop = chip(wording, "compare.stop", "softprompt-stop", visible=False)
                measured = html("", elem_id="softprompt-importance-notice")
                bars = html("", elem_id="softprompt-importance")
    cards = Cards(column, none, table, plane, plot, left_out, answer, notice, panes, measured, bars, measure, stop)
    return cards, place


def wire(cards: Cards, shared: Shared) -> dict[str, Any]:
    """What the controls do. Gives the event that follows what runs about the chosen adapter."""
    asked, chosen = shared.controls(Asked, left_out=cards.left_out), shared.controls(Chosen)
    importance = [cards.measured, cards.bars, cards.measure, cards.stop]
    followed = [cards.notice, cards.panes, *importance]
    cards.answer.click(asked.handler(cards.answers), asked.inputs, [cards.notice, cards.panes], **STREAM)
    ANSWERS.wire(cards.panes, shared.base, {"prompt": shared.prompt, "left_out": cards.left_out})
    cards.measure.click(chosen.handler(cards.measure_all), chosen.inputs, importance, **STREAM)
    cards.stop.click(lambda key: SESSIONS.stop(key, IMPORTANCE), shared.key, None, **HIDDEN)
    shared.chosen.change(asked.handler(cards.draw), asked.inputs, list(vars(cards).values()), **HIDDEN)
    return {"fn": chosen.handler(cards.attach), "inputs": chosen.inputs, "outputs": followed, **STREAM}
