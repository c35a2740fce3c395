"""
Parquet, by pyarrow: the columns that hold text, numbers or lists, from the first row on and no further than needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from playground import settings
from playground.data.given import Given
from playground.data.sheet import ROW, Sheet, of_fields
from playground.errors import PlaygroundError

BATCH = 256  # rows that are read at once
PREFIXES, TOGETHER = "DELTA_BYTE_ARRAY", 1024  # values by what they share with the one before; decoded at once, in lists
MOST = 1_000_000_000  # bytes of one column of a group, or of its values decoded at once
LEAST = 8  # bytes that a value counts at least, an empty list as well
PIECE = 1 << 18  # bytes that are read at once


def read(file: BinaryIO, given: Given) -> Sheet:
    """Raises PlaygroundError: no Parquet, or too much once unpacked; and as `of_fields`."""
    import pyarrow as pa
    from pyarrow import parquet

    pieces: dict[str, Any] = {"buffer_size": PIECE, "thrift_string_size_limit": PIECE}
    try:
        whole = parquet.ParquetFile(file, **pieces)
        names = [field.name for field in whole.schema_arrow if _text_is_in(field.type)]
        if _unpacked(whole.metadata) > settings.MAX_OWN_UNPACKED_BYTES:
            raise _too_much()
        table = parquet.ParquetFile(file, metadata=whole.metadata, read_dictionary=_texts(whole.metadata), **pieces)
        rows = list(islice(_rows(table, names), settings.MAX_OWN_ROWS))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        if isinstance(error, PlaygroundError):
            raise
        raise PlaygroundError("data_parquet") from error
    return of_fields(list(enumerate(rows, 1)), more=whole.metadata.num_rows > len(rows), counted=ROW)


def _too_much() -> PlaygroundError:
    return PlaygroundError("data_unpacked", maximum=settings.MAX_OWN_UNPACKED_BYTES // 1_000_000)


def _rows(table: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    """
    Group by group: asked for all of them, pyarrow would read the beginning of each. A row becomes Python's own only while
    all rows so far are not too much.
    """
    total = 0
    for group in range(table.metadata.num_row_groups):
        size = _rows_at_once(table.metadata.row_group(group))
        for batch in table.iter_batches(size, row_groups=[group], columns=columns, use_threads=False):
            total += sum(_bytes(column) for column in batch.columns)
            if total > settings.MAX_OWN_UNPACKED_BYTES:
                raise _too_much()
            yield from batch.to_pylist()


def _rows_at_once(group: Any) -> int:
    """A value of PREFIXES may be as long as its whole column: so few rows that they stay below twice what is allowed."""
    chunks = [group.column(place) for place in range(group.num_columns)]
    longest = sum(chunk.total_uncompressed_size for chunk in chunks if PREFIXES in chunk.encodings)
    return max(1, min(BATCH, int(2 * settings.MAX_OWN_UNPACKED_BYTES // max(1, longest))))


def _bytes(array: Any) -> int:
    """Of the values as Python will hold them: of a dictionary's as often as they stand in a row."""
    from pyarrow import compute, types

    kind, least = array.type, LEAST * len(array)
    if types.is_dictionary(kind):
        if not types.is_string(kind.value_type) and not types.is_large_string(kind.value_type):
            return least
        return least + (compute.sum(compute.binary_length(array.dictionary).take(array.indices)).as_py() or 0)
    if types.is_string(kind) or types.is_large_string(kind):
        return least + (compute.sum(compute.binary_length(array)).as_py() or 0)
    if types.is_list(kind) or types.is_large_list(kind):
        return least + _bytes(array.flatten())
    if types.is_struct(kind):
        return least + sum(_bytes(part) for part in array.flatten())
    return least


def _text_is_in(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _text_is_in(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return _text_is_in(kind.value_type)
    if types.is_struct(kind):
        return all(_text_is_in(kind.field(place).type) for place in range(kind.num_fields))
    plain = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    return any(one(kind) for one in plain)


def _texts(metadata: Any) -> list[str]:
    """Columns of text that are read with each value once, as the file holds it. pyarrow cannot do that for PREFIXES."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    return [
        column.path
        for place, column in enumerate(metadata.schema)
        if column.physical_type == "BYTE_ARRAY" and not any(PREFIXES in one.column(place).encodings for one in groups)
    ]


def _unpacked(metadata: Any) -> float:
    """
    Bytes of the rows that will be read, as the file says: pages are unpacked one after the other. A value that stands in
    many rows is counted once. Raises PlaygroundError where one column alone is too much to look at.
    """
    rows, total = 0, 0.0
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        read = min(group.num_rows, settings.MAX_OWN_ROWS - rows)
        if not read:
            continue
        if any(_at_once(group.column(one), metadata.schema.column(one)) > MOST for one in range(group.num_columns)):
            raise _too_much()
        rows, total = rows + read, total + group.total_byte_size * read / group.num_rows
    return total


def _at_once(chunk: Any, column: Any) -> int:
    """Bytes that the first row of a column may need: a row may have one list with all values."""
    if not column.max_repetition_level:
        return int(chunk.total_uncompressed_size)
    copies = min(TOGETHER, chunk.num_values) if PREFIXES in chunk.encodings else 1
    return int(chunk.total_uncompressed_size * copies + chunk.num_values * LEAST)
