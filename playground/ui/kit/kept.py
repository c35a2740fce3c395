"""
What a visitor has filled in in the labs: their session keeps it, so that a reload and another language bring it back.

Nothing of it stays in a browser, which others may sit at next. Knows nothing about what the controls are for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import FormComponent

from playground.work.sessions import SESSIONS

FORM = "labs"  # of a session: component → the language it was filled in in, and its value
BY_HAND = ("input", "upload", "clear", "delete")  # events of a visitor's own hand
LONGEST = 20_000  # characters of a text that is kept

Retold = Callable[[Any, str, str], Any]  # a value, the language it is written in, another one → the value in that


def keepable(components: Collection[Any], offered: Collection[Any]) -> list[Any]:
    """Those that a visitor fills in. A list whose choices come later only counts if it is `offered` them when drawn."""
    filled = [one for one in components if isinstance(one, (FormComponent, gr.File)) and one.elem_id]
    return [one for one in filled if not isinstance(one, gr.Dropdown) or one.choices or one in offered]


def keep(key: str, language: str, given: Mapping[Any, Any]) -> None:
    """What the components hold now."""
    form = SESSIONS.get(key).forms.setdefault(FORM, {})
    form |= {one.elem_id: (language, value) for one, value in given.items() if not _long(value)}


def find(key: str, language: str, components: Collection[Any], retold: Mapping[Any, Retold]) -> dict[Any, Any]:
    """What was kept of the components, as it is written in `language`."""
    form, found = SESSIONS.get(key).forms.get(FORM, {}), {}
    for one in components:
        if one.elem_id in form:
            written_in, value = form[one.elem_id]
            found[one] = retold[one](value, written_in, language) if one in retold else value
    return {one: value for one, value in found.items() if not _gone(one, value)}


def holds(component: Any, value: Any) -> bool:
    """Whether a component can hold a value as it is when the page is opened."""
    if not isinstance(component, gr.Slider) or not isinstance(value, int | float):
        return True
    return bool(component.minimum <= value <= component.maximum)


def _long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > LONGEST


def _gone(component: Any, value: Any) -> bool:
    """Gradio clears old files away."""
    return isinstance(component, gr.File) and bool(value) and not Path(value).is_file()
