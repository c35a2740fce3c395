"""
The Train tab: what to train and its cost on the left; loss, samples and what to do next on the right.

What is shown while training comes from the run's events, so a page that is opened later shows the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.actions.adapters import described
from playground.actions.export import download, download_examples
from playground.actions.lanes import TRAIN
from playground.actions.own import task_of
from playground.actions.train import (
    ENDED,
    session_view,
    start_training,
    stop_training,
)
from playground.adapt.adapters import STEP_MARK
from playground.adapt.methods import DOWNLOADABLE
from playground.adapt.tasks import OWN
from playground.errors import PlaygroundError, disk_is_full
from playground.plots.loss import loss_curve
from playground.ui.compare.panes import file_title
from playground.ui.kit.controls import Changes, Controls, checkpoints, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, lead, touches
from playground.ui.kit.sections import watch
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import form, home, layout, leaderboard, link, pickers, race, runs, scores, status
from playground.ui.train.form import METHOD, Order, Recipe
from playground.ui.train.home import Home
from playground.ui.train.pickers import Pickers
from playground.ui.train.race import Race
from playground.ui.train.runs import Runs
from playground.ui.train.scores import Scores
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS


@dataclass(frozen=True)
class Result(Visit):
    """The adapter that is looked at, "" before there is one."""

    adapter: str

    @property
    def whole(self) -> str:
        """The adapter itself, whichever checkpoint of it is looked at."""
        return self.adapter.partition(STEP_MARK)[0]


@dataclass(frozen=True)
class Moment(Visit):
    """Where the scrubber stands."""

    step: int | None


@dataclass(frozen=True)
class TrainTab:
    """The tab's components, and what happens to them."""

    picked: Pickers
    visit: Controls[Visit]
    result: Controls[Result]
    moment: Controls[Moment]
    count: gr.HTML
    go: gr.Button
    refused: gr.HTML  # beside the button: why nothing was started
    stop: gr.Button
    status: gr.HTML
    loss: gr.HTML
    samples: gr.HTML
    scrubber: gr.Radio
    after: gr.Row
    adapter: gr.State
    compare: gr.Button
    download: gr.DownloadButton
    examples: gr.DownloadButton
    python: gr.Button
    home: Home
    scores: Scores
    race: Race
    runs: Runs

    @property
    def shown(self) -> list[Any]:
        """What a training changes."""
        return [
            self.status, self.loss, self.samples, self.scrubber, self.after, self.adapter, self.go, self.stop, self.download,
            self.examples, self.refused,
        ]  # fmt: skip

    @property
    def packed(self) -> list[Any]:
        """What `pack` changes."""
        return [self.download, self.examples, self.refused]

    def wait(self, recipe: Recipe) -> Changes:
        """Before anything was asked for: what the chosen method will show here."""
        if TRAIN in SESSIONS.get(recipe.key).runs:
            return unchanged(self.status)
        idle, language = {**layout.IDLE, "method": recipe.method}, recipe.language
        return {
            self.status: status.training_status(idle, language),
            self.loss: loss_curve(idle, language),
            self.samples: status.samples(idle, language),
        }

    def tell_cost(self, recipe: Recipe) -> Changes:
        """What the button will do, and what that takes."""
        verb = locales.text(recipe.language, "prepare.go" if recipe.method == status.PREPARES else "train.go")
        return {
            self.count: status.cost(recipe.base, recipe.method, recipe.settings, recipe.language),
            self.go: gr.update(value=verb),
        }

    def start(self, order: Order) -> Iterator[Changes]:
        """Queue a training and show it; a wrong input becomes a sentence beside the button, which was pressed there."""
        try:
            task = task_of(order.own, order.base) if order.task == OWN else order.task
            run = start_training(
                order.key, order.base, order.method, task, order.settings, steps=order.steps, seed=order.seed, scored=True
            )
        except PlaygroundError as error:
            yield {self.refused: alarm(error.message(order.language))}
            return
        form.keep_started(order)
        yield from self.follow(run, order)

    def follow(self, run: Run, visit: Visit) -> Iterator[Changes]:
        """Show a training from wherever it is until it has ended."""
        key, language = visit.key, visit.language
        yield from watch(run, self.status, lambda run: self.drawn(session_view(key, run, language), language))

    def attach(self, visit: Visit) -> Iterator[Changes]:
        """After a reload: show the session's latest training again, and follow it if it still runs."""
        run = SESSIONS.get(visit.key).runs.get(TRAIN)
        yield unchanged(self.status)  # a generator that yields nothing would empty what it may change
        if run:
            yield from self.follow(run, visit)

    def halt(self, visit: Visit) -> None:
        """A training ends at its next step, and whoever follows it shows that."""
        stop_training(visit.key)

    def drawn(self, view: Mapping[str, Any], language: str) -> Changes:
        """Everything that a view of a training says; what can be done with its adapter once there is one."""
        adapter: Any = view.get("adapter")
        ended, steps = view["state"] in ENDED, view.get("checkpoints", []) if adapter else []
        packable = bool(adapter) and adapter["method"] in DOWNLOADABLE
        return {
            self.status: status.training_status(view, language),
            self.loss: status.run_title(view, language) + loss_curve(view, language, whole=ended),
            self.samples: status.samples(view, language),
            self.scrubber: checkpoints(steps, adapter["steps"] if adapter else 0, language),
            self.after: gr.update(visible=adapter is not None),
            self.adapter: adapter["id"] if adapter else "",
            self.go: gr.update(interactive=ended),
            self.refused: "",
            self.stop: gr.update(visible=not ended),
            self.download: gr.skip() if packable else gr.update(visible=False),  # `pack` shows it with its file
            self.examples: gr.update(visible=bool(adapter) and adapter["task"] == OWN),
        }

    def scrub(self, moment: Moment) -> Changes:
        """The samples at a checkpoint, and that checkpoint as the adapter to compare or download."""
        view = session_view(moment.key, SESSIONS.get(moment.key).runs.get(TRAIN), moment.language)
        adapter, step = view.get("adapter"), moment.step
        if not adapter or step not in view.get("checkpoints", []):
            return unchanged(self.samples)
        chosen = adapter["id"] if step == adapter["steps"] else f"{adapter['id']}{STEP_MARK}{step}"
        return {self.samples: status.samples(view, moment.language, step=step), self.adapter: chosen}

    def pack(self, result: Result) -> Changes:
        """
        The files behind the download buttons, packed when the adapter appears: a zip under the name that the page has for
        it, and the visitor's own examples, which its Python reads.
        """
        changes = unchanged(self.download)
        try:
            changes = {self.examples: download_examples(result.key, result.adapter)}
            title = file_title(described(result.key, result.adapter), result.language)
            path = download(result.key, result.adapter, title, result.language)
            return changes | {self.download: gr.update(value=path, visible=True)}
        except PlaygroundError as error:
            if not disk_is_full(error):  # none yet, or one that PEFT has no format for: the button is not shown
                return changes
            gone = dict.fromkeys([self.download, self.examples], gr.update(value=None, visible=False))
            return gone | {self.refused: alarm(error.message(result.language))}


def build(wording: Wording, visit: Controls[Visit]) -> TrainTab:
    """The tab's layout and its events."""
    make = wording.make
    make(html, {"value": lambda lang: lead(lang, "train.lead")})
    with gr.Row(elem_classes="pp-train"):
        with gr.Column(elem_classes="pp-left", min_width=0):
            picked = pickers.build(wording, visit)
            with gr.Column(elem_classes="pp-card"):
                count = make(
                    html,
                    {"value": lambda lang: status.cost(settings.DEFAULT_BASE, METHOD, {}, lang)},
                    elem_id="count",
                    js_on_load=status.STALE,
                )
            go = make(gr.Button, {"value": "train.go"}, variant="primary", elem_id="train", elem_classes="pp-go")
            refused = html("", elem_id="train-refused")
            link.build(wording, picked)
        with gr.Column(min_width=0):
            adapter = gr.State("")
            seen = layout.progress(wording) | {"scores": scores.build(wording, visit, adapter)} | layout.results(wording)
    raced, done = race.build(wording, visit, picked.order), runs.build(wording, visit)
    leaderboard.build(wording, visit, picked.fields["task"], adapter, [raced.begun, *seen["scores"].told])
    tab = TrainTab(
        visit=visit,
        result=Controls(Result, {**visit.components, "adapter": adapter}),
        moment=Controls(Moment, {**visit.components, "step": seen["scrubber"]}),
        picked=picked, count=count, go=go, refused=refused, adapter=adapter, race=raced, runs=done, **seen,
    )  # fmt: skip
    _wire(tab)
    return tab


def _wire(tab: TrainTab) -> None:
    visit, result, moment, recipe, order = tab.visit, tab.result, tab.moment, tab.picked.recipe, tab.picked.order
    gr.on(
        [one.change for name, one in recipe.components.items() if name not in ("key", "language")],  # these cost nothing
        recipe.handler(tab.tell_cost), recipe.inputs, [tab.count, tab.go], trigger_mode="always_last", **HIDDEN,
    )  # fmt: skip
    recipe.components["method"].change(
        recipe.handler(tab.wait), recipe.inputs, [tab.status, tab.loss, tab.samples], **HIDDEN
    )
    trained = tab.go.click(order.handler(tab.start), order.inputs, tab.shown, **STREAM)
    for event in (trained, *tab.scores.told, tab.race.begun):
        event.then(visit.handler(tab.runs.show), visit.inputs, tab.runs.shown, **HIDDEN)
    for event in tab.scores.told:  # the README in the zip says what was measured
        event.then(result.handler(tab.pack), result.inputs, tab.packed, **HIDDEN)
    touched = [*touches(tab.picked.fields.values()), order.components["base"].change, tab.picked.task_info.select]
    gr.on(touched, None, None, tab.refused, js="() => ''", **HIDDEN)
    tab.stop.click(visit.handler(tab.halt), visit.inputs, None, **HIDDEN)
    tab.scrubber.input(  # by the queue: otherwise gradio tells nobody that the adapter is another one
        moment.handler(tab.scrub), moment.inputs, [tab.samples, tab.adapter], trigger_mode="always_last", **STREAM
    )
    tab.adapter.change(result.handler(tab.pack), result.inputs, tab.packed, **HIDDEN)
    home.wire(tab.home, tab.home.controls(visit.components, tab.adapter), tab.python, tab.adapter)
