"""A lab, or one room of it, built without a browser: its sections by their places in the list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from playground.settings import DEFAULT_BASE
from playground.ui.kit.controls import Controls
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.sections import Section
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording


@dataclass(frozen=True)
class Built(Lab):
    """A lab that remembers what it drew, and where."""

    sections: dict[str, Section] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def draw(self, section: Section, *places: Place) -> Any:
        self.sections.update({place.name: section for place in places})
        self.places.update({place.name: place for place in places})
        return super().draw(section, *places)

    def value(self, name: str, key: str = "", language: str = "en", **other: Any) -> Any:
        """What the controls of a section say at first, and who says it."""
        section = self.sections[name]
        named = {self.visitor: key, self.language: language}
        given = {component: named.get(component, component.value) for component in section.controls.inputs}
        controls = section.controls.components
        return section.controls.value(given | {controls[one]: value for one, value in other.items()})


def built(tab: str, room: Any, base: str = DEFAULT_BASE) -> tuple[gr.Blocks, Built]:
    """`room`: whatever has a `build` that takes a lab. Inside a list, where it does not make its own."""
    with gr.Blocks() as page:
        visit = {"key": gr.BrowserState(""), "language": gr.BrowserState("en"), "base": gr.Dropdown([base], value=base)}
        lab = Built(tab, Wording(), Controls(Visit, visit), gr.State({}))
        if room.__name__.endswith(".tab"):
            room.build(lab)
        else:
            with lab.listed():
                room.build(lab)
    return page, lab
