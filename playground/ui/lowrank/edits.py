"""
Less of an adapter: the controls that cut, weaken and switch off, the answers that follow them, and whole sweeps.

What is left of an adapter is again an adapter, so the answers are an ordinary comparison. Knows nothing of how an
adapter is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.adapters import examined
from playground.actions.lowrank import CUT, SWEEP, run_about, start_edited, start_sweep
from playground.errors import PlaygroundError
from playground.ui.compare.lab import Answers
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.wording import html
from playground.ui.lowrank import knobs
from playground.ui.lowrank.knobs import FACTORS, Knobs
from playground.ui.lowrank.pieces import chip
from playground.ui.lowrank.shared import Chosen, Shared
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.lowrank.sweep import Sweep
    from playground.work.jobs import Run


SWEEPS = ("rank", "strength", "layers", "kinds")
STRENGTHS = tuple(step / 2 for step in range(-2, 5))
BLOCKS = 6  # pieces that the layers are cut into
ANSWERS = Answers(CUT, "edits.go", "lab.elsewhere.adapter")
ASKED = ("prompt", "rank", "strength", "first", "last", "kinds")  # what the answers depend on, besides the adapter


@dataclass(frozen=True)
class Left(Chosen):
    """What the controls leave of the chosen adapter, and the question that it is asked; None for an emptied field."""

    prompt: str
    rank: int | None
    strength: float | None
    first: int | None
    last: int | None
    kinds: list[str]

    def edit(self, adapter: Adapter) -> dict[str, Any]:
        """As `edits.Edit` takes it; None for what leaves everything as it is, an emptied field included."""
        from playground.lowrank import updates

        cut = adapter.record.method in FACTORS and self.rank is not None and self.rank != updates.rank_of(adapter)
        end = updates.layers_of(adapter) - 1
        layers = (0 if self.first is None else self.first, end if self.last is None else self.last)
        return {
            "rank": self.rank if cut else None,
            "strength": 1.0 if self.strength is None else self.strength,
            "layers": None if layers == (0, end) else layers,
            "kinds": None if set(self.kinds) == set(updates.kinds_of(adapter)) else tuple(self.kinds),
        }


@dataclass(frozen=True)
class Cards:
    """The answers and the sweep."""

    notice: gr.HTML
    panes: gr.HTML
    measured: gr.HTML
    swept: gr.HTML
    stop: gr.Button  # there while something goes on

    def answers(self, left: Left) -> Iterator[Changes]:
        """The base, the whole adapter and what the controls leave of it, answering the same prompt."""
        try:
            run = ask(left)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(left.language))}
            return
        yield from self._follow_answers(run, left)

    def sweep(self, name: str, asked: Chosen) -> Iterator[Changes]:
        """Measure the adapter under every edit of one row of them."""
        try:
            run = measure(asked, name)
        except PlaygroundError as error:
            yield {self.measured: alarm(error.message(asked.language))}
            return
        yield from self._follow_sweep(run, asked)

    def attach(self, asked: Chosen) -> Iterator[Changes]:
        """What was last asked of the chosen adapter; another one's goes."""
        empty = sections.soft(asked.language, "edits.answers.empty")
        yield {self.notice: "", self.panes: empty, self.measured: "", self.swept: ""} | self._stoppable(asked)
        answered, measured = (run_about(asked.key, place, asked.chosen) for place in (CUT, SWEEP))
        if answered:
            yield from self._follow_answers(answered, asked)
        if measured:
            yield from self._follow_sweep(measured, asked)

    def _follow_answers(self, run: Run, asked: Chosen) -> Iterator[Changes]:
        for changes in ANSWERS.follow(run, asked.key, asked.language, self.notice, self.panes):
            yield changes | self._stoppable(asked)

    def _follow_sweep(self, run: Run, asked: Chosen) -> Iterator[Changes]:
        for changes in sections.follow(run, asked.language, self.measured, self.swept, partial(table, asked.language)):
            yield changes | self._stoppable(asked)

    def _stoppable(self, asked: Chosen) -> Changes:
        """The button is there while there is something to stop."""
        runs = SESSIONS.get(asked.key).runs
        return {self.stop: gr.update(visible=any(place in runs and not runs[place].ended for place in (CUT, SWEEP)))}


@dataclass(frozen=True)
class Less:
    """The components of both sections: `columns` are for an adapter that changes weights."""

    places: tuple[Place, Place]
    columns: tuple[gr.Column, gr.Column]
    prompt: gr.Textbox
    knobs: Knobs
    go: gr.Button
    buttons: Mapping[str, gr.Button]  # of the sweeps
    cards: Cards


def build(lab: Lab) -> Less:
    """Two sections, the answers and the sweeps; `wire` says what they do."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("edits") as first, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("edits.answers.title", "edits.answers.lead"))
        with gr.Column() as cut, gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                left = knobs.build(wording)
                go = make(gr.Button, {"value": "edits.go"}, variant="primary", elem_id="lab-answer", elem_classes="pp-go")
            with gr.Column(min_width=0):
                prompt = make(gr.Textbox, {"label": "compare.prompt"}, value="", max_lines=4, elem_id="lab-prompt")
                make(html, {"value": english})
                notice = html("", elem_id="lab-notice")
                empty = {"value": lambda lang: sections.soft(lang, "edits.answers.empty")}
                panes = make(html, empty, elem_id="lab-panes")
    with lab.opened("sweep") as second, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("edits.sweep.title", "edits.sweep.lead"))
        with gr.Column() as swept:
            with gr.Row(elem_classes="pp-chips"):
                buttons = {name: chip(wording, f"edits.sweep.{name}", f"sweep-{name}") for name in SWEEPS}
                stop = chip(wording, "edits.stop", "lab-stop", visible=False, elem_classes="chip pp-push")
            cards = Cards(notice, panes, html("", elem_id="sweep-notice"), html("", elem_id="sweep"), stop)
    return Less((first, second), (cut, swept), prompt, left, go, buttons, cards)


def wire(shared: Shared, less: Less) -> dict[str, Any]:
    """What the controls do. Gives the event that shows what was asked before."""
    cards, knobs = less.cards, less.knobs
    left, chosen = shared.controls(Left, **vars(knobs)), shared.controls(Chosen)
    gr.on(
        [less.go.click, shared.prompt.submit, *(one.input for one in vars(knobs).values())],
        left.handler(cards.answers), left.inputs, [cards.notice, cards.panes, cards.stop], trigger_mode="multiple", **STREAM,
    )  # fmt: skip
    for name, button in less.buttons.items():
        swept = [cards.measured, cards.swept, cards.stop]
        button.click(chosen.handler(partial(cards.sweep, name)), chosen.inputs, swept, **STREAM)
    for place in (CUT, SWEEP):
        cards.stop.click(lambda key, place=place: SESSIONS.stop(key, place), shared.key, None, **HIDDEN)
    ANSWERS.wire(cards.panes, shared.base, {"prompt": shared.prompt, **vars(knobs)})
    return {"fn": chosen.handler(cards.attach), "inputs": chosen.inputs, "outputs": list(vars(cards).values()), **STREAM}


def ask(left: Left) -> Run:
    """Queue the base, the whole adapter and what is left of it. Raises PlaygroundError."""
    _, adapter = examined(left.key, left.chosen)
    edit = left.edit(adapter)

    def names(language: str) -> tuple[str, str]:
        return locales.text(language, "edits.whole"), label(edit, language)

    decoding = {"max_new_tokens": sections.ANSWER_TOKENS}
    run = start_edited(left.key, CUT, left.chosen, edit, left.prompt, decoding, names(left.language))
    ANSWERS.remember(left.key, {name: getattr(left, name) for name in ASKED}, names)
    return run


def measure(asked: Chosen, name: str) -> Run:
    """Queue one of SWEEPS. Raises PlaygroundError."""
    _, adapter = examined(asked.key, asked.chosen)
    run = start_sweep(asked.key, asked.chosen, plan(adapter, name), SWEEP)
    SESSIONS.get(asked.key).forms[SWEEP] = name
    return run


def label(edit: Mapping[str, Any], language: str) -> str:
    """What an edit leaves: `rank 3 · layers 0–9`."""

    def said(key: str, **filled: object) -> str:
        return locales.text(language, f"edits.left.{key}", **filled)

    parts = []
    if edit["rank"] is not None:
        parts.append(said("rank", rank=locales.number(language, edit["rank"])))
    if edit["strength"] != 1:
        strength = locales.significant(language, edit["strength"], 2).replace("-", "−")
        parts.append(said("strength", strength=strength))
    if edit["layers"] is not None:
        parts.append(said("layers", first=edit["layers"][0], last=edit["layers"][1]))
    if edit["kinds"] is not None:
        parts.append(said("only", what=", ".join(edit["kinds"])) if edit["kinds"] else said("nothing"))
    return " · ".join(parts) or said("everything")


def table(language: str, done: Sweep) -> str:
    """The effects so far."""
    from playground.plots.lowrank.adapter import effects

    rows = [{**asdict(effect), "label": label(asdict(effect.edit), language)} for effect in done.effects]
    return effects(rows, done.base_loss, language)


def some(rank: int, most: int = 16) -> list[int]:
    """All ranks from 0 to `rank`; of many only the small ones and then ever wider steps."""
    if rank <= most:
        return list(range(rank + 1))
    return sorted({0, 1, 2, 3, *(round(4 * (rank / 4) ** (place / 10)) for place in range(11))})


def plan(adapter: Adapter, name: str) -> list[dict[str, Any]]:
    """The edits of one sweep. Raises PlaygroundError if it makes no sense for this adapter."""
    from playground.lowrank import updates

    if name == "rank":
        return [{"rank": rank} for rank in some(updates.rank_of(adapter))]
    if name == "strength":
        return [{"strength": one} for one in STRENGTHS]
    if name == "kinds":
        return [{}, *({"kinds": (kind,)} for kind in updates.kinds_of(adapter))]
    count = updates.layers_of(adapter)
    edges = sorted({round(count * place / BLOCKS) for place in range(BLOCKS + 1)})
    return [{}, *({"layers": (first, after - 1)} for first, after in pairwise(edges))]
