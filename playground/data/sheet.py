"""
A table before anybody has said what its columns are for: named columns, and rows with the lines of their file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground import settings
from playground.data.given import Given
from playground.data.headers import could_be_names, half_known, known, may_be_a_header
from playground.errors import PlaygroundError

Row = tuple[int, Any]  # the line that it begins in, from 1, and its cells or its fields

# Why a line becomes no pair
REASONS = (
    "columns", "json", "no_row", "formula", "no_text", "empty", "control", "long", "header", "repeated", "many", "tokens",
)  # fmt: skip

UNITS = LINE, ROW, ENTRY = "line", "row", "entry"  # of a text, of a table, of a JSON list


@dataclass(frozen=True)
class LeftOut:
    """A line that became no pair, and why, by one of REASONS."""

    line: int
    reason: str


@dataclass(frozen=True)
class Sheet:
    """
    `header`: whether the first line names the columns (otherwise they are called by their places, from 1); None where every
    row names its own. `separator` is "" where there is none. `part` says which file or sheet of several it is, `others` what
    the other sheets are called; there is `more` where only its beginning was looked at. `counted`: what the numbers of the
    rows count, by one of UNITS; `entries` are the lines of a JSON list's entries where those count.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[Any, ...]], ...]
    header: bool | None = None
    separator: str = ""
    encoding: str = ""
    left_out: tuple[LeftOut, ...] = ()
    part: str = ""
    others: tuple[str, ...] = ()
    more: bool = False
    counted: str = LINE
    entries: tuple[int, ...] = ()


def of_cells(rows: Sequence[Row], given: Given, *, typed: bool = False, **found: Any) -> Sheet:
    """
    The sheet of rows that are lists of cells. Raises PlaygroundError if they are too wide, and where the first row may be a
    header or an example (typed rows are examples, unless they have known names).
    """
    rows = [(line, list(cells)) for line, cells in rows if not blank(cells)]
    if not rows:
        return Sheet((), (), **found)
    wide = max(len(cells) for _, cells in rows)
    _check_width(wide)
    header = _is_header(rows[0], given, typed)
    first = [("" if cell is None else str(cell).strip()) for cell in rows[0][1]] if header else []
    names = [*first, *[""] * (wide - len(first))]
    columns = _different([name or str(place) for place, name in enumerate(names, 1)])
    filled = tuple((line, (*cells, *[None] * (wide - len(cells)))) for line, cells in rows[header:])
    return Sheet(columns, filled, header, **found)


def of_fields(rows: Sequence[tuple[int, Mapping[str, Any]]], **found: Any) -> Sheet:
    """The sheet of objects, whose columns are all their fields. Raises PlaygroundError if these are too many."""
    columns = tuple(dict.fromkeys(name for _, row in rows for name in row))
    _check_width(len(columns))
    filled = tuple((line, tuple(row.get(name) for name in columns)) for line, row in rows if not blank(row))
    return Sheet(columns, filled, **found)


def blank(row: Any) -> bool:
    """Whether somebody left a row of a table empty."""
    cells = list(row.values()) if isinstance(row, Mapping) else row
    return isinstance(cells, list | tuple) and not any(str(one).strip() for one in cells if one is not None)


def _is_header(first: Row, given: Given, typed: bool) -> bool:
    line, cells = first
    if given.header in ("yes", "no"):
        return given.header == "yes"
    if known(cells) or typed or not all(isinstance(one, str) for one in cells if one is not None):
        return known(cells)
    texts = [one or "" for one in cells]
    looks, two = may_be_a_header(texts), len(cells) == 2
    if two and half_known(texts):
        return True
    if looks if two else not looks and could_be_names(texts):  # two names may well be an example, more are hardly one
        raise PlaygroundError("data_header", line=line, text=" | ".join(texts)[:80])
    return looks


def _check_width(columns: int) -> None:
    if columns > settings.MAX_OWN_COLUMNS:
        raise PlaygroundError("data_wide", found=columns, maximum=settings.MAX_OWN_COLUMNS)


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, a second one of a name with its place."""
    seen: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        seen[name if name not in seen else f"{name} ({place})"] = None
    return tuple(seen)
