"""
From a sheet to pairs: which column is the prompt and which the response, and every line that becomes no pair, with the
reason. Knows nothing about tasks, models or the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from playground import settings
from playground.data import headers
from playground.data.given import Given
from playground.data.letters import CONTROL
from playground.data.reading import read as read_sheet
from playground.data.sheet import LeftOut, Sheet
from playground.errors import PlaygroundError

USERS, ASSISTANTS = ("user", "human"), ("assistant", "gpt", "model", "bot", "chatbot")
LOOKED = 20  # rows that are looked at for a conversation
SPLIT = "split"  # the column that may say which pairs are held out
HELD_OUT = ("held_out", "test", "validation", "valid", "val", "dev", "eval")  # what it calls them

NONE = Sheet((), ())


@dataclass(frozen=True)
class Pair:
    """A prompt and its response, the line of the file or table that they begin in, from 1, and whether it holds them out."""

    line: int
    prompt: str
    response: str
    held_out: bool = False


@dataclass(frozen=True)
class Columns:
    """What is what, and how that is known: "chosen", "named", "alpaca", "chat" or by the "places" of the columns."""

    prompt: str
    response: str
    context: str = ""
    how: str = "named"

    @property
    def used(self) -> tuple[str, ...]:
        return (self.prompt, self.context, self.response)


@dataclass(frozen=True)
class Table:
    """The pairs of a sheet, how they were found, and what was left out. `splits`: whether a column says what is held out."""

    pairs: tuple[Pair, ...]
    sheet: Sheet = NONE
    columns: Columns | None = None
    left_out: tuple[LeftOut, ...] = ()
    splits: bool = False

    @property
    def unused(self) -> tuple[str, ...]:
        used = (*(self.columns.used if self.columns else ()), *([SPLIT] if self.splits else []))
        return tuple(name for name in self.sheet.columns if name not in used)


def read(given: Given) -> Table:
    """The table of what was handed over. Raises PlaygroundError as `reading.read` and `columns_of`."""
    return table_of(read_sheet(given), given)


def table_of(sheet: Sheet, given: Given) -> Table:
    """The pairs of a sheet. Raises PlaygroundError as `columns_of`."""
    if not sheet.rows:
        return Table((), sheet, left_out=sheet.left_out)
    columns = columns_of(sheet, given)
    place = {name: number for number, name in enumerate(sheet.columns)}
    splits = SPLIT in place and SPLIT not in columns.used and _splits([cells[place[SPLIT]] for _, cells in sheet.rows])
    pairs, out, seen = list[Pair](), list(sheet.left_out), set[str]()
    for line, cells in sheet.rows:
        row = {name: cells[number] for name, number in place.items()}
        prompt, response = _said(row, columns)
        reason = _wrong(prompt, response)
        if not reason and prompt in seen:
            reason = "repeated"
        if not reason and len(pairs) == settings.MAX_OWN_EXAMPLES:
            reason = "many"
        if reason:
            out.append(LeftOut(line, reason))
            continue
        seen.add(str(prompt))
        pairs.append(Pair(line, str(prompt), str(response), splits and _holds_out(row[SPLIT])))
    return Table(tuple(pairs), sheet, columns, tuple(sorted(out, key=lambda one: one.line)), splits)


def columns_of(sheet: Sheet, given: Given) -> Columns:
    """
    Which columns are what: as chosen, or by their names, by the conversations in one, or the only two by their places.
    Raises PlaygroundError for a chosen one that there is not, and where it cannot be told.
    """
    for name in (given.prompt, given.context, given.response):
        if name and name not in sheet.columns:
            raise PlaygroundError("data_no_column", column=name[:80], known=", ".join(sheet.columns)[:200])
    guessed = _guessed(sheet)
    if given.prompt or given.response:
        prompt = given.prompt or (guessed.prompt if guessed else "")
        response = given.response or (guessed.response if guessed else "")
        if prompt and response:
            asked = Columns(prompt, response, given.context, "chosen")
            return guessed if guessed and asked.used == guessed.used else asked
        guessed = None
    if guessed is None and sheet.header is False:
        raise PlaygroundError("data_map_places", count=len(sheet.columns))
    if guessed is None:
        raise PlaygroundError("data_map", columns=", ".join(sheet.columns)[:200])
    return guessed


def _guessed(sheet: Sheet) -> Columns | None:
    names = sheet.columns
    if found := headers.alpaca(names):
        return Columns(names[found[0]], names[found[2]], names[found[1]], "alpaca")
    if order := headers.order(names):
        return Columns(names[order[0]], names[order[1]])
    chats = [name for place, name in enumerate(names) if any(_is_chat(cells[place]) for _, cells in sheet.rows[:LOOKED])]
    if chats:
        one = next((name for name in headers.CHATS if name in chats), chats[0])
        return Columns(one, one, how="chat")
    if len(names) == 2 and sheet.header is not None:
        prompt, response = reversed(names) if headers.turned(names) else names
        return Columns(prompt, response, how="places")
    return None


# A row's prompt and response


def _said(row: Mapping[str, Any], columns: Columns) -> tuple[str | None, str | None]:
    """As texts; None for what is none."""
    if columns.prompt == columns.response:
        return _exchange(row[columns.prompt])
    prompt, response = _text(row[columns.prompt], USERS), _text(row[columns.response], ASSISTANTS)
    context = _text(row[columns.context], USERS) if columns.context else ""
    return f"{prompt}\n\n{context}" if prompt and context else prompt, response


def _text(cell: Any, roles: Sequence[str]) -> str | None:
    """What a cell says: a number, a yes or no and an object as JSON writes them, of messages the first of the roles."""
    if isinstance(cell, str):
        return cell.strip()
    if cell is None:
        return ""
    if _is_chat(cell):
        return next((said for role, said in _messages(cell) if role in roles), None)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, bool | int | float | dict):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return None


def _exchange(cell: Any) -> tuple[str | None, str | None]:
    """The first question of a conversation that is answered, and its answer."""
    messages = _messages(cell) if _is_chat(cell) else []
    for (role, asked), (next_role, answered) in pairwise(messages):
        if role in USERS and next_role in ASSISTANTS:
            return asked, answered
    return None, None


def _is_chat(cell: Any) -> bool:
    return (
        isinstance(cell, list)
        and bool(cell)
        and all(isinstance(one, dict) and {"role", "from"} & one.keys() for one in cell)
    )


def _messages(cell: Sequence[Mapping[str, Any]]) -> list[tuple[str, str | None]]:
    """The roles and texts of a conversation, of messages with `role` and `content` or, as ShareGPT, `from` and `value`."""
    return [(str(one.get("role") or one.get("from")).lower(), _content(one)) for one in cell]


def _content(message: Mapping[str, Any]) -> str | None:
    told = message.get("content", message.get("value"))
    if isinstance(told, list):  # in parts, of which we read the text
        told = "".join(str(part.get("text") or "") for part in told if isinstance(part, dict))
    return told.strip() if isinstance(told, str) else None


def _wrong(prompt: str | None, response: str | None) -> str:
    """Why this is no pair; "" if it is one."""
    if prompt is None or response is None:
        return "no_text"
    if not prompt or not response:
        return "empty"
    if CONTROL.search(prompt) or CONTROL.search(response):
        return "control"
    if max(len(prompt), len(response)) > settings.MAX_EXAMPLE_CHARACTERS:
        return "long"
    return "header" if headers.order((prompt, response)) else ""


def _splits(cells: Sequence[Any]) -> bool:
    """Whether a column holds some rows out, and not all."""
    held = [_holds_out(cell) for cell in cells]
    return any(held) and not all(held)


def _holds_out(cell: Any) -> bool:
    return str(cell).strip().lower() in HELD_OUT
