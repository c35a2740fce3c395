"""
From what was handed over to a sheet: one reader for every kind of file, and the four places that it can come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from playground import settings
from playground.data import delimited, excel, hub, objects, parquet
from playground.data.given import Given
from playground.data.letters import decoded
from playground.data.sheet import ROW, Sheet
from playground.errors import PlaygroundError

Reader = Callable[[BinaryIO, Given], Sheet]


def _text(read: Callable[..., Sheet], file: BinaryIO, given: Given) -> Sheet:
    text, encoding = decoded(file.read(settings.MAX_OWN_BYTES + 1), given.encoding)
    if not text.strip():
        raise PlaygroundError("data_empty")
    return read(text, given, encoding=encoding)


READERS: dict[str, Reader] = {
    ".csv": partial(_text, delimited.cut),
    ".tsv": partial(_text, partial(delimited.cut, separators=("\t",))),
    ".json": partial(_text, objects.listed),
    ".jsonl": partial(_text, objects.lines),
    ".parquet": parquet.read,
    ".xlsx": excel.read,
}
TEXT = (".csv", ".tsv", ".json", ".jsonl")  # that have an encoding


def read(given: Given) -> Sheet:
    """The sheet of what was handed over. Raises PlaygroundError if it cannot be read, or not for certain."""
    if given.file:
        return _file(Path(given.file), given)
    if given.dataset.strip():
        name, path, state = hub.chosen(given.dataset)
        return _of_hub(name, path, state, Given(encoding=given.encoding, separator=given.separator, header=given.header))
    if given.pasted.strip():
        return _pasted(given.pasted, given)
    typed = [row if isinstance(row, dict) else list(row) if isinstance(row, list | tuple) else row for row in given.rows]
    filled = [cell for row in typed if isinstance(row, list) for cell in row if isinstance(cell, str) and cell.strip()]
    if len(filled) == 1 and "\t" in filled[0]:
        return _pasted(filled[0], given)  # a spreadsheet's cells, pasted into one
    if len(typed) > settings.MAX_OWN_ROWS:
        raise PlaygroundError("data_too_large", maximum=settings.MAX_OWN_EXAMPLES)
    return objects.of_rows(list(enumerate(typed, 1)), given, typed=True, counted=ROW)


def _file(path: Path, given: Given) -> Sheet:
    kind = path.suffix.lower()
    if kind not in READERS:
        raise PlaygroundError("data_kind", kind=kind or path.name)
    if path.stat().st_size > settings.MAX_OWN_BYTES:
        raise PlaygroundError("data_too_large", maximum=settings.MAX_OWN_EXAMPLES)
    if not path.stat().st_size:
        raise PlaygroundError("data_empty")
    with path.open("rb") as file:
        return READERS[kind](file, given)


def _pasted(text: str, given: Given) -> Sheet:
    if len(text.encode("utf-8", "surrogatepass")) > settings.MAX_OWN_BYTES:
        raise PlaygroundError("data_too_large", maximum=settings.MAX_OWN_EXAMPLES)
    if not objects.looks_like_json(text):
        return delimited.cut(text, given)
    return (objects.listed if text.lstrip().startswith("[") else objects.lines)(text, given)


@lru_cache(maxsize=4)  # a form is read again with every choice in it
def _of_hub(name: str, path: str, state: str, given: Given) -> Sheet:
    with hub.opened(name, path, state) as (file, more):
        sheet = READERS[PurePosixPath(path).suffix.lower()](file, given)
    return replace(sheet, part=path, more=sheet.more or more)
