"""
What was read of a visitor's own examples, as HTML: how many, what is what, the first as the model will see them, and what
was left out. Pure: values and a language in, HTML out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

from playground import settings
from playground.actions.own import Reading
from playground.adapt.own import Piece
from playground.bounds import shown
from playground.data.letters import SAID
from playground.data.sheet import ENTRY, LINE, ROW, Sheet
from playground.data.tables import Columns, Table
from playground.locales import counted, number, text
from playground.ui.kit.html import words
from playground.ui.train.status import PREPARES

SEPARATORS = {",": "own.separator.comma", ";": "own.separator.semicolon", "\t": "own.separator.tab"}
SAID_SPANS = 12  # of lines that were left out for one reason
SAID_SHEETS = 5  # of a workbook, that were not read
CELL, CHOICE = 16, 32  # characters of a column's first cells before it is chosen, and of all that its choice says


def summary(found: Reading, method: str, language: str) -> str:
    """Everything about a table that was read."""
    lines = "".join(f'<p class="pp-soft pp-small">{one}</p>' for one in how(found.table, language))
    pairs = first(found, method, language) if found.first else ""
    return how_many(found, method, language) + lines + pairs + left_out(found.table, language)


def how_many(found: Reading, method: str, language: str) -> str:
    """How many pairs, to train on or to choose from, and to hold out; or why they make no task."""
    if found.task is None:
        return f'<p class="pp-error" role="alert">{escape(found.wrong.message(language))}</p>' if found.wrong else ""
    counts = {"train": number(language, len(found.task.train)), "held_out": number(language, len(found.task.held_out))}
    key = "prepare.own.read" if method == PREPARES else "own.read"
    said = text(language, key, count=number(language, len(found.table.pairs)), **counts)
    rule = text(language, f"own.scored.{found.task.scorer or 'none'}")
    return f'<p class="pp-small"><b>{escape(said)}</b> {escape(rule)}</p>'


def first(found: Reading, method: str, language: str) -> str:
    """The first pairs, token by token; those that carry loss are marked."""
    pairs = "".join(
        f'<li><span class="pp-soft">{where(pair.line, found.table.sheet, language)}</span>'
        f'<pre class="pp-seen" tabindex="0">{"".join(map(_piece, pieces))}</pre></li>'
        for pair, pieces in found.first
    )
    every = [piece for _, pieces in found.first for piece in pieces]
    counts = {"learned": number(language, sum(one.learned for one in every)), "count": number(language, len(every))}
    key = "prepare.own.seen" if method == PREPARES else "own.seen"
    return f'<p class="pp-small pp-legend">{words(language, key, **counts)}</p><ol class="pp-pairs">{pairs}</ol>'


def where(line: int, sheet: Sheet, language: str) -> str:
    """Where a pair stands: in a line of a text, a row of a table; in a JSON list also the how many-th it is."""
    if line in sheet.entries:
        entry = number(language, sheet.entries.index(line) + 1)
        return words(language, "own.line.entry", line=number(language, line), entry=entry)
    return words(language, f"own.{sheet.counted}", line=number(language, line))


def _piece(piece: Piece) -> str:
    shown = escape(piece.text)
    return f"<mark>{shown}</mark>" if piece.learned else shown


def how(table: Table, language: str) -> list[str]:
    """What is what and how it was recognised, one sentence each."""
    sheet, said = table.sheet, list[str]()
    if sheet.others:
        said.append(words(language, "own.part.sheet", part=sheet.part, others=_some(sheet.others)))
    elif sheet.part:
        said.append(words(language, "own.part", part=sheet.part))
    if table.columns:
        said.append(_columns(table.columns, sheet, language))
    if sheet.separator:
        said.append(words(language, SEPARATORS[sheet.separator]))
    if sheet.encoding not in ("", SAID["utf_8"]):
        said.append(words(language, "own.encoding", encoding=sheet.encoding))
    if table.unused:
        said.append(words(language, "own.left_out", names=", ".join(table.unused)))
    if sheet.more:
        said.append(words(language, "own.more", count=number(language, len(sheet.rows) + len(sheet.left_out))))
    return said


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SAID_SHEETS]) + ("…" if len(names) > SAID_SHEETS else "")


def _columns(columns: Columns, sheet: Sheet, language: str) -> str:
    named = {
        name: column_name(getattr(columns, name), sheet, language) for name in ("prompt", "context", "response")
    }  # fmt: skip
    if columns.prompt == columns.response:
        return words(language, "own.chat", column=named["prompt"])
    if sheet.header is False and columns.how == "places":
        return words(language, "own.no_header")
    key = "own.header.context" if columns.context else "own.header"
    return words(language, key, **named)


def column_name(name: str, sheet: Sheet, language: str) -> str:
    """A column's own name, or its place."""
    return text(language, "own.column", place=name) if sheet.header is False and name else name


def column_choice(name: str, sheet: Sheet, language: str) -> str:
    """A column as it is chosen: with the beginning of its first cell or, where its place is its only name, of two."""
    place = sheet.columns.index(name)
    cells = (cells[place] for _, cells in sheet.rows)
    filled = islice((str(one) for one in cells if one is not None and str(one).strip()), 2 if sheet.header is False else 1)
    told = " · ".join(shown(" ".join(one.split()), CELL) for one in filled)
    called = column_name(name, sheet, language)
    return shown(f"{called}: {told}", CHOICE) if told else called


def left_out(table: Table, language: str) -> str:
    """Behind a fold: the lines that became no pair, by the reason; "" without any."""
    lines = table.left_out
    if not lines:
        return ""
    reasons = dict.fromkeys(one.reason for one in lines)
    limits = {
        "characters": number(language, settings.MAX_EXAMPLE_CHARACTERS),
        "tokens": number(language, settings.MAX_SEQUENCE_TOKENS), "pairs": number(language, settings.MAX_OWN_EXAMPLES),
    }  # fmt: skip
    items = "".join(
        f"<li>{words(language, f'own.out.{reason}', **limits)}: "
        f"{escape(spans((one.line for one in lines if one.reason == reason), language))}</li>"
        for reason in reasons
    )
    head = {
        LINE: counted(language, "own.lost.line", len(lines)),
        ROW: counted(language, "own.lost.row", len(lines)),
        ENTRY: counted(language, "own.lost.entry", len(lines)),
    }[table.sheet.counted]
    return f'<details class="pp-out"><summary>{escape(head)}</summary><ul>{items}</ul></details>'


def spans(lines: Iterable[int], language: str) -> str:
    """Lines as a sheet's reader would say them: 3, 5–9, 12."""
    found: list[list[int]] = []
    for line in sorted(lines):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    said = [number(language, a) if a == b else f"{number(language, a)}–{number(language, b)}" for a, b in found[:SAID_SPANS]]
    return ", ".join(said) + ("…" if len(found) > SAID_SPANS else "")
