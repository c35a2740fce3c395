"""
Numbers that a visitor types: what their field cannot hold is refused in words, before Gradio rounds it or says so in
English. While it is typed, theme.js says the same beside the field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales
from playground.errors import PlaygroundError

NOTHING = "–"  # what an empty field is repeated as


@dataclass(frozen=True)
class Numbers:
    """The fields of a page: the key of each one's label by its id, and the id of what knows the visitor's language."""

    labels: Mapping[int, str]
    language: int

    def check(self, fields: Sequence[Any], values: Sequence[Any], state: Any, otherwise: str) -> None:
        """
        Raises gr.Error, in the visitor's language (`otherwise` where none of the `fields` knows it), for the first number
        that is outside of its field's range, no whole one where only those count, or none at all. `state` has the fields,
        by id, that changed on this visitor's page.
        """
        given = [(field._id, field, value) for field, value in zip(fields, values, strict=False)]
        language = locales.choose(*(value for one, _, value in given if one == self.language), otherwise)
        for one, field, value in given:
            if isinstance(field, gr.Number | gr.Slider) and one in self.labels:
                try:
                    shown = state[one] if one in state else field  # noqa: SIM401  gradio's has no get
                    check(shown, locales.text(language, self.labels[one]), value)
                except PlaygroundError as error:
                    raise gr.Error(error.message(language), print_exception=False) from error


def check(field: gr.Number | gr.Slider, name: str, value: Any) -> None:
    """Raises PlaygroundError: `wrong_kind`, `out_of_range`."""
    whole = float(field.step or 1).is_integer()
    if not isinstance(value, int | float) or isinstance(value, bool) or (whole and value % 1):
        kind = "int" if whole else "float"
        raise PlaygroundError("wrong_kind", name=name, value=NOTHING if value is None else value, kind=kind)
    low, high = field.minimum, field.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise PlaygroundError("out_of_range", name=name, value=value, minimum=low, maximum=high)
