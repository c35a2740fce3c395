"""
A visitor's own examples, read as they were meant or not at all: a file, pasted text or typed rows in, pairs out.

Separator, header and encoding are recognised; where a table can be read in more than one way, or a first line may be a
header or an example, it is refused with what would be right. Knows nothing about tasks, models or the page.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground import settings
from playground.adapt.headers import EXACT, may_be_a_header, order
from playground.adapt.letters import CONTROL, SAID, decoded
from playground.errors import Columns, PlaygroundError

SEPARATORS = (",", ";", "\t")
CUTS = {",": "comma", ";": "semicolon", "\t": "tab"}
KINDS = {".csv": SEPARATORS, ".tsv": ("\t",), ".json": (), ".jsonl": ()}

SAID_LINES = 5  # of those that are wrong
Rows = list[tuple[int, list[str]]]  # the line that each begins in, and its cells
MARK = re.compile("^\ufeff", re.MULTILINE)  # a file's own, and that of one put behind it
csv.field_size_limit(settings.MAX_OWN_BYTES)  # a long cell is told from a quotation mark without an end


@dataclass(frozen=True)
class Pair:
    """A prompt and its response, and the line of the file or table that they begin in, from 1."""

    line: int
    prompt: str
    response: str


@dataclass(frozen=True)
class Table:
    """
    The pairs of a table and how they were found: `header` has what was written over prompt and over response (empty:
    nothing was), `left_out` the names of other fields; `separator` is "" where there is none.
    """

    pairs: tuple[Pair, ...]
    header: tuple[str, ...] = ()
    separator: str = ""
    encoding: str = SAID["utf_8"]
    left_out: tuple[str, ...] = ()


def read(path: str | Path) -> Table:
    """
    The table of a CSV (commas, semicolons or tabs), TSV, JSON or JSONL file.

    Raises PlaygroundError: another kind of file, too large, letters or syntax that cannot be read for certain, or as
    `parse` and `of_rows`.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise PlaygroundError("data_kind", kind=kind or path.name)
    if path.stat().st_size > settings.MAX_OWN_BYTES:
        raise PlaygroundError("data_too_large", maximum=settings.MAX_OWN_EXAMPLES)
    text, encoding = decoded(path.read_bytes())
    if KINDS[kind]:
        return parse(text, KINDS[kind], encoding)
    rows = _json_list(text) if kind == ".json" else _json_lines(text)
    return _table(rows, encoding=encoding)


def parse(text: str, separators: Sequence[str] = SEPARATORS, encoding: str = SAID["utf_8"]) -> Table:
    """
    The table of a text with two columns, or with more of which the first line names two. Raises PlaygroundError: no
    separator, or more than one, cuts every line so; a quotation mark without an end; a first line that may be a header or
    an example; pairs that are none.
    """
    if len(text) > settings.MAX_OWN_BYTES:
        raise PlaygroundError("data_too_large", maximum=settings.MAX_OWN_EXAMPLES)
    text = MARK.sub("", re.sub("\r\n?", "\n", text))
    first, _, rest = text.partition("\n")
    if declared := re.fullmatch(r"(?i)sep=([,;\t])", first.rstrip(" ")):  # how Excel is told its separator
        text, separators = "\n" + rest, declared[1]
    readings, unclosed = dict[str, Rows](), 0
    for one in separators:
        try:
            readings[one] = list(_cut(text, one))
        except PlaygroundError as error:
            unclosed = unclosed or int(str(error.values["line"]))
    if not readings:
        raise PlaygroundError("data_quotes", line=unclosed)
    if not any(readings.values()):
        return Table(())
    fitting = {one: rows for one, rows in readings.items() if rows and all(len(cells) == _width(rows) for _, cells in rows)}
    if not fitting:
        raise _misfit(readings, CUTS.get("".join(separators), "any"))
    ways = [one for one, rows in fitting.items() if order(rows[0][1])] or _ways(readings, fitting)
    if len(ways) > 1:
        raise PlaygroundError("data_ambiguous", ways=" · ".join(one.join(EXACT).replace("\t", "⇥") for one in ways))
    return _table(fitting[ways[0]], ways[0], encoding)


def of_rows(rows: Iterable[Any]) -> Table:
    """
    The table of rows that somebody typed: pairs, or objects with fields that are called as columns may be. Raises
    PlaygroundError that lists every row that is no pair of texts (the first five).
    """
    return _table(list(enumerate(rows, start=1)), typed=True)


# Text to rows: the line that each begins in, and its cells or its object


def _cut(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a text that are not empty, cut into stripped cells. Raises PlaygroundError for a quote that is wrong."""
    reader, line = csv.reader(io.StringIO(text), delimiter=separator, strict=True, skipinitialspace=True), 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        raise PlaygroundError("data_quotes", line=line) from error


def _ways(readings: Mapping[str, Rows], fitting: Collection[str]) -> list[str]:
    """
    The separators that may be meant. A tab is never part of a text. Commas are: where they cut every line in two, but
    most lines have a semicolon or a tab, some line may just lack its own.
    """
    if "\t" in fitting:
        return ["\t"]
    often = [one for one, rows in readings.items() if sum(len(cells) > 1 for _, cells in rows) * 2 > len(rows)]
    return [one for one in readings if one in fitting or (one in often and "," in fitting)]


def _width(rows: Rows) -> int:
    """How many columns a table has: those of a first line that names prompt and response among others, else two."""
    return len(rows[0][1]) if order(rows[0][1]) else 2


def _misfit(readings: Mapping[str, Rows], cut: str) -> PlaygroundError:
    """Why no separator gives the columns, by the one that comes nearest; `cut` of the one that counts, or "any"."""

    def nearness(rows: Rows) -> tuple[int, int, int]:
        counts = [len(cells) for _, cells in rows]
        return bool(rows and order(rows[0][1])), counts.count(2), sum(count > 1 for count in counts)

    rows = max(readings.values(), key=nearness)
    columns = _width(rows)
    wrong = [(line, cells) for line, cells in rows if len(cells) != columns]
    listed = Columns(tuple((line, len(cells)) for line, cells in wrong[:SAID_LINES]), len(wrong) > SAID_LINES)
    text = " | ".join(wrong[0][1])[:80]
    if columns == 2:
        return PlaygroundError("data_columns", rows=listed, text=text, cut=cut)
    return PlaygroundError("data_columns_named", rows=listed, text=text, cut=cut, columns=columns)


def _json_list(text: str) -> list[tuple[int, Any]]:
    found = _json(text)
    if not isinstance(found, list):
        raise PlaygroundError("data_no_list")
    decoder, place, line, rows = json.JSONDecoder(), text.index("[") + 1, 1 + text.count("\n", 0, text.index("[") + 1), []
    for entry in found:
        before, place = place, re.compile(r"[\s,]*").match(text, place).end()  # type: ignore[union-attr]  # it may be empty
        line += text.count("\n", before, place)
        rows.append((line, entry))
        before, place = place, decoder.raw_decode(text, place)[1]
        line += text.count("\n", before, place)
    return rows


def _json_lines(text: str) -> list[tuple[int, Any]]:
    return [(line, _json(one, line)) for line, one in enumerate(text.split("\n"), start=1) if one.strip()]


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


# Rows to pairs


def _table(
    rows: Sequence[tuple[int, Any]], separator: str = "", encoding: str = SAID["utf_8"], typed: bool = False
) -> Table:
    """
    Raises PlaygroundError for a first row that may be a header, for an object whose fields do not say which is which, and
    one that lists every row that is no pair of texts.
    """
    rows = [(line, row) for line, row in rows if not _empty(row)]
    places, columns, header, left_out = (0, 1), 2, EXACT if typed else (), dict[str, None]()
    if rows and isinstance(rows[0][1], list | tuple):
        first = rows[0][1]
        if named := order(first):
            places, columns, header, rows = named, len(first), (str(first[named[0]]), str(first[named[1]])), rows[1:]
            left_out = {str(name) or f"#{place}": None for place, name in enumerate(first, 1) if place - 1 not in named}
        elif not typed and all(isinstance(one, str) for one in first) and may_be_a_header(first):
            raise PlaygroundError("data_header", line=rows[0][0], text=" | ".join(map(str, first))[:80])
    pairs, wrong, long = [], [], []
    for line, row in rows:
        cells = row
        if isinstance(row, dict):
            names = _fields(row, line)
            header, cells = header or names, [row[name] for name in names]
            left_out |= dict.fromkeys(name for name in row if name not in names)
        elif isinstance(row, list | tuple) and len(row) == columns:
            cells = [row[place] for place in places]
        if not isinstance(cells, list | tuple) or len(cells) != 2 or not all(map(_is_text, cells)) or order(cells):
            wrong.append(line)
        elif max(map(len, cells)) > settings.MAX_EXAMPLE_CHARACTERS:
            wrong.append(line)
            long.append(line)
        else:
            pairs.append(Pair(line, cells[0].strip(), cells[1].strip()))
    if wrong:
        raise _wrong(wrong, long)
    return Table(tuple(pairs), header, separator, encoding, tuple(left_out))


def _empty(row: Any) -> bool:
    """Whether somebody left a row of a table blank."""
    cells = list(row.values()) if isinstance(row, dict) else row
    return isinstance(cells, list | tuple) and bool(cells) and not any(str(one).strip() for one in cells if one is not None)


def _fields(row: dict[str, Any], line: int) -> tuple[str, str]:
    """The names of an object's prompt and response. Raises PlaygroundError if they are missing or more than one."""
    names = list(row)
    found = order(names)
    if found is None:
        raise PlaygroundError("data_fields", line=line, found=", ".join(row)[:80] or "–")
    return names[found[0]], names[found[1]]


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str) and bool(cell.strip()) and not CONTROL.search(cell)


def _wrong(lines: Sequence[int], long: Collection[int]) -> PlaygroundError:
    """That lines are no pairs of texts, or `long` ones: the first of them."""
    most = settings.MAX_EXAMPLE_CHARACTERS
    if len(lines) == 1:
        return PlaygroundError("data_row_long" if long else "data_row", rows=str(*lines), maximum=most)
    said = [f"{line} (> {most})" if line in long else str(line) for line in lines[:SAID_LINES]]
    return PlaygroundError("data_rows", rows=", ".join(said) + ("…" if len(lines) > SAID_LINES else ""), maximum=most)
