"""
The controls that leave less of an adapter: cut its rank, weaken it, switch parts of it off; and how they are set for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.ui.kit.controls import Changes
from playground.ui.kit.wording import Wording

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter

FACTORS = ("lora", "qlora", "adalora")


@dataclass(frozen=True)
class Knobs:
    """The controls that leave less of an adapter."""

    rank: gr.Slider
    strength: gr.Slider
    first: gr.Slider
    last: gr.Slider
    kinds: gr.CheckboxGroup

    def leave_all(self, adapter: Adapter) -> Changes:
        """Set for an adapter, so that all of it is left."""
        from playground.lowrank import updates

        # Without factors the slider keeps its range: gradio refuses a value that was sent before the range shrank
        factors = adapter.record.method in FACTORS
        most = updates.rank_of(adapter) if factors else 0
        last, kinds = updates.layers_of(adapter) - 1, list(updates.kinds_of(adapter))
        return {
            self.rank: gr.update(visible=True, maximum=most, value=most) if factors else gr.update(visible=False),
            self.strength: 1.0,
            self.first: gr.update(value=0, maximum=last),
            self.last: gr.update(value=last, maximum=last),
            self.kinds: gr.update(choices=kinds, value=kinds),
        }

    def set(self, adapter: Adapter, wanted: Mapping[str, Any]) -> Changes:
        """So that all of an adapter is left, but for what is `wanted` of it and lies in its ranges."""
        changes = self.leave_all(adapter)
        for name in ("rank", "first", "last"):
            change = changes[getattr(self, name)]
            if 0 <= wanted.get(name, -1) <= change.get("maximum", -1):
                change["value"] = wanted[name]
        if "strength" in wanted:
            changes[self.strength] = wanted["strength"]
        if "kinds" in wanted:
            known = changes[self.kinds]["choices"]
            changes[self.kinds]["value"] = [one for one in known if one in wanted["kinds"]]
        return changes

    def leave(self, adapter: Adapter, asked: Mapping[str, Any]) -> Changes:
        """Set for an adapter as they were when it was `asked` (ASKED); so that all of it is left if that is nothing."""
        changes = self.leave_all(adapter) | ({self.strength: asked["strength"]} if asked else {})
        for name in ("rank", "first", "last", "kinds") if asked else ():
            changes[getattr(self, name)] |= {"value": asked[name]}
        return changes


def build(wording: Wording) -> Knobs:
    make = wording.make
    rank = make(
        gr.Slider, {"label": "edits.rank", "info": "edits.rank.help"}, minimum=0, maximum=8, step=1, value=8,
        elem_id="lab-rank",
    )  # fmt: skip
    strength = make(
        gr.Slider, {"label": "edits.strength", "info": "edits.strength.help"}, minimum=-1.0, maximum=2.0, step=0.25,
        value=1.0, elem_id="lab-strength",
    )  # fmt: skip
    first, last = (
        make(gr.Slider, {"label": f"edits.{name}"}, minimum=0, maximum=29, step=1, value=value, elem_id=f"lab-{name}")
        for name, value in (("first", 0), ("last", 29))
    )
    return Knobs(
        rank, strength, first, last, make(gr.CheckboxGroup, {"label": "edits.kinds"}, choices=[], elem_id="lab-kinds")
    )
