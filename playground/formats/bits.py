"""
One number in one format: its bits, its code, its neighbours, and the ruler of all numbers that the format has.

Float formats have sign, exponent and mantissa, written as torch stores them; integer formats code · scale; tables a level
for each code, times a scale. Torch is imported only to cast. Knows nothing about tensors of weights.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from playground.bounds import Bound, shown
from playground.errors import PlaygroundError
from playground.formats.format import LARGEST, SMALLEST, Format
from playground.formats.registry import format_of

MOST_LISTED = 256  # numbers on one ruler
VALUE = Bound("value", 0.1, -LARGEST, LARGEST)
SCALE = Bound("scale", 1.0, SMALLEST, LARGEST)  # without one: that which reaches from −1 to 1


@dataclass(frozen=True)
class Anatomy:
    """
    `stored` is what the format keeps of `value`; `lower` and `upper` are its neighbours, None beyond the ends. `bits` is
    the stored pattern: of a float format sign + exponent + mantissa, of an integer its two's complement, of a table the
    code; "" where a code takes no whole number of bits.
    """

    format: str
    value: float
    stored: float
    error: float  # stored − value
    lower: float | None
    upper: float | None
    saturated: bool  # beyond the largest number
    bits: str = ""
    # of a float format: (−1)^sign · significand · 2^power
    sign: str = ""
    exponent: str = ""
    mantissa: str = ""
    number: str = ""  # "normal", "subnormal" or "zero"
    power: int | None = None
    significand: float | None = None  # 1 to 2, below 1 if subnormal
    # of the others: (code − zero point) · scale, or level[code] · scale
    code: int | None = None
    scale: float | None = None
    zero_point: int | None = None
    minimum: float | None = None  # of its block, from −minimum to minimum: (level[code] − level[0]) · scale + minimum


def anatomy(format_id: str, value: float, scale: float | None = None, zero_point: int | None = None) -> Anatomy:
    """
    Rounding is that of a round trip with this scale (but for ties, which GGUF's encoders round away from zero), so a value
    is a float32 first. Without a scale the format reaches from −1 to 1; where scales are powers of two, at least. A float
    format has neither scale nor zero-point and ignores both, so that one question can be put to every format. A
    zero-point makes codes asymmetric (−128 to 127 in int8).

    Raises PlaygroundError: unknown format, a value that is no finite float32, a scale that is no normal float32 above 0,
    a zero-point that is no code or that this format does not have.
    """
    format, value = format_of(format_id), VALUE.check(value)
    if format.kind == "float":
        return _float(format, value)
    whole = _integer if format.kind == "integer" else _table
    return whole(format, value, _scale_of(format, scale), _zero_point_of(format, zero_point))


def code_range(format: Format, zero_point: bool) -> tuple[int, int]:
    """The lowest and the highest code of an integer format: −127 to 127 in int8, with a zero-point −128 to 127."""
    high = int(format.largest)
    return -high - zero_point, high


def _scale_of(format: Format, scale: float | None) -> np.float32:
    return np.float32(format.unit_scale if scale is None else format.scale_from(SCALE.check(scale)))


def _zero_point_of(format: Format, zero_point: int | None) -> int | None:
    if zero_point is None:
        return None
    if not format.zero_points:
        raise PlaygroundError("not_a_choice", name="zero_point", value=shown(zero_point), choices="None")
    checked: int = Bound("zero_point", 0, *code_range(format, True)).check(zero_point)
    return checked


# Float formats


def _read(format: Format, pattern: int) -> float:
    """The number that a pattern stands for, from its fields; not for infinity and NaN."""
    exponent, mantissa = _fields(format, pattern)
    bias = 2 ** (format.exponent_bits - 1) - 1
    significand = mantissa / 2**format.mantissa_bits + (exponent > 0)
    size = math.ldexp(significand, max(exponent, 1) - bias)
    return -size if pattern >> (format.exponent_bits + format.mantissa_bits) else size


def _fields(format: Format, pattern: int) -> tuple[int, int]:
    """(exponent, mantissa) as they stand in the pattern."""
    return pattern >> format.mantissa_bits & 2**format.exponent_bits - 1, pattern & 2**format.mantissa_bits - 1


def pattern_of(format: Format, value: float) -> int:
    """The bits that torch stores for a value, after clipping to the largest number."""
    import torch

    words = {8: torch.uint8, 16: torch.int16, 32: torch.int32}
    clipped = torch.tensor([value], dtype=torch.float32).clamp(-format.largest, format.largest)
    pattern = int(clipped.to(getattr(torch, format.dtype)).view(words[int(format.code_bits)]))
    return pattern & (1 << int(format.code_bits)) - 1


def _float(format: Format, value: float) -> Anatomy:
    pattern, width = pattern_of(format, value), int(format.code_bits)
    bits, point = f"{pattern:0{width}b}", 1 + format.exponent_bits
    exponent, mantissa = _fields(format, pattern)
    stored = _read(format, pattern)
    magnitude, sign = pattern & 2 ** (width - 1) - 1, -1 if stored < 0 else 1
    outer = abs(_read(format, magnitude + 1)) * sign if abs(stored) < format.largest else None
    inner = sign * _read(format, magnitude - 1) if magnitude else -format.smallest
    lower, upper = (outer, inner) if sign < 0 else (inner, outer)
    return Anatomy(
        format.id, value, stored, stored - value, lower, upper, abs(float(np.float32(value))) > format.largest,
        bits, bits[0], bits[1:point], bits[point:],
        "normal" if exponent else "subnormal" if mantissa else "zero",
        max(exponent, 1) - 2 ** (format.exponent_bits - 1) + 1,
        mantissa / 2**format.mantissa_bits + (exponent > 0),
    )  # fmt: skip


# Integer formats and tables


def _held(number: np.float32) -> float:
    """What is beyond float32 is its largest number, as in a round trip."""
    return float(np.clip(number, -LARGEST, LARGEST))


def _integer(format: Format, value: float, scale: np.float32, zero_point: int | None) -> Anatomy:
    zero, width = zero_point or 0, int(format.code_bits)
    low, high = code_range(format, zero_point is not None)
    with np.errstate(over="ignore"):
        wanted = np.round(np.float32(value) / scale) + np.float32(zero)  # ties to even, as torch
        code = int(np.clip(wanted, low, high))
        numbers = [_held(np.float32(one - zero) * scale) for one in (code - 1, code, code + 1)]
    return Anatomy(
        format.id, value, numbers[1], numbers[1] - value,
        numbers[0] if code > low and numbers[0] < numbers[1] else None,
        numbers[2] if code < high and numbers[2] > numbers[1] else None, bool(wanted != code),
        bits=f"{code & 2**width - 1:0{width}b}" if width == format.code_bits else "",
        code=code, scale=float(scale), zero_point=zero_point,
    )  # fmt: skip


def _table(format: Format, value: float, scale: np.float32, zero_point: int | None) -> Anatomy:
    # FP4 has a zero of either sign; the plain one is its code
    codes = {level + 0.0: code for code, level in reversed(tuple(enumerate(format.levels)))}
    levels = [np.float32(level) for level in sorted(codes)]
    middles = [(one + other) / 2 for one, other in pairwise(levels)]
    with np.errstate(over="ignore"):
        wanted = np.float32(value) / scale
        place = bisect_left(middles, wanted)
        numbers = [_held(level * scale) for level in levels]
    code = codes[sorted(codes)[place]]
    return Anatomy(
        format.id, value, numbers[place], numbers[place] - value,
        next((number for number in reversed(numbers[:place]) if number < numbers[place]), None),
        next((number for number in numbers[place + 1 :] if number > numbers[place]), None),
        bool(not levels[0] <= wanted <= levels[-1]), bits=f"{code:0{int(format.code_bits)}b}", code=code,
        scale=float(scale), minimum=float(levels[0] * scale) if format.minimum else None,
    )  # fmt: skip


# Rulers


@dataclass(frozen=True)
class Ruler:
    """
    How many numbers from −1 to 1 a format has (zero once), and which, rising; empty if they are more than MOST_LISTED.
    `half`: one half of them is no farther from 0 than this.
    """

    format: str
    count: int
    values: tuple[float, ...]
    half: float


def grid(format_id: str, scale: float | None = None, zero_point: int | None = None) -> Ruler:
    """
    All numbers from −1 to 1 that `anatomy` can store with these arguments: of a float format those that it has, of the
    others, without a scale, those of the scale that reaches from −1 to 1.

    Raises PlaygroundError: unknown format, a scale or a zero-point that `anatomy` refuses.
    """
    format = format_of(format_id)
    zero_point = _zero_point_of(format, zero_point)
    if format.kind == "float":
        values, count = levels(format, -1.0, 1.0)
        half = _signed(format, -(-(count // 2) // 2))  # every size but 0 stands on both sides of it
        return Ruler(format.id, count, values, half)
    numbers, count = levels(format, -1.0, 1.0, float(_scale_of(format, scale)), zero_point, most=2**16)
    return Ruler(format.id, count, numbers if count <= MOST_LISTED else (), float(np.median(np.abs(numbers))))


def levels(
    format: Format, low: float = -LARGEST, high: float = LARGEST, scale: float = 1.0, zero_point: int | None = None,
    most: int = MOST_LISTED, offset: float = 0.0,
) -> tuple[tuple[float, ...], int]:  # fmt: skip
    """
    The numbers of a format from `low` to `high`, rising (none of them, if they are more than `most`), and how many they
    are; zero counts once. `offset` is added to each. A float format has neither scale nor zero-point and ignores them.
    """
    if format.kind == "float":
        first, last = -_highest(format, -low), _highest(format, high)
        count = last - first + 1
        return tuple(_signed(format, place) for place in range(first, last + 1)) if count <= most else (), count
    units = np.array(format.levels, np.float32) if format.levels else _codes(format, zero_point)
    with np.errstate(over="ignore"):
        numbers = np.unique(units * np.float32(scale) + np.float32(offset))
    numbers = numbers[(numbers >= low) & (numbers <= high)] + np.float32(0)  # − 0 is 0
    return tuple(numbers.tolist()) if len(numbers) <= most else (), len(numbers)


def _highest(format: Format, value: float) -> int:
    """The place of the largest number up to a value: numbers of either sign lie in the order of their patterns."""
    pattern = pattern_of(format, abs(value))
    place = pattern if value >= 0 else -pattern
    return place - (_signed(format, place) > value)  # the nearest number is one too high


def _signed(format: Format, place: int) -> float:
    return math.copysign(1, place) * _read(format, abs(place))


def _codes(format: Format, zero_point: int | None) -> np.ndarray:
    """What an integer format multiplies with the scale: every code, less the zero-point."""
    low, high = code_range(format, zero_point is not None)
    return np.arange(low, high + 1, dtype=np.float32) - np.float32(zero_point or 0)
