"""
Parquet, by pyarrow: the columns that hold text, numbers or lists, from the first row on and no further than needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from playground import settings
from playground.data.given import Given
from playground.data.sheet import Sheet, of_fields
from playground.errors import PlaygroundError

BATCH = 256  # rows that are read at once
PIECE = 1 << 18  # bytes that are read at once


def read(file: BinaryIO, given: Given) -> Sheet:
    """Raises PlaygroundError: no Parquet, or too much once unpacked; and as `of_fields`."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file, buffer_size=PIECE, thrift_string_size_limit=PIECE)
        names = [field.name for field in table.schema_arrow if _text_is_in(field.type)]
        if _unpacked(table) > settings.MAX_OWN_UNPACKED_BYTES:
            raise PlaygroundError("data_unpacked", maximum=settings.MAX_OWN_UNPACKED_BYTES // 1_000_000)
        rows = list(islice(_rows(table, names), settings.MAX_OWN_ROWS))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        if isinstance(error, PlaygroundError):
            raise
        raise PlaygroundError("data_parquet") from error
    return of_fields(list(enumerate(rows, 1)), more=table.metadata.num_rows > len(rows))


def _rows(table: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Group by group: asked for all of them, pyarrow would read the beginning of each."""
    for group in range(table.metadata.num_row_groups):
        for batch in table.iter_batches(BATCH, row_groups=[group], columns=columns, use_threads=False):
            yield from batch.to_pylist()


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


def _unpacked(table: Any) -> float:
    """Bytes of the rows that will be read, as the file says: pages are unpacked one after the other."""
    rows, total = 0, 0.0
    for place in range(table.metadata.num_row_groups):
        group = table.metadata.row_group(place)
        read = min(group.num_rows, settings.MAX_OWN_ROWS - rows)
        rows, total = rows + read, total + group.total_byte_size * read / max(1, group.num_rows)
    return total
