"""Workbooks and Parquet, made by the libraries that people make them with, and those that are made to do harm."""

import struct
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from playground import settings
from playground.data import tables
from playground.data.given import Given
from playground.data.tables import Table
from playground.errors import PlaygroundError

PAIRS = [(f"question {n}", f"answer {n}") for n in range(10)]


def read(path: Path, **asked: Any) -> Table:
    return tables.read(Given(file=str(path), **asked))


def pairs_of(table: Table) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.response) for pair in table.pairs]


def left_out(table: Table) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in table.left_out]


def refusal(path: Path, **asked: Any) -> str:
    with pytest.raises(PlaygroundError) as refused:
        read(path, **asked)
    assert refused.value.message("es") != refused.value.message("en")
    return refused.value.key


# Workbooks


def book(path: Path, *rows: Any, before: Any = None) -> Path:
    made = openpyxl.Workbook()
    sheet = made.active
    for row in rows:
        sheet.append(row)
    if before:
        before(made)
    made.save(path)
    return path


def test_a_workbook_is_read_by_the_rows_of_its_sheet(tmp_path: Path) -> None:
    rows = [("id", "Question", "Answer"), *((n, *pair) for n, pair in enumerate(PAIRS)), (), (11, "alone", None)]
    table = read(book(tmp_path / "own.xlsx", *rows))
    assert pairs_of(table) == PAIRS
    assert [pair.line for pair in table.pairs] == list(range(2, 12))
    assert (table.unused, left_out(table)) == (("id",), [(13, "empty")])


def test_numbers_dates_and_marks_are_what_a_spreadsheet_shows(tmp_path: Path) -> None:
    cells = [
        (1.5, "1.5"),
        (3, "3"),
        (True, "true"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
    ]
    rows = [("prompt", "response"), *((f"q {n}", cell) for n, (cell, _) in enumerate(cells))]
    assert [pair.response for pair in read(book(tmp_path / "own.xlsx", *rows)).pairs] == [said for _, said in cells]


def test_a_formula_is_not_calculated(tmp_path: Path) -> None:
    """openpyxl saves no value with it, as a spreadsheet would."""
    path = book(tmp_path / "own.xlsx", ("prompt", "response"), ("a", "b"), ("c", '=HYPERLINK("http://x")'), ("=1+1", "d"))
    assert (pairs_of(read(path)), left_out(read(path))) == ([("a", "b")], [(3, "formula"), (4, "formula")])


def test_the_first_sheet_that_holds_something_is_read_and_named(tmp_path: Path) -> None:
    def second(made: Any) -> None:
        made.create_sheet("Daten").append(("prompt", "response"))
        made["Daten"].append(("a", "b"))

    table = read(book(tmp_path / "own.xlsx", before=second))
    assert (pairs_of(table), table.sheet.part, table.sheet.others) == ([("a", "b")], "Daten", ("Sheet",))


def test_empty_columns_on_the_right_are_none(tmp_path: Path) -> None:
    def wide(made: Any) -> None:
        made.active.cell(1, 40).font = openpyxl.styles.Font(bold=True)

    assert len(read(book(tmp_path / "own.xlsx", ("prompt", "response"), ("a", "b"), before=wide)).sheet.columns) == 2


def repacked(path: Path, name: str, content: bytes) -> Path:
    """A workbook with another file in it."""
    with zipfile.ZipFile(path) as packed:
        files = {one: packed.read(one) for one in packed.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for one, data in {**files, name: content}.items():
            packed.writestr(one, data)
    return path


SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sheet_of(rows: str, before: str = "") -> bytes:
    return f'<?xml version="1.0"?>{before}<worksheet xmlns="{NAMESPACE}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def test_a_workbook_that_unpacks_to_very_much_is_not_unpacked(tmp_path: Path) -> None:
    path = repacked(book(tmp_path / "own.xlsx", PAIRS[0]), SHEET, sheet_of(" " * (settings.MAX_OWN_UNPACKED_BYTES + 1)))
    assert path.stat().st_size < settings.MAX_OWN_BYTES
    assert refusal(path) == "data_unpacked"


def test_a_workbook_that_lies_about_its_size_is_damaged(tmp_path: Path) -> None:
    path = repacked(book(tmp_path / "own.xlsx", PAIRS[0]), SHEET, sheet_of(" " * 30_000_000))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", len(sheet_of(" " * 30_000_000))), struct.pack("<I", 900)))
    assert refusal(path) == "data_excel"


def test_a_row_far_below_costs_nothing(tmp_path: Path) -> None:
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'
    path = repacked(book(tmp_path / "own.xlsx", PAIRS[0]), SHEET, sheet_of(far))
    assert refusal(path) == "data_empty"


def test_entities_that_grow_are_not_followed(tmp_path: Path) -> None:
    grown = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE x [<!ENTITY a0 "ha">{grown}]>'
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>&a9;</t></is></c></row>'
    assert refusal(repacked(book(tmp_path / "own.xlsx", PAIRS[0]), SHEET, sheet_of(cell, laughs))) == "data_excel"


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"prompt,response\n", b"\0" * 1000],
    ids=["cut", "Excel 97 or a password", "CSV", "NUL"],
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.xlsx").write_bytes(content)
    assert refusal(tmp_path / "own.xlsx") == "data_excel"


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "csv", "tsv", "json", "jsonl"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, kind: str) -> None:
    (tmp_path / f"own.{kind}").write_bytes(b"")
    assert refusal(tmp_path / f"own.{kind}") == "data_empty"


def test_a_workbook_of_empty_sheets_is_empty(tmp_path: Path) -> None:
    assert refusal(book(tmp_path / "own.xlsx")) == "data_empty"


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\2\0\0\0"


@pytest.mark.parametrize("asked", ["", "cp1252"])
@pytest.mark.parametrize(
    "content",
    [PNG, b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", b"RIFF\0\0\1\0WEBPVP8 " + bytes(range(256))],
    ids=["PNG", "PDF", "WebP"],
)
def test_a_file_of_another_kind_that_is_called_a_table_is_none(tmp_path: Path, content: bytes, asked: str) -> None:
    (tmp_path / "photo.csv").write_bytes(content)
    assert refusal(tmp_path / "photo.csv", encoding=asked) == "data_no_text"


def test_utf_16_with_zeros_at_odd_and_even_places_is_text(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes("".join(f"question {n},一 {n}\n" for n in range(9)).encode("utf-16"))
    assert len(read(tmp_path / "own.csv").pairs) == 9


def test_a_zip_of_something_else_is_no_workbook(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "own.xlsx", "w") as packed:
        packed.writestr("a.txt", "a")
    assert refusal(tmp_path / "own.xlsx") == "data_excel"


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    assert refusal(book(tmp_path / "own.xlsx", [f"c{n}" for n in range(settings.MAX_OWN_COLUMNS + 1)])) == "data_wide"


# Parquet


def packed(path: Path, columns: Any, **options: Any) -> Path:
    parquet.write_table(pa.table(columns), path, **options)
    return path


def test_parquet_is_read_row_by_row(tmp_path: Path) -> None:
    columns = {"id": range(10), "instruction": [p for p, _ in PAIRS], "input": [""] * 10, "output": [r for _, r in PAIRS]}
    table = read(packed(tmp_path / "own.parquet", columns))
    assert (pairs_of(table), table.columns.how, table.unused) == (PAIRS, "alpaca", ("id",))


def test_conversations_and_categories_are_read_and_pictures_are_not(tmp_path: Path) -> None:
    talk = [[{"role": "user", "content": p}, {"role": "assistant", "content": r}] for p, r in PAIRS]
    columns = {"messages": talk, "picture": [b"\x89PNG"] * 10, "kind": pa.array(["a"] * 10).dictionary_encode()}
    table = read(packed(tmp_path / "own.parquet", columns))
    assert (pairs_of(table), table.sheet.columns) == (PAIRS, ("messages", "kind"))


def test_of_a_long_parquet_the_beginning_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_OWN_ROWS", 300)
    columns = {"prompt": [f"q {n}" for n in range(400)], "response": ["a"] * 400}
    table = read(packed(tmp_path / "own.parquet", columns))
    assert (len(table.sheet.rows), table.sheet.more) == (300, True)


def test_parquet_that_unpacks_to_very_much_is_not_unpacked(tmp_path: Path) -> None:
    long = "x" * (settings.MAX_OWN_UNPACKED_BYTES + 1)
    path = packed(tmp_path / "own.parquet", {"prompt": [long], "response": ["a"]}, compression="zstd")
    assert path.stat().st_size < settings.MAX_OWN_BYTES
    assert refusal(path) == "data_unpacked"


LONG = "x" * 2000
PREFIXES = {"use_dictionary": False}


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"prompt": [LONG] * 300}, {}),
        ({"prompt": pa.array([LONG] * 300, pa.large_string())}, {}),
        ({"prompt": pa.array([LONG] * 300).dictionary_encode()}, {}),
        ({"messages": [[{"role": "user", "content": LONG}] * 300]}, {}),
        ({"prompt": [[[]] * 30_000]}, {}),
        ({"prompt": [LONG] * 300}, PREFIXES | {"column_encoding": {"prompt": "DELTA_BYTE_ARRAY"}}),
        ({"prompt": [[LONG] * 300]}, PREFIXES | {"column_encoding": {"prompt.list.element": "DELTA_BYTE_ARRAY"}}),
    ],
    ids=["text", "large text", "categories", "in a list", "empty lists", "prefixes", "prefixes in a list"],
)
def test_parquet_that_holds_one_value_for_many_rows_is_not_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: Any, options: dict[str, Any]
) -> None:
    path = packed(tmp_path / "own.parquet", columns, **options)
    monkeypatch.setattr(settings, "MAX_OWN_UNPACKED_BYTES", 200_000)
    assert parquet.read_metadata(path).row_group(0).total_byte_size < 10_000
    assert refusal(path) == "data_unpacked"


def test_parquet_by_prefixes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_OWN_UNPACKED_BYTES", 2000)  # some rows at once
    columns = {"prompt": [p for p, _ in PAIRS], "response": [r for _, r in PAIRS]}
    encodings = dict.fromkeys(columns, "DELTA_BYTE_ARRAY")
    assert (
        pairs_of(read(packed(tmp_path / "own.parquet", columns, use_dictionary=False, column_encoding=encodings))) == PAIRS
    )


def test_one_row_of_parquet_with_very_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_OWN_ROWS", 2)
    monkeypatch.setattr("playground.data.parquet.MOST", 100_000)
    columns = {"prompt": ["x" * 200_000, *map(str, range(300))], "response": ["a"] * 301}
    assert refusal(packed(tmp_path / "own.parquet", columns)) == "data_unpacked"


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    whole = packed(tmp_path / "own.parquet", {"prompt": ["a"], "response": ["b"]}).read_bytes()
    for content in (b"PAR1", whole[:-20], b"prompt,response\n", whole[:8] + bytes(len(whole) - 16) + whole[-8:]):
        (tmp_path / "own.parquet").write_bytes(content)
        assert refusal(tmp_path / "own.parquet") == "data_parquet"
