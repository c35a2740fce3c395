"""
The first sheet of an Excel workbook (.xlsx) that has anything in it, by openpyxl: the values that a spreadsheet shows.

A formula counts as the value that was saved with it; one without is left out. Nothing is calculated.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from playground import settings
from playground.data.given import Given
from playground.data.sheet import ROW, LeftOut, Row, Sheet, of_cells
from playground.errors import PlaygroundError

# What openpyxl raises for a workbook that is none
WRONG = (
    zipfile.BadZipFile, zlib.error, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError,
    EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip


def read(file: BinaryIO, given: Given) -> Sheet:
    """Raises PlaygroundError: no workbook of today's kind, a password, empty, too much unpacked; and as `of_cells`."""
    try:
        with zipfile.ZipFile(file) as packed:
            unpacked = sum(one.file_size for one in packed.infolist())  # more than that, zipfile unpacks of none
    except WRONG as error:  # also Excel 97, and workbooks with a password
        raise PlaygroundError("data_excel") from error
    if unpacked > settings.MAX_OWN_UNPACKED_BYTES:
        raise PlaygroundError("data_unpacked", maximum=settings.MAX_OWN_UNPACKED_BYTES // 1_000_000)
    try:
        name, others, rows, left_out, more = _rows(file)
    except WRONG as error:
        raise PlaygroundError("data_excel") from error
    if not rows and not left_out:
        raise PlaygroundError("data_empty")
    part = name if others else ""
    return of_cells(rows, given, left_out=tuple(left_out), part=part, others=others, more=more, counted=ROW)


def _rows(file: BinaryIO) -> tuple[str, tuple[str, ...], list[Row], list[LeftOut], bool]:
    """The sheet's name, those of the others, its rows, those with a formula without value, whether it goes on."""
    from openpyxl import load_workbook

    shown, formulas = (load_workbook(file, read_only=True, data_only=values, keep_links=False) for values in (True, False))
    names = [sheet.title for sheet in shown.worksheets]
    for name in names:
        rows, left_out, more = list[Row](), list[LeftOut](), False
        for line, (cells, behind) in enumerate(zip(_cells(shown[name]), _cells(formulas[name]), strict=False), 1):
            more = line > settings.MAX_OWN_ROWS
            if more:
                break
            if any(cell is None and str(formula).startswith("=") for cell, formula in zip(cells, behind, strict=False)):
                left_out.append(LeftOut(line, "formula"))
            elif any(cell is not None for cell in cells):
                rows.append((line, [_plain(cell) for cell in cells]))
        if rows or left_out:
            return name, tuple(one for one in names if one != name), _without_edge(rows), left_out, more
    return "", (), [], [], False


def _cells(sheet: Any) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # what a file says of itself
    yield from sheet.iter_rows(max_row=settings.MAX_OWN_ROWS + 1, max_col=settings.MAX_OWN_COLUMNS + 1, values_only=True)


def _without_edge(rows: list[Row]) -> list[Row]:
    """Without the empty columns on the right, which had a format once."""
    wide = max((place for _, cells in rows for place, cell in enumerate(cells, 1) if cell not in (None, "")), default=0)
    return [(line, cells[:wide]) for line, cells in rows]


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime) and not (cell.hour or cell.minute or cell.second):
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date | time) else cell
