"""
Where should A and B begin? A's directions against W's before anything is trained, and the first steps of a race.

The race opens as it was recorded; a press of the button runs it here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions import initialization as actions
from playground.actions.catalogue import have
from playground.errors import PlaygroundError
from playground.locales import machine
from playground.lowrank.initialization import RATES, recorded
from playground.model.modules import kind_of, layer_of
from playground.ui.kit import marks, sections
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.methods import start_name
from playground.ui.kit.sections import Section, progress
from playground.ui.kit.wording import html
from playground.ui.lowrank import initialization_html as drawn
from playground.ui.lowrank.pieces import chip
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.lowrank.initialization import Map, Race

FIRST = "pissa"  # whose map is shown first


@dataclass(frozen=True)
class Asked:
    """What the controls say."""

    key: str
    language: str
    base: str
    module: str | None
    initialization: str
    rate: float


@dataclass(frozen=True)
class Cards:
    """The components that change, and the handlers that change them."""

    module: gr.Dropdown
    said: gr.HTML
    map: gr.Plot
    notice: gr.HTML
    race: gr.HTML
    halt: gr.Button  # there while the race goes on

    def draw(self, asked: Asked) -> Changes:
        """What can be chosen, and the race; the map comes after it."""
        return {self.module: _offered(asked), **self.draw_race(asked)}

    def draw_race(self, asked: Asked) -> Changes:
        """As it was recorded, or as it is."""
        seen = latest(asked)
        return {self.notice: told(seen, asked.language), self.race: raced(seen, asked.language), **self._stoppable(asked)}

    def look(self, asked: Asked) -> Iterator[Changes]:
        """Let the chosen module begin, and hold its A against W."""
        language = asked.language
        try:
            have(asked.base)
            asked = replace(asked, module=_module(asked))
            waits = {self.said: note(language, "lab.waiting"), self.map: gr.update(visible=False)}  # it is another start's
            yield {self.module: _offered(asked), **waits}
            run = actions.start_map(asked.key, actions.Asked(asked.base, asked.module or "", asked.initialization))
            for _ in run.changes():
                if run.error:
                    raise run.error
                if run.events and run.events[-1] and not run.replaced:
                    yield self._mapped(run.events[-1], language)
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(language)), self.map: gr.update(visible=False)}

    def _mapped(self, found: Map, language: str) -> Changes:
        from playground.plots.lowrank.adapter import overlap

        figures = {"own": found.own, "chance": found.chance}
        said = {name: locales.significant(language, value) for name, value in figures.items()}
        line = sections.soft(language, "initialization.map.said", rank=locales.number(language, found.rank), **said)
        figure = overlap(found.values.numpy(), ("A", "W"), language)
        return {self.said: line, self.map: gr.update(value=figure, visible=True)}

    def clear(self) -> Changes:
        """Another base: its modules are others."""
        return {self.module: gr.update(choices=[], value=None), self.said: "", self.map: gr.update(visible=False)}

    def go(self, asked: Asked) -> Iterator[Changes]:
        """Run the race here."""
        try:
            run = actions.start_race(asked.key, asked.base, asked.rate)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self._watch(run, asked)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """The map, and a race that still runs."""
        yield from self.look(asked)
        run = actions.race_of(asked.key, asked.rate)
        if run:
            yield from self._watch(run, asked)

    def stop(self, asked: Asked) -> None:
        SESSIONS.stop(asked.key, actions.RACE)

    def _watch(self, run: Run, asked: Asked) -> Iterator[Changes]:
        before = -1
        for _ in run.changes():
            if run.replaced:
                yield unchanged(self.notice)
                return
            seen = found(run)
            count = sum(len(one.held_out) for one in seen.curves) if seen else 0
            line = progress(run, asked.language)
            if not run.ended and seen:
                line = drawn.standing(seen, asked.language)
            elif run.ended and not seen:  # what is shown is still what was recorded
                line += told(latest(asked), asked.language)
            changes: Changes = {self.notice: line, **self._stoppable(asked)}
            if seen and count != before:
                changes[self.race] = raced(seen, asked.language)
            before = count
            yield changes

    def _stoppable(self, asked: Asked) -> Changes:
        run = actions.race_of(asked.key, asked.rate)
        return {self.halt: gr.update(visible=run is not None and not run.ended)}


def found(run: Run | None) -> Race | None:
    """What a run has told last; a pause tells nothing."""
    events = run.events if run else []
    return next((one for one in reversed(events) if one), None)


def latest(asked: Asked) -> Race | None:
    """The session's race at a rate as far as it is; without one what was recorded, if anything was."""
    return found(actions.race_of(asked.key, asked.rate)) or recorded(asked.rate)


def rates(language: str) -> list[tuple[str, float]]:
    return [(locales.written(language, one), one) for one in RATES]


def told(race: Race | None, language: str) -> str:
    """That a race was recorded, if it was."""
    recorded_on = race.hardware if race and race.recorded else ""
    return note(language, "initialization.recorded", machine=machine(language, recorded_on)) if recorded_on else ""


def _paths(asked: Asked) -> list[str]:
    """The modules that can be chosen; before the base is loaded none but the chosen one."""
    return actions.modules(asked.base) or ([asked.module] if asked.module else [])


def _module(asked: Asked) -> str | None:
    """The chosen one, or one in the middle; None before there is any."""
    paths = _paths(asked)
    return asked.module if asked.module in paths else next(iter(paths[len(paths) // 2 :]), None)


def _offered(asked: Asked) -> Any:
    choices = [(named(path, asked.language), path) for path in _paths(asked)]
    return gr.update(choices=choices, value=_module(asked))


def raced(race: Race | None, language: str) -> str:
    """The charts and the sentence, marked with the base."""
    if race is None:
        return ""
    return marks.marked(drawn.race(race, language), {marks.BASE: race.base}, marks.changed(language, "initialization.go"))


def named(path: str, language: str) -> str:
    return locales.text(language, "lowrank.module", layer=layer_of(path), kind=kind_of(path))


def kinds(language: str) -> list[tuple[str, str]]:
    return [(start_name(one, language), one) for one in actions.KINDS]


def build(lab: Lab) -> None:
    """The section and its events."""
    make = lab.wording.make
    with lab.opened("initialization") as place, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("initialization.title", "initialization.lead"))
        with gr.Row():
            module = make(gr.Dropdown, {"label": "updates.module"}, choices=[], elem_id="initialization-module")
            kind = make(
                gr.Dropdown, {"label": "hyperparameters.initialization", "choices": kinds}, value=FIRST,
                elem_id="initialization-kind",
            )  # fmt: skip
        said = html("", elem_id="initialization-said")
        figure = gr.Plot(visible=False, show_label=False, container=False, elem_id="initialization-map")
        make(html, sections.headed("initialization.race.title", "initialization.race.lead"))
        rate = make(
            gr.Radio, {"label": "hyperparameters.learning_rate", "info": "initialization.rate.help", "choices": rates},
            value=RATES[0], elem_id="initialization-rate",
        )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = chip(lab.wording, "initialization.go", "initialization-go")
            halt = chip(lab.wording, "wholemodel.stop", "initialization-stop", visible=False)
        notice = html("", elem_id="initialization-notice")
        race = html("", elem_id="initialization-race")
    cards = Cards(module, said, figure, notice, race, halt)
    made = {"base": lab.base, "module": module, "initialization": kind, "rate": rate}
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, **made})
    shown = [cards.module, cards.said, cards.map]
    raced_in = [cards.notice, cards.race, cards.halt]
    looks = controls.handler(cards.look)
    gr.on([module.input, kind.input], looks, controls.inputs, shown, trigger_mode="always_last", **STREAM)
    lab.base.change(cards.clear, None, shown, **HIDDEN)
    rate.input(controls.handler(cards.draw_race), controls.inputs, raced_in, **HIDDEN)
    go.click(controls.handler(cards.go), controls.inputs, raced_in, **STREAM)
    halt.click(controls.handler(cards.stop), controls.inputs, None, **HIDDEN)
    marks.wire([race], lab.base)
    stamp = attrgetter("base")
    lab.draw(Section(controls, [*shown, *raced_in], cards.draw, cards.attach, stamp=stamp, offered=[module]), place)
