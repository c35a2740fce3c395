"""The lab's sections drawn without a browser: what their handlers change is what the page listens for."""

import re
from typing import Any

import gradio as gr
import pytest

from playground.model.bases import Base
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.lowrank import tab as lowrank
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


def links_and_places(build: Any) -> tuple[set[str], set[str]]:
    """What a lab's jump list leads to, and what there is."""
    with gr.Blocks() as page:
        visit = Controls(Visit, {"key": gr.BrowserState(""), "language": gr.BrowserState("en"), "base": gr.Dropdown([])})
        with gr.Tab() as lab:
            build(Wording(), lab, visit)
    lists = [str(one.value) for one in page.blocks.values() if isinstance(one, gr.HTML) and "pp-contents" in str(one.value)]
    assert len(lists) == 1
    return set(re.findall("#(section-[a-z-]+)", lists[0])), {str(one.elem_id) for one in page.blocks.values()}


@pytest.mark.parametrize(
    ("lab", "named"),
    [
        (tab, ["calibration-outliers", "aware", "accumulators-hardware"]),
        (lowrank, ["picture"]),
    ],
)
def test_the_jump_list_leads_to_what_is_there(lab: Any, named: list[str]) -> None:
    links, places = links_and_places(lab.build)
    assert links <= places
    assert {f"section-{one}" for one in named} <= links
