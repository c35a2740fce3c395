"""
The trained adapter in the low-rank lab: where it learned, one module's update, and the answer with less of it.

One adapter is chosen at the top, at one checkpoint; everything below follows. Handlers turn actions into HTML.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.adapters import examined, list_adapters
from playground.actions.lowrank import looked_at, run_about, turn_to
from playground.adapt.adapters import STEP_MARK
from playground.errors import PlaygroundError
from playground.ui.compare.panes import pane_title
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english
from playground.ui.kit.html import card
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import edits, softprompt
from playground.ui.lowrank.shared import Chosen, Shared
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.model.bases import Base


FIRST = "pirate-lora"  # what the lab opens with


@dataclass(frozen=True)
class Picked(Chosen):
    """What the dropdown and the scrubber say; `chosen` is what was looked at before."""

    base: str
    adapter: str | None
    step: int


@dataclass(frozen=True)
class Looked(Picked):
    """What is looked at, and where."""

    settled: str  # the adapter that the controls and the question are set for; "" if none is
    module: str | None
    rank: int

    @property
    def fresh(self) -> bool:
        """Whether another adapter is looked at than before, and not only another checkpoint."""
        return self.whole != self.settled


@dataclass(frozen=True)
class Cards:
    """Everything that depends on the chosen adapter alone, and how it follows."""

    adapter: gr.Dropdown
    step: gr.Slider
    chosen: gr.State
    settled: gr.State
    where: gr.HTML
    weights: gr.Column  # for an adapter that changes weights
    module: gr.Dropdown
    knobs: edits.Knobs
    prompt: gr.Textbox
    inside: gr.HTML

    @property
    def all(self) -> list[Any]:
        """The components, for an event's outputs."""
        return [*(one for one in vars(self).values() if one is not self.knobs), *vars(self.knobs).values()]

    def opened(self, looked: Looked) -> Changes:
        """
        When the tab is opened: what can be chosen now, and the chosen one drawn; on a page that was opened again, the one
        that was looked at. The rest keeps what it shows.
        """
        offered = choices(looked.key, looked.language, looked.base)
        ids, back = [one for _, one in offered], {}
        before = "" if looked.settled else looked_at(looked.key)
        whole = before.partition(STEP_MARK)[0]
        if whole in ids:
            looked, back = replace(looked, adapter=whole, chosen=before), self._at(known(looked.key, whole), before)
        adapter_id = looked.adapter if looked.adapter in ids else next(iter(ids), None)
        changes = {self.adapter: gr.update(choices=offered, value=adapter_id), **back}
        if adapter_id is None:
            turn_to(looked.key, "")
            none = sections.soft(looked.language, "updates.none")
            return changes | {self.step: gr.update(visible=False), self.chosen: ""} | self.hidden(none)
        if looked.whole != adapter_id:
            changes |= self.picked(replace(looked, adapter=adapter_id))
            looked = replace(looked, chosen=adapter_id)
        return changes | self.look(looked)

    def picked(self, picked: Picked) -> Changes:
        """Another adapter, as it was at the end of its run: what runs about the former one stops."""
        adapter_id = picked.adapter or ""
        turn_to(picked.key, adapter_id)
        return self._at(known(picked.key, adapter_id), adapter_id)

    def _at(self, adapter: Adapter | None, chosen: str) -> Changes:
        """An adapter is chosen, with the scrubber at its checkpoint, at its end without one."""
        steps = [one.step for one in adapter.checkpoints] if adapter else []
        scrubber, step = gr.update(visible=False), chosen.partition(STEP_MARK)[2]
        if adapter and len(steps) > 1:
            now = int(step) if step else adapter.record.steps
            scrubber = gr.update(visible=True, minimum=0, maximum=steps[-1], value=now)
        return {self.chosen: chosen, self.step: scrubber}

    def stepped(self, picked: Picked) -> Changes:
        """The same adapter at the last checkpoint up to a step; the slider goes there too."""
        chosen = picked.adapter or ""
        adapter = known(picked.key, chosen)
        steps = [one.step for one in adapter.checkpoints if one.step <= picked.step] if adapter else []
        if adapter and steps and steps[-1] != adapter.record.steps:
            chosen += f"{STEP_MARK}{steps[-1]}"
        turn_to(picked.key, chosen)
        return {self.chosen: chosen, self.step: steps[-1] if steps else gr.skip()}

    def look(self, looked: Looked) -> Changes:
        """
        The map, the modules to choose from, and for another adapter the ranges of the controls and its question. Another
        checkpoint of the same adapter leaves the controls and the question as they are.
        """
        if not looked.chosen:
            return unchanged(self.where)
        try:
            base, adapter = examined(looked.key, looked.chosen)
            if adapter.record.method == "prompt_tuning":
                changes = self.hidden(sections.soft(looked.language, "updates.no_weights"))
            else:
                changes = self._weights(looked, base, adapter)
        except PlaygroundError as error:
            return self.hidden(alarm(error.message(looked.language)))
        questions = [before["prompt"]] if (before := asked_before(looked)) else adapter.record.questions
        question = {self.prompt: questions[0]} if looked.fresh and questions else {}
        return changes | question | {self.settled: looked.whole}

    def _weights(self, looked: Looked, base: Base, adapter: Adapter) -> Changes:
        from playground.lowrank import findings
        from playground.ui.lowrank.adapter_html import where

        cells, language = findings.network(base, adapter), looked.language
        modules = [
            (locales.text(language, "lowrank.module", layer=cell.layer, kind=cell.kind), cell.module) for cell in cells
        ]
        module = looked.module
        if module is None or looked.fresh or module not in [cell.module for cell in cells]:
            module = findings.most_changed(base, adapter)
        return {
            self.where: where(base, adapter, module, language),
            self.weights: gr.update(visible=True),
            self.module: gr.update(choices=modules, value=module),
        } | (self.knobs.leave(adapter, asked_before(looked)) if looked.fresh else {})

    def hidden(self, said: str) -> Changes:
        """Where there are no weights to show: a sentence instead of the map."""
        return {self.where: said, self.weights: gr.update(visible=False), self.settled: ""}

    def frame(self, looked: Looked) -> Changes:
        """The map with another module framed."""
        from playground.ui.lowrank.adapter_html import where

        try:
            return {self.where: where(*examined(looked.key, looked.chosen), looked.module or "", looked.language)}
        except PlaygroundError as error:
            return {self.where: alarm(error.message(looked.language))}

    def draw(self, looked: Looked) -> Changes:
        """One module's card."""
        from playground.lowrank import findings
        from playground.ui.lowrank.module import module_card

        if not looked.chosen:
            return unchanged(self.inside)
        try:
            base, adapter = examined(looked.key, looked.chosen)
            if adapter.record.method == "prompt_tuning":
                return unchanged(self.inside)
            module = looked.module or findings.most_changed(base, adapter)
            return {self.inside: module_card(base, adapter, module, looked.rank, looked.language)}
        except PlaygroundError as error:
            return {self.inside: alarm(error.message(looked.language))}


def asked_before(looked: Looked) -> dict[str, Any]:
    """What the answers that the session still has about this adapter were asked; empty where there are none."""
    answers = (edits.ANSWERS, softprompt.ANSWERS)
    return next((one.asked(looked.key) for one in answers if run_about(looked.key, one.place, looked.chosen)), {})


def known(key: str, adapter_id: str) -> Adapter | None:
    library = SESSIONS.get(key).library
    return library.get(adapter_id) if library.knows(adapter_id) else None


def choices(key: str, language: str, base_id: str | None) -> list[tuple[str, str]]:
    """Adapters that something can be seen of: all but few-shot."""
    listed = [one for one in list_adapters(key, base_id) if one["method"] != "few_shot"]
    return [(pane_title(one, language), one["id"]) for one in listed]


def ready_made(language: str) -> list[tuple[str, str]]:
    """What everybody can choose."""
    return choices("", language, None)


def build(wording: Wording, tab: gr.Tab, base: gr.Dropdown, visitor: gr.BrowserState, language: gr.BrowserState) -> Shared:
    """The picker, the map, one module, and the answers; with their events. Gives what other sections read."""
    make = wording.make
    chosen = gr.State(FIRST)
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("updates.title", "updates.lead"))
        with gr.Row():
            adapter = make(
                gr.Dropdown, {"label": "updates.adapter", "choices": ready_made}, value=FIRST, elem_id="lab-adapter"
            )
            prompt = make(gr.Textbox, {"label": "compare.prompt"}, value="", max_lines=4, elem_id="lab-prompt")
            make(html, {"value": english})
            step = make(
                gr.Slider, {"label": "updates.step", "info": "updates.step.help"}, minimum=0, maximum=1, step=1, value=0,
                visible=False, elem_id="lab-step",
            )  # fmt: skip
        where = make(html, {"value": lambda lang: sections.soft(lang, "updates.where.empty")}, elem_id="lab-network")
    with gr.Column() as weights, gr.Row(elem_classes="pp-lab"):
        with gr.Column(elem_classes="pp-card pp-left", min_width=0):
            picker = {"label": "updates.module", "info": "updates.module.help"}
            module = make(gr.Dropdown, picker, choices=[], elem_id="lab-module-picker")
            knobs = edits.knobs(wording)
            go = make(gr.Button, {"value": "edits.go"}, variant="primary", elem_id="lab-answer", elem_classes="pp-go")
        shared = Shared(visitor, language, base, chosen, prompt, module)
        with gr.Column(min_width=0):
            inside = make(html, {"value": lambda lang: card(lang, "inside")}, elem_id="lab-module")
            attach = edits.build(wording, shared, knobs, go)
    cards = Cards(adapter, step, chosen, gr.State(""), where, weights, module, knobs, prompt, inside)
    _wire(tab, shared, cards, attach)
    return shared


def _wire(tab: gr.Tab, shared: Shared, cards: Cards, attach: dict[str, Any]) -> None:
    own = {"adapter": cards.adapter, "step": cards.step, "settled": cards.settled, "rank": cards.knobs.rank}
    picked, looked = shared.controls(Picked, **own), shared.controls(Looked, **own)
    draw: dict[str, Any] = {"fn": looked.handler(cards.draw), "inputs": looked.inputs, "outputs": cards.inside}
    draw |= {"trigger_mode": "always_last", **HIDDEN}
    # In the queue, although they are quick: only then does gradio tell that `chosen` has changed
    opened = tab.select(looked.handler(cards.opened), looked.inputs, cards.all, **STREAM)
    cards.adapter.input(picked.handler(cards.picked), picked.inputs, [cards.chosen, cards.step], **STREAM)
    stepped = [cards.chosen, cards.step]
    cards.step.input(picked.handler(cards.stepped), picked.inputs, stepped, trigger_mode="always_last", **STREAM)
    opened.then(**draw)
    opened.then(**attach)
    cards.chosen.change(looked.handler(cards.look), looked.inputs, cards.all, **HIDDEN).then(**draw)
    cards.chosen.change(**attach)
    cards.knobs.rank.input(**draw)
    cards.module.input(**draw)
    cards.module.input(looked.handler(cards.frame), looked.inputs, cards.where, **HIDDEN)
