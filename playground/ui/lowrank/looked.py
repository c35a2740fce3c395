"""
What follows the adapter that is looked at in the low-rank lab: handlers that turn actions into HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.adapters import examined
from playground.actions.lowrank import (
    looked_at,
    run_about,
    turn_to,
)  # fmt: skip
from playground.adapt.adapters import STEP_MARK
from playground.errors import PlaygroundError
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes, after, unchanged
from playground.ui.kit.events import alarm
from playground.ui.lowrank import edits, softprompt
from playground.ui.lowrank.knobs import FACTORS, Knobs
from playground.ui.lowrank.shared import Chosen, choices, known

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
    kept: int  # directions

    @property
    def fresh(self) -> bool:
        """Whether another adapter is looked at than before, and not only another checkpoint."""
        return self.whole != self.settled


@dataclass(frozen=True)
class Cards:
    """Everything that depends on the chosen adapter alone, and how it follows."""

    adapter: gr.Dropdown
    step: gr.Slider
    told: gr.HTML
    chosen: gr.State  # changes in queued events only, or its own `change` event would not happen
    settled: gr.State
    where: gr.HTML
    weights: tuple[gr.Column, ...]  # for an adapter that changes weights
    module: gr.Dropdown
    kept: gr.Slider
    knobs: Knobs
    prompt: gr.Textbox
    left_out: gr.Dropdown
    inside: gr.HTML

    @property
    def all(self) -> list[Any]:
        """The components, for an event's outputs."""
        single = [one for one in vars(self).values() if one not in (self.knobs, self.weights)]
        return [*single, *self.weights, *vars(self.knobs).values()]

    def stamp(self, looked: Looked) -> str:
        """What can be chosen; another list, as after a training, is drawn at the next visit."""
        return ",".join(one for _, one in choices(looked.key, looked.language, looked.base))

    def follow(self, looked: Looked) -> Iterator[Changes]:
        """At a visit, in the queue: everything that is about the adapter."""
        changes = self.opened(looked)
        now = {name: after(changes.get(getattr(self, name)), getattr(looked, name)) for name in ("chosen", "module", "kept")}
        yield changes | self.draw(replace(looked, **now))

    def ranges(self, adapter: Adapter, given: Mapping[str, Any] = MappingProxyType({})) -> Changes:
        """As many directions to keep as the adapter has, or those `given` of them."""
        from playground.lowrank import updates

        if adapter.record.method not in FACTORS:
            return {self.kept: gr.update(visible=False)}
        most = updates.rank_of(adapter)
        kept = given.get("kept", most)
        return {self.kept: gr.update(visible=most > 1, maximum=most, value=kept if 1 <= kept <= most else most)}

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
            looked, back = replace(looked, adapter=whole, chosen=before), self.at(known(looked.key, whole), before)
        adapter_id = looked.adapter if looked.adapter in ids else next(iter(ids), None)
        changes = {self.adapter: gr.update(choices=offered, value=adapter_id), **back}
        if adapter_id is None:
            turn_to(looked.key, "")
            none = sections.soft(looked.language, "updates.none")
            return changes | {self.step: gr.update(visible=False), self.chosen: ""} | self.hidden(none)
        if looked.whole != adapter_id:
            asked = replace(looked, adapter=adapter_id)
            changes |= self.stepped(asked) if looked.settled == adapter_id else self.picked(asked)
            looked = replace(looked, chosen=changes[self.chosen])
        return changes | self.look(looked)

    def picked(self, picked: Picked) -> Changes:
        """Another adapter, as it was at the end of its run: what runs about the former one stops."""
        adapter_id = picked.adapter or ""
        turn_to(picked.key, adapter_id)
        return self.at(known(picked.key, adapter_id), adapter_id)

    def at(self, adapter: Adapter | None, chosen: str) -> Changes:
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
            if adapter.record.method == softprompt.METHOD:
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
        changes: Changes = {column: gr.update(visible=True) for column in self.weights}
        changes |= {self.told: "", self.where: where(base, adapter, module, language)}
        changes[self.module] = gr.update(choices=modules, value=module)
        if looked.fresh:
            changes |= self.ranges(adapter) | self.knobs.leave(adapter, asked_before(looked))
        return changes

    def hidden(self, said: str) -> Changes:
        """Where there are no weights to show: a sentence instead of the map."""
        gone = {column: gr.update(visible=False) for column in self.weights}
        return {self.told: said, self.where: "", **gone, self.settled: ""}

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
            if adapter.record.method == softprompt.METHOD:
                return unchanged(self.inside)
            module = looked.module or findings.most_changed(base, adapter)
            return {self.inside: module_card(base, adapter, module, looked.kept, looked.language)}
        except PlaygroundError as error:
            return {self.inside: alarm(error.message(looked.language))}


def asked_before(looked: Looked) -> dict[str, Any]:
    """What the answers that the session still has about this adapter were asked; empty where there are none."""
    answers = (edits.ANSWERS, softprompt.ANSWERS)
    return next((one.asked(looked.key) for one in answers if run_about(looked.key, one.place, looked.chosen)), {})
