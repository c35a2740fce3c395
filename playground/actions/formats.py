"""
Asking about number formats alone, without a base: which there are, one number in each, sums in narrow accumulators.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from playground import locales
from playground.formats import accumulators
from playground.formats.accumulators import DotProduct
from playground.formats.bits import Anatomy, Ruler, anatomy, code_range, grid
from playground.formats.format import Format
from playground.formats.registry import FORMATS


def list_formats() -> list[dict[str, Any]]:
    """
    Every format: id, English name, kind, bits per parameter of a large matrix, accumulator, range, scales, where it computes
    faster and where it only saves memory, source.
    """
    return [
        {
            "id": one.id,
            "name": locales.text(locales.DEFAULT, f"formats.{one.id}"),
            "kind": one.kind,
            "bits_per_parameter": one.bits_per_parameter(),
            "accumulates_in": one.accumulates_in,
            "dynamic_range_db": one.dynamic_range_db,
            "granularity": one.layout.granularity,
            "block": one.layout.block if one.layout.granularity == "block" else None,
            "runs": locales.text(locales.DEFAULT, f"computes.{one.runs}"),
            "source": one.source,
        }
        for one in FORMATS.values()
    ]


# One number


def describe_number(
    format_id: str, value: float, scale: float | None = None, zero_point: int | None = None
) -> dict[str, Any]:
    """The fields of `bits.Anatomy`. Raises PlaygroundError as `bits.anatomy`."""
    return asdict(anatomy(format_id, value, scale, zero_point))


@dataclass(frozen=True)
class Kept:
    """One number in `formats` that keep it alike. `refused`: the zero-point is none of their codes and was left out."""

    formats: tuple[Format, ...]
    found: Anatomy
    ruler: Ruler
    refused: bool = False


def keep_number(value: float, scale: float | None = None, zero_point: int | None = None) -> list[Kept]:
    """
    The number in every format, with scale and zero-point as far as a format has them; formats that keep it alike, and
    have the same ruler, together. Raises PlaygroundError for a value or a scale that `bits.anatomy` refuses.
    """
    together: dict[Any, Kept] = {}
    for format in FORMATS.values():
        one = _kept(format, value, scale, zero_point)
        alike = replace(one.found, format=""), replace(one.ruler, format="")
        first = together.get(alike)
        if first:
            one = replace(first, formats=(*first.formats, format), refused=first.refused or one.refused)
        together[alike] = one
    return list(together.values())


def _kept(format: Format, value: float, scale: float | None, zero_point: int | None) -> Kept:
    low, high = code_range(format, True) if format.zero_points else (0, 0)
    refused = format.zero_points and zero_point is not None and not low <= zero_point <= high
    zero = zero_point if format.zero_points and not refused else None
    scale = scale if format.kind != "float" else None
    return Kept((format,), anatomy(format.id, value, scale, zero), grid(format.id, scale, zero), refused)


# Accumulators


def add_up(a: int, b: int, accumulator: str, overflow: str, operands: str, length: int, seed: int) -> dict[str, Any]:
    """
    a + b in an integer accumulator (`accumulators.Addition`), and a dot product in every pair of operand and accumulator
    (`accumulators.DotProduct`, its last sums alone). Raises PlaygroundError for what does not exist or is out of range.
    """
    addition = accumulators.add(a, b, accumulator, overflow)
    return {
        "addition": asdict(addition),
        "dots": [_dot(one) for one in accumulators.dots(operands, length, overflow, seed)],
    }


def _dot(one: DotProduct) -> dict[str, Any]:
    """A sum of None is infinite: JSON has no such number."""
    found = {name: getattr(one, name) for name in ("overflow", "overflow_at", "lost_at", "stall_at", "error")}
    last = one.sums[-1] if math.isfinite(one.sums[-1]) else None
    return {"pair": one.pair.id, **asdict(one.pair), "sum": last, "exact": one.exact[-1], **found}
