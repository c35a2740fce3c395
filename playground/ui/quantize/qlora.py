"""
QLoRA beside LoRA: one recipe trained on both bases, what each holds in memory, what they answer, and what merging costs.

A training belongs to a place of the session, so that a page that is opened later finds it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.quantize import PAIR, PAIR_ANSWERS, ready_made, start_pair, start_rivals
from playground.adapt import tasks
from playground.adapt.methods import METHODS
from playground.bounds import RATES
from playground.errors import PlaygroundError
from playground.locales import text, written
from playground.model.catalogue import split_id
from playground.ui.compare.lab import Answers
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import ANSWER_TOKENS, Section
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import merging, qlora_html
from playground.ui.quantize.merging import Merge
from playground.ui.quantize.pieces import card
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.quantize.qlora import Pair, PairJob


ANSWERS = Answers(PAIR_ANSWERS, "qlora.ask", "lab.elsewhere.forms")
DEFAULT_TASK, STEPS, MOST_STEPS = "pirate", 10, 40


@dataclass(frozen=True)
class Asked(merging.Asked):
    """The recipe of both trainings, a question, and the adapter to merge."""

    task: str
    rank: int
    rate: float
    steps: int
    seed: int
    double: bool
    prompt: str


@dataclass(frozen=True)
class Trainings:
    """The components that change, and the handlers that change them."""

    estimate: gr.HTML
    status: gr.HTML
    curves: gr.HTML
    memory: gr.HTML
    go: gr.Button
    cancel: gr.Button
    prompt: gr.Textbox
    notice: gr.HTML
    panes: gr.HTML
    merge: Merge

    @property
    def trained(self) -> list[Any]:
        """What a training changes."""
        return [self.status, self.curves, self.memory, self.go, self.cancel, self.merge.adapter]

    def draw(self, asked: Asked) -> Changes:
        """What the session has here; an empty room with its estimate if that is nothing."""
        run = SESSIONS.get(asked.key).runs.get(PAIR)
        drawn = self._drawn(run, asked) if run else self._empty(asked) | self.merge.offer(asked)
        return self.reckon(asked) | drawn | self.merge.draw(asked)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still trains or answers, or does so again after a reload."""
        runs = SESSIONS.get(asked.key).runs
        training, answering = runs.get(PAIR), runs.get(PAIR_ANSWERS)
        yield unchanged(self.status)
        if answering and not answering.replaced:
            yield from ANSWERS.follow(answering, asked.key, asked.language, self.notice, self.panes)
        if training:
            yield from self._follow(training, asked)

    def train(self, asked: Asked) -> Iterator[Changes]:
        """Queue both trainings and show them."""
        values = {"rank": asked.rank, "learning_rate": asked.rate, "double_quantization": asked.double}
        try:
            run = start_pair(asked.key, asked.base, asked.task, values, asked.steps, asked.seed)
        except PlaygroundError as error:
            yield {self.status: alarm(error.message(asked.language))}
            return
        ANSWERS.forget(asked.key)  # they were the former pair's
        yield {self.notice: "", self.panes: ""}
        yield from self._follow(run, asked)

    def stop(self, asked: Asked) -> None:
        SESSIONS.stop(asked.key, PAIR)

    def _follow(self, run: Run, asked: Asked) -> Iterator[Changes]:
        for _ in run.changes():
            yield self._drawn(run, asked)

    def _drawn(self, run: Run, asked: Asked) -> Changes:
        """A pair of trainings as far as it is; before its first event what was shown without one."""
        pair: Pair | None = run.events[-1] if run.events else None
        status = qlora_html.status(run, pair, asked.language)
        shown = self._of(pair, run.job, asked.language) if pair else self._empty(asked)
        buttons = {self.go: gr.update(interactive=run.ended), self.cancel: gr.update(visible=not run.ended)}
        return (
            shown | {self.status: status} | buttons | (self.merge.offer(replace(asked, adapter=None)) if run.ended else {})
        )

    def _of(self, pair: Pair, job: PairJob, language: str) -> Changes:
        """A pair with the recipe that it was trained by."""
        by, said = made_from(job), marks.changed(language, "qlora.go")
        return {
            self.curves: marks.marked(qlora_html.curves(pair, language), by, said),
            self.memory: marks.marked(qlora_html.memory(pair, language), by),
        }

    def _empty(self, asked: Asked) -> Changes:
        """Nothing trained in this session: the ready-made pair, if it is of this base."""
        pair, language = ready_made(asked.base), asked.language
        curves = qlora_html.ready(pair, language) if pair else qlora_html.nothing(STEPS, language)
        return {self.status: "", self.curves: curves, self.memory: ""}

    def choose_base(self, asked: Asked) -> Changes:
        """Another base: the ready-made pair, if it is its own, until one was trained; how long; what can be merged."""
        shown = {} if PAIR in SESSIONS.get(asked.key).runs else self._empty(asked)
        return shown | self.reckon(asked) | self.merge.offer(asked)

    def choose_task(self, asked: Asked) -> Changes:
        """Another task: its question, and how long it will take."""
        return {self.prompt: _question(asked.task)} | self.reckon(asked)

    def reckon(self, asked: Asked) -> Changes:
        """How long both will take, going by a pair on this base; nothing without one."""
        run, ready = SESSIONS.get(asked.key).runs.get(PAIR), ready_made(asked.base)
        known = run is not None and run.events and run.job.base == split_id(asked.base)[0].id
        pair = run.events[-1] if run and known else None
        return {self.estimate: qlora_html.estimate(pair, asked.steps, asked.language) if pair or ready else ""}

    def answer(self, asked: Asked) -> Iterator[Changes]:
        """The base, both adapters and QLoRA's merged; before anything is trained, the adapter to merge."""
        try:
            decoding, names = {"max_new_tokens": ANSWER_TOKENS}, titles(asked.language)
            run = start_rivals(asked.key, asked.base, asked.adapter or "", asked.prompt, decoding, names)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        chosen = {"adapter": asked.adapter} if split_id(run.job)[1] else {}  # no pair is there: it answers instead
        ANSWERS.remember(asked.key, {"prompt": asked.prompt, **chosen}, lambda language: titles(language).values())
        yield from ANSWERS.follow(run, asked.key, asked.language, self.notice, self.panes)


def made_from(job: PairJob) -> dict[str, Any]:
    """The recipe of a pair, by the names of its controls."""
    values = METHODS["qlora"].complete(job.hyperparameters)
    rank, rate, double = (values[name] for name in ("rank", "learning_rate", "double_quantization"))
    recipe = {"task": job.task.id, "rank": rank, "rate": rate, "steps": job.steps, "seed": job.seed, "double": double}
    return {marks.BASE: job.base, **recipe}


def titles(language: str) -> dict[str, str]:
    """What the panes are called."""
    methods = {one: text(language, f"methods.{one}.name") for one in ("lora", "qlora")}
    return methods | {one: text(language, f"qlora.pane.{one}") for one in ("merged", "on_nf4", "adapter_merged")}


def _question(task_id: str) -> str:
    return tasks.task(task_id).held_out[0].prompt


# Layout


def build(lab: Lab) -> None:
    """The three sections and their events: both trainings, what they answer, and what merging costs."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("qlora") as first, card(wording, "qlora.title", "qlora.lead"), gr.Row(elem_classes="pp-lab"):
        with gr.Column(min_width=0):
            recipe = _recipe(wording)
            estimate = html("", elem_id="qlora-estimate")
            go = make(gr.Button, {"value": "qlora.go"}, variant="primary", elem_id="qlora-go", elem_classes="pp-go")
            stop = make(gr.Button, {"value": "qlora.stop"}, visible=False, elem_id="qlora-stop", elem_classes="pp-go")
        with gr.Column(min_width=0):
            results = {name: html("", elem_id=f"qlora-{name}") for name in ("status", "curves", "memory")}
    with lab.opened("rivals") as second, card(wording, "qlora.answers", "qlora.answers.lead"):
        prompt, ask = _question_row(wording)
        notice, panes = html("", elem_id="qlora-notice"), html("", elem_id="qlora-panes")
    with lab.opened("merging") as third:
        merge, weigh = merging.build(wording)
    made = {"base": lab.base, **recipe, "prompt": prompt, "adapter": merge.adapter}
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, **made})
    trainings = Trainings(
        **results, estimate=estimate, go=go, cancel=stop, prompt=prompt, notice=notice, panes=panes, merge=merge
    )
    _wire(controls, trainings, ask)
    weighing = weigh.click(controls.handler(merge.weigh), controls.inputs, [merge.notice, merge.cost], **STREAM)
    ANSWERS.wire(panes, lab.base, {"prompt": prompt, "adapter": merge.adapter})
    merge.adapter.change(None, cancels=weighing)  # before what clears, or an event under way would come after it
    merge.adapter.change(controls.handler(merge.clear), controls.inputs, [merge.notice, merge.cost], **HIDDEN)
    marks.wire([trainings.curves, trainings.memory], lab.base, recipe)
    bases = [trainings.status, trainings.curves, trainings.memory, estimate, merge.adapter]
    lab.base.change(controls.handler(trainings.choose_base), controls.inputs, bases, **HIDDEN)
    shown = [estimate, *trainings.trained, notice, panes, merge.cost]
    lab.draw(Section(controls, shown, trainings.draw, trainings.attach, offered=[merge.adapter]), first, second, third)


def _question_row(wording: Wording) -> tuple[gr.Textbox, gr.Button]:
    with gr.Row(elem_classes="pp-ask"):
        prompt = wording.make(
            gr.Textbox, {"label": "qlora.prompt"}, value=_question(DEFAULT_TASK), show_label=False, container=False,
            lines=1, max_lines=4, elem_id="qlora-prompt",
        )  # fmt: skip
        ask = wording.make(gr.Button, {"value": "qlora.ask"}, variant="primary", elem_id="qlora-ask", elem_classes="pp-go")
    wording.make(html, {"value": english})
    return prompt, ask


def _wire(controls: Controls[Asked], shown: Trainings, ask: gr.Button) -> None:
    given, made = controls.inputs, controls.components
    late: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    trained = [*shown.trained, shown.notice, shown.panes]
    shown.go.click(controls.handler(shown.train), given, trained, **STREAM)
    shown.cancel.click(controls.handler(shown.stop), given, None, **HIDDEN)
    made["steps"].change(controls.handler(shown.reckon), given, shown.estimate, **late)
    made["task"].input(controls.handler(shown.choose_task), given, [shown.prompt, shown.estimate], **late)
    asked = [ask.click, shown.prompt.submit]
    gr.on(asked, controls.handler(shown.answer), given, [shown.notice, shown.panes], **STREAM)


def _recipe(wording: Wording) -> dict[str, Any]:
    """What both methods share, and double quantization."""

    def known(language: str) -> list[tuple[str, str]]:
        return [(text(language, f"tasks.{one}.title"), one) for one in tasks.TASK_IDS]

    make = wording.make
    parameters = {one.name: one for one in METHODS["qlora"].hyperparameters}
    rank, rate = parameters["rank"], parameters["learning_rate"]
    rates = [one for one in RATES if rate.minimum <= one <= rate.maximum]  # type: ignore[operator]

    def shown_rates(language: str) -> list[tuple[str, float]]:
        return [(written(language, one), one) for one in rates]

    return {
        "task": make(
            gr.Dropdown, {"label": "train.task", "choices": known}, value=DEFAULT_TASK, filterable=False,
            elem_id="qlora-task",
        ),
        "rank": make(
            gr.Slider, {"label": "hyperparameters.rank"}, minimum=rank.minimum, maximum=rank.maximum, step=1,
            value=rank.default, elem_id="qlora-rank",
        ),
        "rate": make(
            gr.Dropdown, {"label": "hyperparameters.learning_rate", "choices": shown_rates}, value=rate.default,
            filterable=False, elem_id="qlora-rate",
        ),
        "steps": make(
            gr.Slider, {"label": "train.steps"}, minimum=1, maximum=MOST_STEPS, step=1, value=STEPS, elem_id="qlora-steps"
        ),
        "seed": make(gr.Slider, {"label": "train.seed"}, minimum=0, maximum=100, step=1, value=0, elem_id="qlora-seed"),
        "double": make(
            gr.Checkbox,
            {"label": "hyperparameters.double_quantization", "info": "hyperparameters.double_quantization.help"},
            value=True, elem_id="qlora-double",
        ),
    }  # fmt: skip
