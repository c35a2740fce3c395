"""Colours: theme.css has those of every method and of every number format, for light and for dark pages."""

import re
from typing import Any

import pytest

from playground.adapt.methods import FRONT
from playground.formats.registry import FORMATS
from playground.ui.kit.theme import CSS


def settings_of(*properties: Any) -> Any:
    """How often the style sheet sets each of these custom properties."""
    return [len(re.findall(rf"^\s*--{re.escape(one)}:", CSS, re.MULTILINE)) for one in properties]


@pytest.mark.parametrize("method_id", ["base", *FRONT])
def test_a_method_has_its_colours_for_marks_and_for_words(method_id: Any) -> None:
    assert settings_of(f"m-{method_id}", f"m-{method_id}-text") == [2, 2]


@pytest.mark.parametrize("format_id", FORMATS)
def test_a_number_format_has_its_colour(format_id: Any) -> None:
    assert settings_of(f"f-{format_id}") == [2]


def test_the_methods_to_choose_from_have_their_colours() -> None:
    """In the style sheet the choices are told apart by their places alone."""
    choice = r"#method-picker label:nth-child\((\d+)\) \{ --m: var\(--m-(\w+)\); --m-text: var\(--m-(\w+)-text\); \}"
    expected = [(str(place), method_id, method_id) for place, method_id in enumerate(FRONT, start=1)]
    assert re.findall(choice, CSS) == expected
