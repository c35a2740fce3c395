"""The lab's sections drawn without a browser: what their handlers change is what the page listens for."""

from typing import Any

import gradio as gr
import pytest

from playground.model.bases import Base
from playground.ui.kit.wording import Wording
from playground.ui.quantize import tab

SECTIONS = {module.__name__.rpartition(".")[2]: module for module in tab.SECTIONS}


@pytest.fixture
def value_of(tiny: Base, loaded: Any) -> Any:
    """Builds a section on the tiny base and gives it with the value that its controls make at first."""
    loaded(tiny)

    def build(name: Any) -> Any:
        with gr.Blocks():
            visitor, language = gr.BrowserState(""), gr.BrowserState("en")
            base = gr.Dropdown(["tiny"], value="tiny")
            section = SECTIONS[name].build(Wording(), visitor, language, base)
        given = {component: component.value for component in section.controls.inputs}
        return section, section.controls.value(given | {visitor: "", language: "en"})

    return build


@pytest.mark.parametrize("name", SECTIONS)
def test_a_visit_changes_what_its_section_shows_and_nothing_else(value_of: Any, name: Any) -> None:
    section, value = value_of(name)
    drawn = section.draw(value)
    assert drawn
    assert set(drawn) <= set(section.shown)
    for changes in section.attach(value) if section.attach else ():
        assert changes
        assert set(changes) <= set(section.shown)
