"""
Numbers to quantize that are nobody's weights: seeded test tensors, and what a visitor types or uploads.

Test tensors have a mean of 0 and a standard deviation of 1 (outliers aside), so that their errors can be compared with
each other and with published ones. Everything is numpy, float32. Knows nothing about formats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from playground import settings
from playground.bounds import SEED, Bound
from playground.errors import PlaygroundError

Make = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def normal(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return generator.standard_normal(shape)


def uniform(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return generator.uniform(-math.sqrt(3), math.sqrt(3), shape)


def laplace(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return generator.laplace(0.0, math.sqrt(0.5), shape)


DISTRIBUTIONS: dict[str, Make] = {"normal": normal, "uniform": uniform, "laplace": laplace}
KIND = Bound("kind", "normal", choices=tuple(DISTRIBUTIONS))
ROWS, COLUMNS = (Bound(side, 1024, 1, settings.MAX_TEST_SIDE) for side in ("rows", "columns"))
OUTLIERS = Bound("outliers", 0.0, 0.0, 0.5)  # their share
SIZE = Bound("size", 20.0, 0.0, 1000.0)  # of an outlier, in standard deviations


def sample(
    kind: str = "normal", rows: int = 1024, columns: int = 1024, seed: int = 0, outliers: float = 0.0, size: float = 20.0
) -> np.ndarray:
    """
    A test tensor, (rows, columns) float32. A share `outliers` of its entries, in random places (at least one unless the
    share is 0), becomes +`size` or −`size` standard deviations; the others stay what they are without outliers.

    Raises PlaygroundError: unknown kind, a side, seed, share or size out of range.
    """
    make, shape = DISTRIBUTIONS[KIND.check(kind)], (ROWS.check(rows), COLUMNS.check(columns))
    outliers, size, generator = OUTLIERS.check(outliers), SIZE.check(size), np.random.default_rng(SEED.check(seed))
    values = make(generator, shape).astype(np.float32)
    if outliers:
        count = max(1, round(outliers * values.size))
        places = generator.choice(values.size, count, replace=False)
        values.reshape(-1)[places] = size * generator.choice([-1.0, 1.0], count)
    return values


# A visitor's own numbers

WITH_COMMA = re.compile(r"[-+−]?\d*,\d+([eE][-+−]?\d+)?")


def read_file(path: str | Path) -> np.ndarray:
    """A text or CSV file in UTF-8 as `parse` reads it. Raises PlaygroundError: too large, no text, or as `parse`."""
    path = Path(path)
    if path.stat().st_size > settings.MAX_OWN_NUMBERS_BYTES:
        raise PlaygroundError("too_many_numbers", maximum=settings.MAX_OWN_NUMBERS)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlaygroundError("data_unreadable", kind="CSV", reason=error.reason) from error
    return parse(text)


def may_be_decimal(text: str) -> bool:
    """Whether there are commas, and each one, without a space or a second one, is within a number: 0,5 1,25 -3."""
    parts = [part for part in text.split() if "," in part]
    return bool(parts) and "." not in text and all(WITH_COMMA.fullmatch(part) for part in parts)


def parse(text: str, decimal_comma: bool = False) -> np.ndarray:
    """
    Numbers between commas, semicolons, spaces or line ends; where there are semicolons or tabs, a comma is a decimal
    one. With `decimal_comma` it also is wherever it may be one. Two or more lines of the same length, longer than 1, are a
    matrix (rows, columns); anything else is one row after the other, (n,). float32.

    Raises PlaygroundError: no numbers, too many, an entry that is empty, no number, infinite, or beyond float32, and for
    a line such as "0,5 1,2", whose commas may be decimal ones.
    """
    if len(text) > settings.MAX_OWN_NUMBERS_BYTES:
        raise PlaygroundError("too_many_numbers", maximum=settings.MAX_OWN_NUMBERS)
    decimal_comma = ";" in text or "\t" in text or (decimal_comma and may_be_decimal(text))
    separator = ";" if decimal_comma else ","
    rows: list[list[float]] = []
    count = 0
    for number, line in enumerate(text.splitlines(), 1):
        entries = [entry for entry in re.split(rf"[{separator}\s]+", line) if entry]
        count += len(entries)
        if count > settings.MAX_OWN_NUMBERS:
            raise PlaygroundError("too_many_numbers", maximum=settings.MAX_OWN_NUMBERS)
        if entries:
            if re.search(rf"(^|{separator})\s*{separator}", line):
                raise PlaygroundError("empty_entry", line=number)
            parts = line.split()
            unclear = [part for part in parts if "," in part.strip(",")] if len(parts) > 1 and not decimal_comma else []
            if unclear:
                raise PlaygroundError("unclear_comma", entry=unclear[0].strip(",")[:40], line=number)
            rows.append([_number(entry, number, decimal_comma) for entry in entries])
    if not rows:
        raise PlaygroundError("no_numbers")
    width = len(rows[0])
    if len(rows) > 1 and width > 1 and all(len(row) == width for row in rows):
        return np.array(rows, dtype=np.float32)
    return np.array([entry for row in rows for entry in row], dtype=np.float32)


def _number(entry: str, line: int, decimal_comma: bool) -> float:
    plain = entry.replace("−", "-").replace("_", "no digit")  # the minus sign of print; 1_000 is Python's alone
    try:
        value = float(plain.replace(",", ".") if decimal_comma else plain)
    except ValueError as error:
        raise PlaygroundError("not_a_number", entry=entry[:40], line=line) from error
    with np.errstate(over="ignore"):
        if not np.isfinite(np.float32(value)):
            raise PlaygroundError("number_not_finite", entry=entry[:40], line=line)
    return value
