"""
What was read of a visitor's own examples, as HTML: how many, what is what, the first as the model will see them, and what
was left out. Pure: values and a language in, HTML out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from playground import settings
from playground.actions.own import Reading
from playground.adapt.own import Piece
from playground.data.letters import SAID
from playground.data.sheet import LeftOut, Sheet
from playground.data.tables import Columns, Table
from playground.locales import counted, number, text
from playground.ui.kit.html import words
from playground.ui.train.status import PREPARES

SEPARATORS = {",": "own.separator.comma", ";": "own.separator.semicolon", "\t": "own.separator.tab"}
SAID_SPANS = 12  # of lines that were left out for one reason


def summary(found: Reading, method: str, language: str) -> str:
    """Everything about a table that was read."""
    lines = "".join(f'<p class="pp-soft pp-small">{one}</p>' for one in how(found.table, language))
    shown = first(found, method, language) if found.first else ""
    return how_many(found, method, language) + lines + shown + left_out(found.table.left_out, language)


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
        f'<li><span class="pp-soft">{words(language, "own.line", line=number(language, pair.line))}</span>'
        f'<pre class="pp-seen" tabindex="0">{"".join(map(_piece, pieces))}</pre></li>'
        for pair, pieces in found.first
    )
    every = [piece for _, pieces in found.first for piece in pieces]
    counts = {"learned": number(language, sum(one.learned for one in every)), "count": number(language, len(every))}
    key = "prepare.own.seen" if method == PREPARES else "own.seen"
    return f'<p class="pp-small pp-legend">{words(language, key, **counts)}</p><ol class="pp-pairs">{pairs}</ol>'


def _piece(piece: Piece) -> str:
    shown = escape(piece.text)
    return f"<mark>{shown}</mark>" if piece.learned else shown


def how(table: Table, language: str) -> list[str]:
    """What is what and how it was recognised, one sentence each."""
    sheet, said = table.sheet, list[str]()
    if sheet.part:
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


def left_out(lines: Sequence[LeftOut], language: str) -> str:
    """Behind a fold: the lines that became no pair, by the reason; "" without any."""
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
    head = escape(counted(language, "own.out", len(lines)))
    return f'<details class="pp-out"><summary>{head}</summary><ul>{items}</ul></details>'


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
