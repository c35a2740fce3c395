"""
Which rank would have been enough, in every module of an adapter: a map behind a fold, drawn when asked for; and whether
these ranks learn better than a uniform one, in a race of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.adapters import examined
from playground.actions.race import race_view, stop_race
from playground.actions.ranks import ranks_race, start_ranks
from playground.errors import PlaygroundError
from playground.locales import number, significant, text
from playground.ui.compare.panes import pane_title
from playground.ui.kit import links
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.html import Values, colour, words
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import soft
from playground.ui.kit.wording import html
from playground.ui.lowrank.pieces import chip, small
from playground.ui.lowrank.shared import Chosen, Shared
from playground.ui.train import race, race_html

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playground.lowrank.ranks import Ranks
    from playground.work.jobs import Run


@dataclass(frozen=True)
class Fold:
    """The components."""

    go: gr.Button
    shown: gr.HTML
    train: gr.Button  # there once the ranks are
    stop: gr.Button
    status: gr.HTML
    raced: gr.HTML

    @property
    def results(self) -> list[Any]:
        """What a race changes."""
        return [self.train, self.stop, self.status, self.raced]

    def draw(self, chosen: Chosen) -> Changes:
        """The ranks of all modules of the chosen adapter."""
        from playground.lowrank.findings import ranks_of

        try:
            base, adapter = examined(chosen.key, chosen.chosen)
            drawn = every(ranks_of(base, adapter), chosen.language)
        except PlaygroundError as error:
            return {self.shown: alarm(error.message(chosen.language))}
        return {
            self.shown: f"<div {colour(adapter.record.method)}>{drawn}</div>",
            self.train: gr.update(visible=True),
        }

    def start(self, chosen: Chosen) -> Iterator[Changes]:
        """Race these ranks against the uniform one."""
        try:
            runs = start_ranks(chosen.key, chosen.chosen)
        except PlaygroundError as error:
            yield {self.status: alarm(error.message(chosen.language))}
            return
        yield from self._follow(runs, chosen)

    def attach(self, chosen: Chosen) -> Iterator[Changes]:
        """The race of the chosen adapter's ranks, if that is the latest; another one's goes."""
        yield {self.status: "", self.raced: "", self.stop: gr.update(visible=False)}
        runs = ranks_race(chosen.key, chosen.chosen)
        if runs:
            yield from self._follow(runs, chosen)

    def halt(self, chosen: Chosen) -> None:
        if ranks_race(chosen.key, chosen.chosen):
            stop_race(chosen.key)

    def _follow(self, runs: list[Run], chosen: Chosen) -> Iterator[Changes]:
        def draw() -> Changes:
            view = race_view(chosen.key, runs, chosen.language)
            return {
                self.status: race_html.status(view, chosen.language),
                self.raced: outcome(view, chosen.language),
                self.train: gr.update(interactive=view["ended"]),
                self.stop: gr.update(visible=not view["ended"]),
            }

        yield from race.follow(runs, chosen.key, self.status, draw)


def build(lab: Lab) -> Fold:
    """A fold with a button, and one for the race once there are ranks."""
    make = lab.wording.make
    with make(gr.Accordion, {"label": "ranks.title"}, open=False, elem_classes="pp-more", elem_id="ranks"):
        make(html, {"value": lambda lang: soft(lang, "ranks.lead")})
        with gr.Row(elem_classes="pp-chips"):
            go = chip(lab.wording, "ranks.go", "ranks-go")
        shown = html("", elem_id="ranks-shown")
        with gr.Row(elem_classes="pp-chips"):
            train = chip(lab.wording, "ranks.train", "ranks-train", visible=False)
            stop = chip(lab.wording, "race.stop", "ranks-stop", visible=False)
        status, raced = html("", elem_id="ranks-status"), html("", elem_id="ranks-race")
    return Fold(go, shown, train, stop, status, raced)


def wire(fold: Fold, shared: Shared) -> dict[str, Any]:
    """What the buttons do; another adapter's ranks go. Gives the event that shows a race of the chosen one's again."""
    chosen, drawn = shared.controls(Chosen), [fold.shown, fold.train]
    fold.go.click(chosen.handler(fold.draw), chosen.inputs, drawn, **HIDDEN)
    shared.chosen.change(lambda: ("", gr.update(visible=False)), None, drawn, **HIDDEN)
    fold.train.click(chosen.handler(fold.start), chosen.inputs, fold.results, **STREAM)
    fold.stop.click(chosen.handler(fold.halt), chosen.inputs, None, **HIDDEN)
    return {"fn": chosen.handler(fold.attach), "inputs": chosen.inputs, "outputs": fold.results, **STREAM}


def every(found: Mapping[str, Ranks], language: str) -> str:
    """A map of the suggested ranks, and what they would cost."""
    from playground.lowrank.ranks import suggestion
    from playground.model.modules import kind_of, layer_of
    from playground.plots.kit.heatmap import Place, layer_map

    def place(module: str, one: Ranks) -> Place:
        figures = {"energy": one.energy_rank, "noise": one.noise_rank, "rank": one.rank}
        written = {name: number(language, value) for name, value in figures.items()}
        name = text(language, "ranks.cell", layer=layer_of(module), kind=kind_of(module), **written)
        return Place(kind_of(module), layer_of(module), one.suggested / one.rank, number(language, one.suggested), name)

    told, each = suggestion(list(found.values())), [one.suggested for one in found.values()]
    figures = {"least": min(each), "most": max(each), **vars(told)}
    figures |= {"above": sum(one.noise_rank for one in found.values()), "all": sum(one.rank for one in found.values())}
    written = {name: number(language, value) for name, value in figures.items()}
    said = words(language, "ranks.said", mean=significant(language, sum(each) / len(each)), **written)
    drawn = layer_map([place(module, one) for module, one in found.items()], language)
    return f'{drawn}<p class="pp-outcome">{said}</p>{small(words(language, "ranks.noise"))}'


def outcome(view: Values, language: str) -> str:
    """Both as in Train's race, and the way to compare what they have learned."""
    table = race_html.standings(view, language, buttons=False)
    drawn = [race_html.run_line(view, language), race_html.chart(view, language), table, race_html.said(view, language)]
    return "".join([*drawn, _compare(view, language)])


def _compare(view: Values, language: str) -> str:
    """A link to a comparison of both with the base, once there are both."""
    adapters = [one["adapter"] for one in view["racers"] if one["adapter"]]
    if not view["ended"] or len(adapters) < len(view["racers"]):
        return ""
    own = {one["id"]: pane_title(one, language) for one in adapters}
    asked = {"base": view["base"], "prompt": next(iter(view["questions"]), ""), "panes": ["base", *own], "own": own}
    way = (
        f'<a class="pp-here" href="?lang={language}&amp;{escape(links.write(asked))}">{words(language, "ranks.compare")}</a>'
    )
    return f'<p class="pp-ways">{way}</p>'
