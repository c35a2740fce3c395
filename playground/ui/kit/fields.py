"""
The controls of a section as parameters of its link: one table, made from the components' own bounds.

A parameter is named after its section and its control: `tensor.outliers=0.5`. Knows nothing about what they are for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import gradio as gr

from playground.ui.kit.links import WITHIN, Field, left_of, one_of, parts
from playground.ui.kit.numbers import check

SWITCH = {"0": False, "1": True}


def table(controls: Mapping[str, Any], offered: Collection[Any] = ()) -> dict[str, Field]:
    """A field for each control; a list whose choices come when it is drawn (`offered`) takes what that will judge."""
    return {name: _field(name, one, one in offered) for name, one in controls.items()}


def _field(name: str, control: Any, offered: bool) -> Field:
    """Raises TypeError for a kind of control that no link carries."""
    if isinstance(control, gr.Slider | gr.Number):
        return Field(name, control.value, partial(_number, control), _plain)
    if isinstance(control, gr.Checkbox):
        return Field(name, control.value, lambda value: SWITCH[one_of(SWITCH)(value)], lambda value: str(int(value)))
    if isinstance(control, gr.CheckboxGroup | gr.Dropdown) and offered and isinstance(control.value, list):
        return Field(name, control.value, _any, lambda value: ",".join(map(_plain, value)))
    if isinstance(control, gr.CheckboxGroup):
        known = [str(value) for _, value in control.choices]
        left = partial(_others, known)
        return Field(name, control.value, partial(_several, known), ",".join, left)
    if isinstance(control, gr.Radio | gr.Dropdown) and control.choices and not offered:
        values = {_plain(value): value for _, value in control.choices}
        return Field(name, control.value, lambda value: values[one_of(values)(value)], _plain)
    if isinstance(control, gr.Textbox | gr.Dropdown):
        return Field(name, control.value, partial(_text, getattr(control, "max_length", None)))
    raise TypeError(f"No link carries {name}, a {type(control).__name__}.")


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(control: gr.Slider | gr.Number, value: str) -> int | float:
    found = float(value)
    number = int(found) if found.is_integer() else found
    check(control, "", number)
    return number


def _several(known: Collection[str], value: str) -> list[str]:
    return [one for one in known if one in parts(value)]


def _any(value: str) -> list[str | int]:
    return [int(one) if one.isdecimal() else one for one in parts(value)]


def _others(known: Collection[str], value: str) -> str:
    return ",".join(one for one in parts(value) if one not in known)


def _text(longest: int | None, value: str) -> str:
    if longest is not None and len(value) > longest:
        raise ValueError(value[:longest])
    return value


def write(section: str, fields: Mapping[str, Field], values: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a link to a section for what its controls hold; what holds nothing is left out."""
    return {
        f"{section}{WITHIN}{name}": field.write(values[name]) for name, field in fields.items() if values[name] is not None
    }


def given(section: str, query: Mapping[str, str]) -> dict[str, str]:
    """What a query gives of a section, by the names of controls."""
    own = section + WITHIN
    return {name.removeprefix(own): value for name, value in query.items() if name.startswith(own)}


def read(fields: Mapping[str, Field], values: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the fields take of the values given by name, and what they do not take; what is nobody's too."""
    taken: dict[str, Any] = {}
    left: dict[str, str] = {}
    for name, value in values.items():
        rest = left_of(fields[name], value) if name in fields else value
        if rest:
            left[name] = rest
        if name in fields and (rest != value or not value):
            with suppress(ValueError):  # a number that is left empty is none
                taken[name] = fields[name].read(value)
    return taken, left
