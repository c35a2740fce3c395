"""The lab's sections drawn without a browser: what their handlers change is what the page listens for."""

from typing import Any

import pytest

from playground.model.bases import Base
from playground.ui.kit.links import SECTIONS
from playground.ui.quantize import tab
from tests.ui.labs import Built, built


@pytest.fixture(scope="module")
def lab() -> Built:
    return built("quantization", tab, "tiny")[1]


@pytest.mark.parametrize("name", SECTIONS["quantization"])
def test_a_visit_changes_what_its_section_shows_and_nothing_else(tiny: Base, loaded: Any, lab: Built, name: str) -> None:
    loaded(tiny)
    section, value = lab.sections[name], lab.value(name)
    drawn = section.draw(value)
    assert drawn
    assert set(drawn) <= set(section.shown)
    for changes in section.attach(value) if section.attach else ():
        assert changes
        assert set(changes) <= set(section.shown)
