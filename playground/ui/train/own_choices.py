"""
What can be chosen about a visitor's own examples, in words, and what counts as chosen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from playground.adapt.own import COLUMN, HELD_OUT, LAST, MIXED, most_held_out, split_of
from playground.adapt.scorers import OWN as SCORERS
from playground.data.delimited import CUTS
from playground.data.given import Given
from playground.data.letters import SAID
from playground.data.reading import TEXT
from playground.data.sheet import Sheet
from playground.data.tables import Table
from playground.locales import number, text
from playground.ui.train import own_html

COLUMNS = ("prompt", "context", "response")
HELD = (4, 8, 16, 32, 64, 128)  # how many can be held out, besides the usual


def splits(table: Table, language: str) -> list[tuple[str, str]]:
    found = "own.split.found.column" if table.splits else "own.split.found"
    more = [(text(language, "own.split.mixed"), MIXED)] if table.splits else []
    return [(text(language, found), ""), (text(language, "own.split.last"), LAST), *more]


def counts(table: Table, language: str) -> list[tuple[str, int]]:
    """The usual number and others, up to half of the pairs."""
    least, most = HELD_OUT
    found = number(language, max(least, min(most, len(table.pairs) // 5)))
    usual = text(language, "own.held_out.usual", count=found) if table.pairs else text(language, "own.held_out.usual.unread")
    return [
        (usual, 0),
        *((number(language, one), one) for one in HELD if one <= most_held_out(table)),
    ]


def scorers(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"own.scorer.{name or 'none'}"), name) for name in ("", *SCORERS)]


def encodings(language: str) -> list[tuple[str, str]]:
    return [(text(language, "own.found"), ""), *((said, name) for name, said in SAID.items())]


def separators(language: str) -> list[tuple[str, str]]:
    return [(text(language, "own.found"), ""), *((text(language, f"own.cut.{cut}"), one) for one, cut in CUTS.items())]


def header_choices(language: str) -> list[tuple[str, str]]:
    return [(text(language, "own.found"), ""), *((text(language, f"own.first.{one}"), one) for one in ("yes", "no"))]


def offered(given: Given, sheet: Sheet | None, table: Table | None, language: str) -> dict[str, Any]:
    """Columns, split and number as they can be chosen in this table, with what counts chosen."""
    names = [(own_html.column_choice(name, sheet, language), name) for name in sheet.columns] if sheet else []
    chosen = (table.columns if table else None) or in_columns(given, sheet or Sheet((), ()))
    changes: dict[str, Any] = {}
    for name in COLUMNS:
        empty = [(text(language, "own.use.nothing") if name == "context" else "", "")]
        changes[name] = gr.update(choices=[*empty, *names], value=getattr(chosen, name), visible=len(names) > 0)
    table = table or Table(())
    split = "" if given.split == MIXED and not table.splits else given.split
    by_column = bool(table.pairs) and split_of(table, replace(given, split=split)) == COLUMN
    changes["split"] = gr.update(choices=splits(table, language), value=split)
    numbers = counts(table, language)
    held_out = given.held_out if given.held_out in [one for _, one in numbers] else 0
    changes["held_out"] = gr.update(choices=numbers, value=held_out, visible=not by_column)
    return changes


def how(given: Given, sheet: Sheet | None, wrong: str, fresh: bool) -> dict[str, Any]:
    """Encoding, separator and first line where a text has them; of `fresh` data they are found."""
    of_file = bool(given.file) and str(given.file).lower().endswith(TEXT)
    cut = bool(sheet and sheet.separator) or wrong in ("data_ambiguous", "data_columns", "data_quotes", "data_header")
    lines = bool(sheet and sheet.header is not None) or wrong == "data_header"
    seen = {"encoding": of_file, "separator": cut or bool(given.separator), "header": lines or bool(given.header)}
    value = {"value": ""} if fresh else {}
    return {name: gr.update(visible=visible, **value) for name, visible in seen.items()}


def in_columns(given: Given, sheet: Sheet) -> Given:
    """The chosen columns as they are called here; without those that another table had."""
    chosen: dict[str, Any] = {name: _called(getattr(given, name), sheet) for name in COLUMNS}
    return replace(given, **chosen)


def _called(name: str, sheet: Sheet) -> str:
    """A column by its name; by its place, where the first line has become a header or an example meanwhile; "" for none."""
    if name in sheet.columns:
        return name
    first = [str(cell).strip() for cell in sheet.rows[0][1]] if sheet.rows and sheet.header is False else []
    if name and name in first:
        return sheet.columns[first.index(name)]
    place = int(name) if sheet.header and name.isdecimal() else 0
    return sheet.columns[place - 1] if 0 < place <= len(sheet.columns) else ""
