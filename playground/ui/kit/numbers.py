"""
Numbers that a visitor types: what their field cannot hold is refused in words, before Gradio rounds it or says so in
English. While it is typed, theme.js says the same beside the field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales
from playground.errors import PlaygroundError


@dataclass(frozen=True)
class Numbers:
    """
    The fields of a page: the key of each one's label by its id; the id of what knows the visitor's language; and the ids of
    where it is said why a button that was pressed did nothing.
    """

    labels: Mapping[int, str]
    language: int
    places: Collection[int] = ()

    def wrong(self, fields: Sequence[Any], values: Sequence[Any], state: Any, otherwise: str) -> str:
        """
        What is wrong with the first number that is outside of its field's range, no whole one where only those count, or
        none at all; "" if nothing is. In the visitor's language, `otherwise` where none of the `fields` knows it; `state`
        has the fields, by id, that changed on this visitor's page.
        """
        given = [(field._id, field, value) for field, value in zip(fields, values, strict=False)]
        language = locales.choose(*(value for one, _, value in given if one == self.language), otherwise)
        for one, field, value in given:
            if isinstance(field, gr.Number | gr.Slider) and one in self.labels:
                try:
                    shown = state[one] if one in state else field  # noqa: SIM401  gradio's has no get
                    check(shown, locales.text(language, self.labels[one]), value)
                except PlaygroundError as error:
                    return error.message(language)
        return ""


def check(field: gr.Number | gr.Slider, name: str, value: Any) -> None:
    """Raises PlaygroundError: `number_empty`, `number_whole`, `number_any`."""
    whole, low, high = float(field.step or 1).is_integer(), field.minimum, field.maximum
    if value is None or value == "":
        raise PlaygroundError("number_empty", name=name, minimum=low, maximum=high)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or (whole and value % 1) or not (low is None or value >= low) or not (high is None or value <= high):
        key = "number_whole" if whole else "number_any"
        raise PlaygroundError(key, name=name, value=value, minimum=low, maximum=high)
