"""
The race below the training: who takes part, one button, and what all of them make of the task that is set above.

What is shown comes from the racers' events, so a page that is opened later shows the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.actions.own import task_of
from playground.actions.race import LEAST, MOST, TRAINED, USUAL, Racer, changes, race_of, race_view, start_race, stop_race
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN
from playground.errors import PlaygroundError
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.sections import soft
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import race_html
from playground.ui.train.form import Order
from playground.work.jobs import Run

# A racer's button: whoever listens to `select` gets its adapter
CHOOSE = """
element.addEventListener("click", event => {
  const adapter = event.target.closest("[data-adapter]")?.dataset.adapter;
  if (adapter) trigger("select", { adapter });
});
"""


@dataclass(frozen=True)
class Entry(Order):
    """The form above, for its task, steps and seed, and who takes part: methods, or JSON of a method with its settings."""

    racers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Race:
    """The components, and what happens to them."""

    visit: Controls[Visit]
    entry: Controls[Entry]
    panel: gr.Accordion
    racers: gr.Dropdown
    add: gr.Button
    go: gr.Button
    stop: gr.Button
    refused: gr.HTML
    status: gr.HTML
    result: gr.HTML
    begun: Any = None  # the event after which there are new adapters

    @property
    def shown(self) -> list[Any]:
        """What a race changes."""
        return [self.panel, self.racers, self.go, self.stop, self.refused, self.status, self.result]

    def start(self, entry: Entry) -> Iterator[Changes]:
        """Queue a training for each racer and show them; a wrong input becomes a sentence beside the button."""
        try:
            task = task_of(entry.own, entry.base) if entry.task == OWN else entry.task
            racers = [_racer(one) for one in entry.racers]
            runs = start_race(entry.key, entry.base, task, racers, steps=entry.steps, seed=entry.seed)
        except PlaygroundError as error:
            yield {self.refused: alarm(error.message(entry.language))}
            return
        yield from self.follow(runs, entry)

    def follow(self, runs: list[Run], visit: Visit) -> Iterator[Changes]:
        """Show a race from wherever it is until the last racer has ended or a newer race has begun."""
        yield from follow(runs, visit.key, self.status, lambda: self.drawn(runs, visit))

    def attach(self, visit: Visit) -> Iterator[Changes]:
        """After a reload: the session's latest race again, with its racers, followed if it still runs."""
        runs = race_of(visit.key)
        yield unchanged(self.status)
        if runs:
            chosen = [_id(run.job.method, run.job.hyperparameters) for run in runs]
            yield {self.panel: gr.update(open=True), self.racers: choices(chosen, visit.language)}
            yield from self.follow(runs, visit)

    def again(self, visit: Visit) -> Iterator[Changes]:
        """An adapter has another name, or is gone: the race that is shown follows; who shall race next stays as picked."""
        yield unchanged(self.status)
        yield from self.follow(race_of(visit.key), visit)

    def halt(self, visit: Visit) -> None:
        stop_race(visit.key)

    def enter(self, entry: Entry) -> Changes:
        """The method and settings above take part, too."""
        try:
            if not METHODS[entry.method].steps:
                raise PlaygroundError("race_untrained", method=entry.method, known=", ".join(TRAINED))
            added = _id(entry.method, METHODS[entry.method].complete(entry.settings))
            if added in entry.racers:
                raise PlaygroundError("race_twice", method=entry.method)
            if len(entry.racers) >= MOST:
                raise PlaygroundError("race_count", found=len(entry.racers) + 1, minimum=LEAST, maximum=MOST)
        except PlaygroundError as error:
            return {self.refused: alarm(error.message(entry.language))}
        return {self.racers: choices([*entry.racers, added], entry.language), self.refused: ""}

    def drawn(self, runs: list[Run], visit: Visit) -> Changes:
        """Everything that a view of a race says."""
        view = race_view(visit.key, runs, visit.language)
        return {
            self.status: race_html.status(view, visit.language),
            self.result: race_html.drawn(view, visit.language),
            self.go: gr.update(interactive=view["ended"]),
            self.stop: gr.update(visible=not view["ended"]),
            self.refused: "",
        }


def follow(runs: list[Run], key: str, notice: Any, draw: Callable[[], Changes]) -> Iterator[Changes]:
    """What `draw` makes of a race whenever that changes; once a newer race has begun, whoever shows it says the rest."""
    before: Changes = {}
    for _ in changes(runs):
        if race_of(key) != runs:
            yield unchanged(notice)
            return
        now = draw()
        if now != before:
            yield now
            before = now


def _id(method_id: str, values: dict[str, Any]) -> str:
    """A racer as a choice: its method, with what differs from the defaults."""
    usual = METHODS[method_id].complete({})
    other = {name: value for name, value in values.items() if value != usual[name]}
    return json.dumps({"method": method_id, "hyperparameters": other}, ensure_ascii=False) if other else method_id


def _racer(chosen: str) -> Racer:
    """The racer of a choice."""
    return Racer.of(json.loads(chosen) if chosen.startswith("{") else chosen)


def choices(chosen: list[str], language: str) -> dict[str, Any]:
    """The dropdown with every method and whatever else is chosen."""
    return gr.update(choices=named([*TRAINED, *(one for one in chosen if one not in TRAINED)], language), value=chosen)


def named(racers: list[str], language: str) -> list[tuple[str, str]]:
    """Racers by their titles."""
    entered = {one: _racer(one) for one in racers}
    return [(race_html.named(one.method, one.hyperparameters, language), chosen) for chosen, one in entered.items()]


def build(wording: Wording, visit: Controls[Visit], order: Controls[Order]) -> Race:
    """One closed line, with everything behind it, and its events."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"), make(gr.Accordion, {"label": "race.title"}, open=False, elem_id="race") as panel:
        make(html, {"value": lambda lang: soft(lang, "race.lead")})
        racers = make(
            gr.Dropdown,
            {"label": "race.racers", "info": "race.racers.help", "choices": lambda lang: named([*TRAINED], lang)},
            value=[*USUAL], multiselect=True, max_choices=MOST, elem_id="racers",
        )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "race.go"}, variant="primary", elem_id="race-go", elem_classes="pp-go")
            stop = make(
                gr.Button, {"value": "race.stop"}, size="sm", elem_classes="chip", visible=False, elem_id="race-stop"
            )
            add = make(gr.Button, {"value": "race.add"}, size="sm", elem_classes="chip", elem_id="race-add")
        refused, status = html("", elem_id="race-refused"), html("", elem_id="race-status")
        result = html("", elem_id="race-result", js_on_load=CHOOSE)
    entry = Controls(Entry.of, {**order.components, "racers": racers})
    race = Race(
        visit=visit, entry=entry, panel=panel, racers=racers, add=add, go=go, stop=stop, refused=refused, status=status,
        result=result,
    )  # fmt: skip
    race.add.click(entry.handler(race.enter), entry.inputs, [racers, refused], **HIDDEN)
    race.stop.click(visit.handler(race.halt), visit.inputs, None, **HIDDEN)
    begun = race.go.click(entry.handler(race.start), entry.inputs, race.shown, **STREAM)
    return replace(race, begun=begun)
