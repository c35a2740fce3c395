"""
A visitor's own examples: what was read of them, as a base will see it, and the task that they make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playground.adapt import own
from playground.adapt.own import Piece
from playground.adapt.tasks import OWN, Task
from playground.data import reading, tables
from playground.data.given import Given
from playground.data.sheet import Sheet
from playground.data.tables import Pair, Table
from playground.errors import PlaygroundError
from playground.model.bases import BASES

FIRST = 3  # pairs that are shown


@dataclass(frozen=True)
class Reading:
    """
    A table, the first of its pairs as a base will see them, and the task that it makes; or, without one, why it makes
    none.
    """

    table: Table
    first: tuple[tuple[Pair, tuple[Piece, ...]], ...]
    task: Task | None
    wrong: PlaygroundError | None = None


def sheet_of(given: Given) -> Sheet:
    """What was handed over, cut into columns. Raises PlaygroundError if it cannot be read, or not for certain."""
    return reading.read(given)


def read(sheet: Sheet, given: Given, base_id: str) -> Reading:
    """
    What a base will see of a sheet. Raises PlaygroundError where it cannot be told which column is what (`data_map`),
    and where the base cannot be had.
    """
    table = tables.table_of(sheet, given)
    if table.pairs:
        table = own.within(table, BASES.get(base_id).tokenizer)
    first = tuple((pair, tuple(own.seen(BASES.get(base_id).tokenizer, pair))) for pair in table.pairs[:FIRST])
    try:
        return Reading(table, first, own.task_of(table, given))
    except PlaygroundError as error:
        return Reading(table, first, None, error)


def task_of(given: Given, base_id: str) -> Task:
    """The task of what was handed over. Raises PlaygroundError as `sheet_of`, `read` and `adapt.own.task_of`."""
    found = read(sheet_of(given), given, base_id)
    if found.task is None:
        raise found.wrong or PlaygroundError("internal", kind="Reading")
    return found.task


def asked(task_id: str, told: Mapping[str, Any], base_id: str) -> tuple[str | Task, dict[str, Any] | None]:
    """
    What a program wants to be learned: a ready-made task, or "own" with its own examples (the fields of `Given`), and what
    was read of these. Raises PlaygroundError for own examples with another task, or none, and as `task_of`.
    """
    if task_id != OWN:
        if told:
            raise PlaygroundError("own_other_task", task=OWN)
        return task_id, None
    given = Given.of(dict(told))
    found = read(sheet_of(given), given, base_id)
    if found.task is None:
        raise found.wrong or PlaygroundError("internal", kind="Reading")
    return found.task, as_json(found)


def as_json(found: Reading) -> dict[str, Any]:
    """What was read, as the API gives it."""
    table, task = found.table, found.task
    columns = table.columns
    return {
        "event": "examples",
        "pairs": len(table.pairs),
        "train": len(task.train) if task else 0,
        "held_out": len(task.held_out) if task else 0,
        "scorer": task.scorer if task else "",
        "columns": {"prompt": columns.prompt, "context": columns.context, "response": columns.response} if columns else None,
        "unused": list(table.unused),
        "encoding": table.sheet.encoding,
        "separator": table.sheet.separator,
        "header": table.sheet.header,
        "part": table.sheet.part,
        "more": table.sheet.more,
        "left_out": [{"line": one.line, "reason": one.reason} for one in table.left_out],
        "first": [
            {"line": pair.line, "pieces": [{"text": one.text, "learned": one.learned} for one in pieces]}
            for pair, pieces in found.first
        ],
        "error": str(found.wrong) if found.wrong else None,
    }
