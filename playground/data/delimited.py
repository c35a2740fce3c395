"""
Text that is cut into cells: CSV with commas, semicolons or tabs, or what was copied from a spreadsheet.

The separator is recognised; where a text can be cut in more than one way, it is asked for. Knows nothing about what the
columns are for.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from playground import settings
from playground.data.given import Given
from playground.data.headers import EXACT, known
from playground.data.sheet import LeftOut, Sheet, of_cells
from playground.errors import Columns, PlaygroundError

SEPARATORS = (",", ";", "\t")
CUTS = {",": "comma", ";": "semicolon", "\t": "tab"}

SAID_LINES = 5  # of those that are wrong
MOST_WRONG = 1 / 3  # of the lines may have other columns than the rest; with more of them it is no such table
Rows = list[tuple[int, list[str]]]  # the line that each begins in, and its cells
MARK = re.compile("^\ufeff", re.MULTILINE)  # a file's own, and that of one put behind it
csv.field_size_limit(settings.MAX_OWN_BYTES)  # a long cell is told from a quotation mark without an end


def cut(text: str, given: Given, separators: Sequence[str] = SEPARATORS, encoding: str = "") -> Sheet:
    """
    The sheet of a text with two columns, or with more. Raises PlaygroundError: no separator, or more than one, cuts the
    lines so; a quotation mark without an end; and as `of_cells`.
    """
    if given.separator and given.separator not in SEPARATORS:
        raise PlaygroundError("data_separator_unknown", found=given.separator[:20])
    text = MARK.sub("", re.sub("\r\n?", "\n", text))
    first, _, rest = text.partition("\n")
    separators = given.separator or separators
    if declared := re.fullmatch(r"(?i)sep=([,;\t])", first.rstrip(" ")):  # how Excel is told its separator
        text, separators = "\n" + rest, given.separator or declared[1]
    readings, blanks, unclosed = dict[str, Rows](), dict[str, list[LeftOut]](), 0
    for one in separators:
        try:
            found = list(_cut(text, one))
            readings[one] = [(line, cells) for line, cells in found if any(cells)]
            blanks[one] = [LeftOut(line, "empty") for line, cells in found if not any(cells)]
        except PlaygroundError as error:
            unclosed = unclosed or int(str(error.values["line"]))
    if not readings:
        raise PlaygroundError("data_quotes", line=unclosed)
    if not any(readings.values()):
        return Sheet((), (), encoding=encoding)
    separator = _chosen(readings, CUTS.get("".join(separators), "any"))
    rows, columns = readings[separator], _width(readings[separator])
    wrong = (*blanks[separator], *(LeftOut(line, "columns") for line, cells in rows if len(cells) != columns))
    good = [(line, cells) for line, cells in rows if len(cells) == columns]
    return of_cells(good, given, separator=separator, encoding=encoding, left_out=wrong)


def _cut(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """
    The lines of a text, cut into stripped cells, without those that have nothing in them, not even separators. Raises
    PlaygroundError for a quote that is wrong.
    """
    reader, line = csv.reader(io.StringIO(text), delimiter=separator, strict=True, skipinitialspace=True), 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if len(cells) > 1 or any(stripped):
                yield line, stripped
            line = reader.line_num + 1
    except csv.Error as error:
        raise PlaygroundError("data_quotes", line=line) from error


def _chosen(readings: Mapping[str, Rows], cut: str) -> str:
    """
    The separator that is meant: it cuts every line into two columns, or into those of a first line with known names; else
    every line into as many; else nearly every one. Raises PlaygroundError if there is none, or more than one.
    """
    for columns in (2, 0):
        fitting = [one for one, rows in readings.items() if _fits(rows, columns)]
        ways = [one for one in fitting if known(readings[one][0][1])] or _ways(readings, fitting)
        if len(ways) > 1:
            raise PlaygroundError("data_ambiguous", ways=" · ".join(one.join(EXACT).replace("\t", "⇥") for one in ways))
        if ways:
            return ways[0]
    nearest = max(readings, key=lambda one: _nearness(readings[one]))
    rows = readings[nearest]
    columns = _width(rows)
    wrong = sum(len(cells) != columns for _, cells in rows)
    if columns < 2 or wrong > MOST_WRONG * len(rows):
        raise _misfit(rows, cut)
    return nearest


def _fits(rows: Rows, columns: int) -> bool:
    """Whether every line is cut into so many columns, or into those of a header with known names; 0: into any number."""
    if not rows:
        return False
    wanted = len(rows[0][1]) if known(rows[0][1]) or not columns else columns
    return wanted > 1 and all(len(cells) == wanted for _, cells in rows)


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
    """How many columns a table has: those of a first line with known names, else as many as most of its lines."""
    if known(rows[0][1]):
        return len(rows[0][1])
    return Counter(len(cells) for _, cells in rows).most_common(1)[0][0]


def _nearness(rows: Rows) -> tuple[int, int, int]:
    if not rows:
        return 0, 0, 0
    counts = [len(cells) for _, cells in rows]
    columns = _width(rows)
    return known(rows[0][1]), counts.count(columns) if columns > 1 else 0, sum(count > 1 for count in counts)


def _misfit(rows: Rows, cut: str) -> PlaygroundError:
    """Why no separator gives the columns, by the one that comes nearest; `cut` of the one that counts, or "any"."""
    columns = len(rows[0][1]) if known(rows[0][1]) else 2
    wrong = [(line, cells) for line, cells in rows if len(cells) != columns]
    listed = Columns(tuple((line, len(cells)) for line, cells in wrong[:SAID_LINES]), len(wrong) > SAID_LINES)
    text = " | ".join(wrong[0][1])[:80]
    if columns == 2:
        return PlaygroundError("data_columns", rows=listed, text=text, cut=cut)
    return PlaygroundError("data_columns_named", rows=listed, text=text, cut=cut, columns=columns)
