"""
The page's state in its address: one row per setting that a link can carry, one reader, one writer.

Bad or missing values fall back to the default, silently: a link is made by hand now and then. Knows no components.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from playground import settings


@dataclass(frozen=True)
class Field:
    name: str
    default: Any
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


def _list(value: str) -> list[str]:
    return [part for part in value.split(",") if part][: settings.MAX_PANES]


def _between(kind: Callable[[str], float], minimum: float, maximum: float) -> Callable[[str], float]:
    """Reads a number; one that the page's slider could not show is as bad as none."""

    def read(value: str) -> float:
        number = kind(value)
        if not minimum <= number <= maximum:
            raise ValueError(value)
        return number

    return read


FIELDS = (
    Field("tab", "compare"),
    Field("base", settings.DEFAULT_BASE),
    Field("prompt", ""),
    Field("panes", [], _list, ",".join),
    Field("max_new_tokens", 64, _between(int, 1, settings.MAX_NEW_TOKENS)),
    Field("temperature", 0.0, _between(float, 0.0, 2.0)),
    Field("top_p", 1.0, _between(float, 0.05, 1.0)),
    Field("repetition_penalty", 1.0, _between(float, 1.0, 2.0)),
    Field("seed", 0, _between(int, 0, 2**31 - 1)),
)


def read(query: Mapping[str, str]) -> dict[str, Any]:
    """Every field, from the query or its default."""
    return {field.name: _read(field, query.get(field.name)) for field in FIELDS}


def _read(field: Field, value: str | None) -> Any:
    try:
        return field.read(value) if value else copy(field.default)
    except ValueError:
        return copy(field.default)


def write(values: Mapping[str, Any]) -> str:
    """The query string of what differs from the default."""
    changed = {f.name: f.write(values[f.name]) for f in FIELDS if f.name in values and values[f.name] != f.default}
    return urlencode(changed)
