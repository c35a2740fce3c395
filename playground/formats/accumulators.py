"""
What a sum of products is kept in: integers that wrap or saturate, floats that overflow or stop growing.

Every partial sum is held against the exact one, in Python's integers. A float accumulator is rounded after every
addition, to nearest and ties to even, and the product is exact before it, as in a fused multiply-add; real hardware
also adds several products at a time. Knows nothing about models or tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from playground import settings
from playground.bounds import SEED, Bound
from playground.formats.registry import FORMATS

INTEGERS = {"int8": 8, "int16": 16, "int32": 32}  # bits, two's complement
FLOATS = ("float16", "bfloat16", "float32")
OVERFLOWS = ("wrap", "saturate")
A, B = (Bound(name, 0, -128, 127) for name in "ab")
ACCUMULATOR = Bound("accumulator", "int8", choices=tuple(INTEGERS))
OVERFLOW = Bound("overflow", "wrap", choices=OVERFLOWS)
Whole = TypeVar("Whole", int, np.ndarray)
STALLED = 16  # products in a row, up to the end, that change nothing: more than chance
SHOWN = 160  # lengths of a dot product that are kept, evenly apart in its logarithm
# Two numbers, bit by bit


@dataclass(frozen=True)
class Addition:
    """
    a + b in an accumulator. The bits are two's complement of the accumulator's width, the highest first; `carries` has
    the carry into every bit, so that a column adds up: bit of a + bit of b + carry.
    """

    a: int
    b: int
    exact: int
    result: int
    overflowed: bool
    accumulator: str
    overflow: str  # what an overflow does: "wrap" or "saturate"
    bits_a: str
    bits_b: str
    carries: str
    bits_result: str

    @property
    def carry_out(self) -> int:
        """What the highest column carries, and the accumulator drops; an overflow only if it differs from what came in."""
        return int(int(self.bits_a[0]) + int(self.bits_b[0]) + int(self.carries[0]) > 1)


def pattern(value: int, bits: int) -> str:
    """Two's complement; of a number that does not fit, the lowest bits."""
    return f"{value & 2**bits - 1:0{bits}b}"


def wrap(value: Whole, bits: int) -> Whole:
    """What is left in that many bits, of one number or of each in an array."""
    half: int = 2 ** (bits - 1)
    return (value + half) % (2 * half) - half


def saturate(value: int, bits: int) -> int:
    """The nearest number that fits."""
    half: int = 2 ** (bits - 1)
    return min(max(value, -half), half - 1)


def add(a: int, b: int, accumulator: str = "int8", overflow: str = "wrap") -> Addition:
    """
    Two int8 codes in an accumulator: 127 + 127 is −2 in an int8 that wraps, 127 in one that saturates, 254 in an int32.

    Raises PlaygroundError: numbers that are no int8, an unknown accumulator or overflow.
    """
    a, b, overflow = A.check(a), B.check(b), OVERFLOW.check(overflow)
    bits = INTEGERS[ACCUMULATOR.check(accumulator)]
    result = (wrap if overflow == "wrap" else saturate)(a + b, bits)
    carries = a ^ b ^ (a + b)  # a column's sum bit is bit of a ^ bit of b ^ carry
    return Addition(
        a, b, a + b, result, result != a + b, accumulator, overflow,
        pattern(a, bits), pattern(b, bits), pattern(carries, bits), pattern(result, bits),
    )  # fmt: skip


# Dot products of growing length


@dataclass(frozen=True)
class Pair:
    """What is multiplied, and what its products are added up in."""

    operand: str
    accumulator: str

    @property
    def id(self) -> str:
        return f"{self.operand}_{self.accumulator}"


PAIRS = {
    pair.id: pair
    for pair in (
        Pair("int8", "int8"), Pair("int8", "int16"), Pair("int8", "int32"), Pair("int16", "int32"),
        Pair("float16", "float16"), Pair("float16", "float32"),
        Pair("bfloat16", "bfloat16"), Pair("bfloat16", "float32"),
    )
}  # fmt: skip
PAIR = Bound("pair", "int8_int8", choices=tuple(PAIRS))
OPERANDS = ("ones", "largest", "positive", "random")
KIND = Bound("operands", "positive", choices=OPERANDS)
LENGTH = Bound("length", 4096, 1, settings.MAX_DOT_LENGTH)


@dataclass(frozen=True)
class DotProduct:
    """
    Partial sums at some `lengths`, rising, the last being the whole. None for what did not happen:
    `overflow_at` is the first length whose sum the accumulator cannot hold (of a float one: where it becomes infinite),
    `lost_at` the first whose product, though not 0, changed nothing, `stall_at` the one after which none did any more.
    `error` is |sum − exact| / |exact| at the end, None for an exact 0 or an infinite sum.
    """

    pair: Pair
    operands: str
    overflow: str  # "wrap" or "saturate"; "infinity" for floats
    lengths: tuple[int, ...]
    sums: tuple[float, ...]
    exact: tuple[int, ...]
    overflow_at: int | None
    lost_at: int | None
    stall_at: int | None
    error: float | None


def operands(kind: str, length: int, seed: int = 0, operand: str = "int8") -> tuple[np.ndarray, np.ndarray]:
    """
    Two vectors of codes, (length,) int64: up to 127, and up to 32,767 where an operand has int16's bits. Float formats get
    int8's, all of which they hold. Raises PlaygroundError.
    """
    largest = 2 ** (INTEGERS.get(operand, 8) - 1) - 1
    ranges = {"ones": (1, 1), "largest": (largest, largest), "positive": (0, largest), "random": (-largest, largest)}
    low, high = ranges[KIND.check(kind)]
    a, b = np.random.default_rng(SEED.check(seed)).integers(low, high, (2, LENGTH.check(length)), endpoint=True)
    return a, b


def dot(pair_id: str, kind: str = "positive", length: int = 4096, overflow: str = "wrap", seed: int = 0) -> DotProduct:
    """One pair's dot product, a₁b₁ + a₂b₂ + … in order. Raises PlaygroundError for what does not exist or is too long."""
    pair, overflow = PAIRS[PAIR.check(pair_id)], OVERFLOW.check(overflow)
    a, b = operands(kind, length, seed, pair.operand)
    products, length = a * b, len(a)
    exact = np.cumsum(products)  # in 64 bits: length · 32,767² is below 2⁵⁰
    if pair.accumulator in INTEGERS:
        sums = _integer_sums(products, exact, INTEGERS[pair.accumulator], overflow)
        half = 2 ** (INTEGERS[pair.accumulator] - 1)
        overflow_at, lost_at, stall_at = _first((exact < -half) | (exact >= half)), None, None
    else:
        overflow = "infinity"
        sums = _float_sums(products, pair.accumulator)
        overflow_at, lost_at, stall_at = _float_faults(products, sums)
    shown, found, true = _lengths(length), sums[-1].item(), exact[-1].item()
    error = abs(found - true) / abs(true) if true and math.isfinite(found) else None
    places = np.array(shown) - 1
    return DotProduct(
        pair, kind, overflow, tuple(shown), tuple(sums[places].tolist()), tuple(exact[places].tolist()),
        overflow_at, lost_at, stall_at, error,
    )  # fmt: skip


def dots(kind: str = "positive", length: int = 4096, overflow: str = "wrap", seed: int = 0) -> Iterator[DotProduct]:
    """`dot` of every pair, one after the other: on the same numbers, but for an operand with more bits."""
    for pair_id in PAIRS:
        yield dot(pair_id, kind, length, overflow, seed)


def _first(found: np.ndarray) -> int | None:
    """The first length at which it is so."""
    return int(found.argmax()) + 1 if found.any() else None


def _float_faults(products: np.ndarray, sums: np.ndarray) -> tuple[int | None, int | None, int | None]:
    """Where a float accumulator became infinite, where it first lost a product, and where it stopped growing for good."""
    overflow_at = _first(np.isinf(sums))
    if overflow_at:
        products, sums = products[: overflow_at - 1], sums[: overflow_at - 1]  # infinity plus anything is no stall
    changed = np.diff(sums, prepend=0.0) != 0
    last = int(np.flatnonzero(changed)[-1]) + 1 if changed.any() else 0
    stalled = not overflow_at and np.count_nonzero(products[last:]) >= STALLED
    return overflow_at, _first((products != 0) & ~changed), last + 1 if stalled else None


def _lengths(length: int) -> list[int]:
    return sorted({round(length ** (step / (SHOWN - 1))) for step in range(SHOWN)})


def _integer_sums(products: np.ndarray, exact: np.ndarray, bits: int, overflow: str) -> np.ndarray:
    if overflow == "wrap":  # the order of additions does not matter
        return wrap(exact, bits)
    half: int = 2 ** (bits - 1)
    if -half <= exact.min() and exact.max() < half:
        return exact
    sums, total = [], 0
    for product in products.tolist():
        total += product
        if not -half <= total < half:  # a call for every product would take most of the time
            total = saturate(total, bits)
        sums.append(total)
    return np.array(sums)


def _float_sums(products: np.ndarray, accumulator: str) -> np.ndarray:
    """Rounded after every addition, (length,) float64."""
    if accumulator == "float32":  # numpy adds one after the other here, and a product is exact in float32
        return np.cumsum(products, dtype=np.float32).astype(np.float64)
    digits, largest = FORMATS[accumulator].mantissa_bits + 1, FORMATS[accumulator].largest
    sums, total = np.full(len(products), math.inf), 0.0
    for place, product in enumerate(products.tolist()):
        total = rounded(total + product, digits, largest)
        sums[place] = total
        if math.isinf(total):  # and stays so, with this sign
            sums[place:] = total
            break
    return sums


def rounded(value: float, digits: int, largest: float) -> float:
    """The nearest number with so many binary digits, ties to even; infinity where that is beyond the largest."""
    if math.isinf(value):
        return value
    significand, exponent = math.frexp(value)  # 0.5 ≤ |significand| < 1; sums of integers are never subnormal
    nearest = math.ldexp(round(math.ldexp(significand, digits)), exponent - digits)
    return nearest if abs(nearest) <= largest else math.copysign(math.inf, value)


# What hardware does


@dataclass(frozen=True)
class Hardware:
    """One kind of multiply-accumulate: the operands, the accumulators to choose from, the instruction, and who says so."""

    device: str
    instruction: str
    operand: str
    accumulators: tuple[str, ...]
    source: str
    url: str


_PTX = ("NVIDIA, PTX ISA, matrix data-types of mma", "https://docs.nvidia.com/cuda/parallel-thread-execution/")
_INTEL = ("Intel, Software Developer's Manual, volume 2", "https://www.intel.com/sdm")
_ARM = "https://developer.arm.com/documentation/ddi0602/latest/"
_TPU = "https://cloud.google.com/tpu/docs/bfloat16"
_TENSOR, _X86, _NEON = "NVIDIA Tensor Core", "x86", "Arm"  # VPDPBUSD takes one side unsigned
HARDWARE = (
    Hardware(_TENSOR, "mma", "int8", ("int32",), *_PTX),
    Hardware(_TENSOR, "mma", "int4", ("int32",), *_PTX),
    Hardware(_TENSOR, "mma", "float16", ("float16", "float32"), *_PTX),
    Hardware(_TENSOR, "mma", "bfloat16", ("float32",), *_PTX),
    Hardware(_TENSOR, "mma", "float8_e4m3", ("float16", "float32"), *_PTX),
    Hardware(_TENSOR, "mma", "float8_e5m2", ("float16", "float32"), *_PTX),
    Hardware(f"{_X86} AVX-512 VNNI", "VPDPBUSD", "int8", ("int32",), *_INTEL),
    Hardware(f"{_X86} AVX-512 VNNI", "VPDPWSSD", "int16", ("int32",), *_INTEL),
    Hardware(f"{_X86} AMX", "TDPBSSD", "int8", ("int32",), *_INTEL),
    Hardware(f"{_X86} AVX-512 BF16", "VDPBF16PS", "bfloat16", ("float32",), *_INTEL),
    Hardware(f"{_X86} FMA", "VFMADD231PS", "float32", ("float32",), *_INTEL),
    Hardware(_NEON, "SDOT", "int8", ("int32",), "Arm, A64 instruction set, SDOT (vector)", _ARM),
    Hardware(_NEON, "BFDOT", "bfloat16", ("float32",), "Arm, A64 instruction set, BFDOT (vector)", _ARM),
    Hardware("Google TPU", "MXU", "bfloat16", ("float32",), "Google Cloud, bfloat16 on TPUs", _TPU),
)
