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
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground import settings
from playground.adapt.letters import CONTROL, SAID, decoded
from playground.errors import Columns, PlaygroundError

SEPARATORS = (",", ";", "\t")
KINDS = {".csv": SEPARATORS, ".tsv": ("\t",), ".json": (), ".jsonl": ()}

# What columns and fields are called, without accents and in small letters
PROMPTS = frozenset(
    "prompt prompts instruction instructions input inputs question questions query q user human "
    "pregunta preguntas entrada entradas instruccion instrucciones consulta consultas enunciado usuario".split()
)
RESPONSES = frozenset(
    "response responses output outputs answer answers completion completions reply a assistant "
    "respuesta respuestas salida salidas contestacion contestaciones asistente".split()
)
EXACT = ("prompt", "response")  # beside these, other fields of an object may have any name
LIKE_A_NAME = re.compile(r"\W*([^\W\d]\w*|[^\W\d]+(\W+[^\W\d]+){1,3}|(column|columna|field|campo) \w+|\d)\W*")
SPOKEN = re.compile(r"[.,;:!?¡¿…]")  # in sentences, not in names
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
    The table of a text with two columns. Raises PlaygroundError: no separator, or more than one, cuts every line in two;
    a quotation mark without an end; a first line that may be a header or an example; pairs that are none.
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
    fitting = {one: rows for one, rows in readings.items() if rows and all(len(cells) == 2 for _, cells in rows)}
    if not fitting:
        raise _misfit(readings)
    ways = [one for one, rows in fitting.items() if _order(rows[0][1])] or _ways(readings, fitting)
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


def _misfit(readings: Mapping[str, Rows]) -> PlaygroundError:
    """Why no separator gives two columns, by the one that comes nearest."""
    rows = max(readings.values(), key=lambda rows: (sum(len(c) == 2 for _, c in rows), sum(len(c) > 1 for _, c in rows)))
    wrong = [(line, cells) for line, cells in rows if len(cells) != 2]
    listed = Columns(tuple((line, len(cells)) for line, cells in wrong[:SAID_LINES]), len(wrong) > SAID_LINES)
    return PlaygroundError("data_columns", rows=listed, text=" | ".join(wrong[0][1])[:80])


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
    order, header, left_out = (0, 1), EXACT if typed else (), dict[str, None]()
    if rows and isinstance(rows[0][1], list | tuple):
        first = rows[0][1]
        if named := _order(first):
            order, header, rows = named, (str(first[named[0]]), str(first[named[1]])), rows[1:]
        elif not typed and all(isinstance(one, str) for one in first) and _may_be_a_header(first):
            raise PlaygroundError("data_header", line=rows[0][0], text=" | ".join(map(str, first))[:80])
    pairs, wrong = [], []
    for line, row in rows:
        cells = row
        if isinstance(row, dict):
            names = _fields(row, line)
            header, cells = header or names, [row[name] for name in names]
            left_out |= dict.fromkeys(name for name in row if name not in names)
        elif isinstance(row, list | tuple) and len(row) == 2:
            cells = [row[place] for place in order]
        if not isinstance(cells, list | tuple) or len(cells) != 2 or not all(map(_is_text, cells)) or _order(cells):
            wrong.append(str(line))
        elif max(map(len, cells)) > settings.MAX_EXAMPLE_CHARACTERS:
            wrong.append(f"{line} (> {settings.MAX_EXAMPLE_CHARACTERS})")
        else:
            pairs.append(Pair(line, cells[0].strip(), cells[1].strip()))
    if wrong:
        raise PlaygroundError("data_rows", rows=_first(wrong), maximum=settings.MAX_EXAMPLE_CHARACTERS)
    return Table(tuple(pairs), header, separator, encoding, tuple(left_out))


def _empty(row: Any) -> bool:
    """Whether somebody left a row of a table blank."""
    cells = list(row.values()) if isinstance(row, dict) else row
    return isinstance(cells, list | tuple) and bool(cells) and not any(str(one).strip() for one in cells if one is not None)


def _fields(row: dict[str, Any], line: int) -> tuple[str, str]:
    """The names of an object's prompt and response. Raises PlaygroundError if they are missing or more than one."""

    def called(names: Collection[str]) -> list[str]:
        return [field for field in row if _plain(field) in names]

    prompts, responses = called(EXACT[:1]) or called(PROMPTS), called(EXACT[1:]) or called(RESPONSES)
    if len(prompts) != 1 or len(responses) != 1:
        raise PlaygroundError("data_fields", line=line, found=", ".join(row)[:80] or "–")
    return prompts[0], responses[0]


def _order(cells: Sequence[Any]) -> tuple[int, int] | None:
    """Where the columns of prompt and response stand, if these cells name them."""
    names = [_plain(cell) for cell in cells]
    orders = [(0, 1), (1, 0)] if len(names) == 2 else []
    return next((one for one in orders if names[one[0]] in PROMPTS and names[one[1]] in RESPONSES), None)


def _may_be_a_header(cells: Sequence[Any]) -> bool:
    """Whether a first line that names no known columns looks as if it named some."""
    names = [_plain(cell) for cell in cells]
    known = any(name in PROMPTS | RESPONSES for name in names)
    return known or all(LIKE_A_NAME.fullmatch(name) and not SPOKEN.search(name) for name in names)


def _plain(name: Any) -> str:
    """A name in small letters, without accents, without the marks around it."""
    letters = unicodedata.normalize("NFKD", str(name).strip(" \t:*_\"'").casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str) and bool(cell.strip()) and not CONTROL.search(cell)


def _first(rows: Sequence[str]) -> str:
    return ", ".join(rows[:SAID_LINES]) + ("…" if len(rows) > SAID_LINES else "")
