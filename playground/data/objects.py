"""
JSON and JSON Lines: lists of cells, or objects with fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from playground.data.given import Given
from playground.data.sheet import ENTRY, LeftOut, Row, Sheet, blank, of_cells, of_fields
from playground.errors import PlaygroundError

GAP = re.compile(r"[\s,]*")


def listed(text: str, given: Given, encoding: str = "") -> Sheet:
    """
    The sheet of a JSON list, its entries by their lines or, where some are the same, by number. Raises PlaygroundError if it
    is none, or as `of_rows`.
    """
    found = _json(text)
    if not isinstance(found, list):
        raise PlaygroundError("data_no_list")
    decoder, place, line, rows = json.JSONDecoder(), text.index("[") + 1, 1 + text.count("\n", 0, text.index("[") + 1), []
    for entry in found:
        before, place = place, GAP.match(text, place).end()  # type: ignore[union-attr]  # it may be empty
        line += text.count("\n", before, place)
        rows.append((line, entry))
        before, place = place, decoder.raw_decode(text, place)[1]
        line += text.count("\n", before, place)
    begun = tuple(line for line, _ in rows)
    if len(set(begun)) == len(rows):
        return of_rows(rows, given, encoding=encoding, entries=begun)
    numbered = [(number, entry) for number, entry in enumerate(found, 1)]  # several on a line: their numbers say which
    return of_rows(numbered, given, encoding=encoding, counted=ENTRY)


def lines(text: str, given: Given, encoding: str = "") -> Sheet:
    """The sheet of JSON Lines. Raises PlaygroundError if half of them or more are none, or as `of_rows`."""
    rows, wrong = list[Row](), list[tuple[int, PlaygroundError]]()
    for line, one in enumerate(text.split("\n"), start=1):
        try:
            rows += [(line, _json(one, line))] if one.strip() else []
        except PlaygroundError as error:
            wrong.append((line, error))
    if wrong and len(wrong) >= len(rows):
        raise wrong[0][1]
    return of_rows(rows, given, encoding=encoding, left_out=tuple(LeftOut(line, "json") for line, _ in wrong))


def looks_like_json(text: str) -> bool:
    """Whether a pasted text is JSON: a list, or a first line that is an object."""
    try:
        return isinstance(_json(text if text.lstrip()[:1] == "[" else text.strip().partition("\n")[0]), list | dict)
    except PlaygroundError:
        return text.lstrip()[:2] in ("[{", "[[", '{"')


def of_rows(
    rows: Sequence[Row], given: Given, *, typed: bool = False, left_out: Sequence[LeftOut] = (), **found: Any
) -> Sheet:
    """
    The sheet of rows of one kind, that of the first: objects, or lists of cells; those of another are left out. Raises
    PlaygroundError as `of_cells` and `of_fields`.
    """
    rows = [(line, row) for line, row in rows if not (isinstance(row, dict | list | tuple) and blank(row))]
    named = bool(rows) and isinstance(rows[0][1], dict)
    objects = [(line, row) for line, row in rows if isinstance(row, dict)]
    lists = [(line, row) for line, row in rows if isinstance(row, list | tuple)]
    kinds = (dict,) if named else (list, tuple)
    out = [*left_out, *(LeftOut(line, "no_row") for line, row in rows if not isinstance(row, kinds))]
    if named:
        return of_fields(objects, left_out=tuple(out), **found)
    columns = len(lists[0][1]) if lists else 0
    out += [LeftOut(line, "columns") for line, row in lists if len(row) != columns]
    return of_cells([one for one in lists if len(one[1]) == columns], given, typed=typed, left_out=tuple(out), **found)


def _json(text: str, line: int = 1) -> Any:
    """A JSON text that begins in that line of its file. Raises PlaygroundError if it is none."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise PlaygroundError("data_json", line=line + error.lineno - 1, column=error.colno) from error
    except (ValueError, RecursionError) as error:  # endless numbers, endless brackets, a field twice
        raise PlaygroundError("data_json", line=line, column=1) from error


def _object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(fields)
    if len(found) < len(fields):
        raise ValueError("a field stands twice")
    return found
