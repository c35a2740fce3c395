"""Accumulators: every partial sum held against Python's integers, numpy's fixed-width types and torch's float formats."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground import settings as limits
from playground.errors import PlaygroundError
from playground.formats.accumulators import (
    FLOATS,
    HARDWARE,
    INTEGERS,
    OPERANDS,
    PAIRS,
    add,
    dot,
    dots,
    operands,
    pattern,
    rounded,
    saturate,
    wrap,
)
from playground.formats.registry import FORMATS

law = settings(max_examples=60, deadline=None)
TYPES = {"int8": np.int8, "int16": np.int16, "int32": np.int32}
codes = st.integers(-128, 127)


# Two numbers


def test_the_course_s_example() -> None:
    found = add(127, 127)
    assert (found.exact, found.result, found.overflowed) == (254, -2, True)
    assert (found.bits_a, found.bits_b, found.bits_result) == ("01111111", "01111111", "11111110")
    assert found.carries == "11111110"
    assert found.carry_out == 0  # a carry went into the sign, none came out: overflow
    assert (add(-1, -1).carry_out, add(-1, -1).overflowed) == (1, False)
    wide = add(127, 127, "int32")
    assert (wide.result, wide.overflowed) == (254, False)
    assert wide.bits_result == "0" * 24 + "11111110"
    assert add(127, 127, overflow="saturate").result == 127
    assert add(-128, -1).result == 127
    assert add(-128, -1, overflow="saturate").result == -128


@law
@given(codes, codes, st.sampled_from(list(INTEGERS)))
def test_wrapping_is_what_numpy_s_integers_do(a: Any, b: Any, accumulator: Any) -> None:
    found, kind = add(a, b, accumulator), TYPES[accumulator]
    with np.errstate(over="ignore"):
        assert found.result == int(kind(a) + kind(b))
    assert found.overflowed == (found.result != a + b)
    for bits, value in ((found.bits_a, a), (found.bits_b, b), (found.bits_result, found.result)):
        assert bits == np.binary_repr(value, INTEGERS[accumulator])


@law
@given(codes, codes, st.sampled_from(list(INTEGERS)))
def test_every_column_adds_up(a: Any, b: Any, accumulator: Any) -> None:
    found = add(a, b, accumulator)
    carry = 0
    columns = list(zip(found.bits_a, found.bits_b, found.carries, found.bits_result, strict=True))
    for one, other, carried, result in reversed(columns):
        assert int(carried) == carry
        total = int(one) + int(other) + carry
        assert int(result) == total % 2
        carry = total // 2
    assert found.carry_out == carry
    assert found.overflowed == (carry != int(found.carries[0]))


@law
@given(st.integers(-(2**40), 2**40), st.sampled_from([8, 16, 32]))
def test_wrap_and_saturate_against_their_definitions(value: Any, bits: Any) -> None:
    half = 2 ** (bits - 1)
    assert (wrap(value, bits) - value) % 2**bits == 0
    assert -half <= wrap(value, bits) < half
    assert saturate(value, bits) == int(np.clip(value, -half, half - 1))
    assert pattern(value, bits) == pattern(wrap(value, bits), bits)
    if -half <= value < half:
        assert wrap(value, bits) == saturate(value, bits) == value


# Dot products


@law
@given(st.integers(1, 300), st.integers(0, 50), st.sampled_from(OPERANDS), st.sampled_from(["int8", "int16", "int32"]))
def test_integer_sums_are_those_of_numpy_s_integers(length: Any, seed: Any, kind: Any, accumulator: Any) -> None:
    a, b = operands(kind, length, seed)
    found = dot(f"int8_{accumulator}", kind, length, seed=seed)
    sums = np.cumsum((a * b).astype(TYPES[accumulator]), dtype=TYPES[accumulator])
    exact, running = 0, []
    for one, other in zip(a.tolist(), b.tolist(), strict=True):
        exact += one * other
        running.append(exact)
    assert found.sums == tuple(int(sums[place - 1]) for place in found.lengths)
    assert found.exact == tuple(running[place - 1] for place in found.lengths)
    half = 2 ** (INTEGERS[accumulator] - 1)
    overflows = [place + 1 for place, total in enumerate(running) if not -half <= total < half]
    assert found.overflow_at == (overflows[0] if overflows else None)


@law
@given(st.integers(1, 300), st.integers(0, 50), st.sampled_from(OPERANDS), st.sampled_from(["wrap", "saturate"]))
def test_int16_codes_are_added_in_int32_as_numpy_adds_them(length: Any, seed: Any, kind: Any, overflow: Any) -> None:
    a, b = operands(kind, length, seed, "int16")
    assert max(abs(a).max(), abs(b).max()) <= 2**15 - 1
    found = dot("int16_int32", kind, length, overflow, seed)
    exact = np.cumsum(a * b)
    outside = np.flatnonzero((exact < -(2**31)) | (exact >= 2**31))
    assert found.overflow_at == (outside[0] + 1 if len(outside) else None)
    sums = np.cumsum((a * b).astype(np.int32), dtype=np.int32)
    right = len(exact) if found.overflow_at is None else found.overflow_at - 1
    for place, total, true in zip(found.lengths, found.sums, found.exact, strict=True):
        assert true == exact[place - 1]
        assert total == (sums[place - 1] if overflow == "wrap" else true if place <= right else total)
        assert -(2**31) <= total < 2**31


@law
@given(st.integers(1, 300), st.integers(0, 50), st.sampled_from(["positive", "random"]))
def test_saturating_sums_stay_within_and_are_exact_before_the_overflow(length: Any, seed: Any, kind: Any) -> None:
    found = dot("int8_int16", kind, length, "saturate", seed)
    assert all(-(2**15) <= total < 2**15 for total in found.sums)
    for place, total, exact in zip(found.lengths, found.sums, found.exact, strict=True):
        if found.overflow_at is None or place < found.overflow_at:
            assert total == exact
    if kind == "positive" and found.overflow_at:
        assert found.sums[-1] == 2**15 - 1


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("kind", OPERANDS)
def test_float_sums_are_rounded_by_torch_s_types_after_every_addition(name: Any, kind: Any) -> None:
    """The sum in float64 is exact here, so one cast is one rounding."""
    length, dtype = 600, getattr(torch, name)
    a, b = operands(kind, length, 3)
    pair = "float16_float32" if name == "float32" else f"{name}_{name}"
    found = dot(pair, kind, length, seed=3)
    total, sums = torch.tensor(0.0, dtype=torch.float64), []
    for product in (a * b).tolist():
        total = (total + product).to(torch.float32).to(dtype).double()
        sums.append(total.item())
    assert found.sums == tuple(sums[place - 1] for place in found.lengths)


@law
@given(st.integers(-(2**28), 2**28), st.sampled_from(FLOATS))
def test_rounding_is_torch_s(value: Any, name: Any) -> None:
    """Integers up to 2²⁴ are exact in float32, so torch rounds once; larger ones would be rounded twice."""
    value = value if name == "float32" else value >> 5
    found = rounded(float(value), FORMATS[name].mantissa_bits + 1, FORMATS[name].largest)
    assert found == torch.tensor(value, dtype=torch.float64).to(torch.float32).to(getattr(torch, name)).double().item()


@law
@given(st.integers(1, 3000), st.integers(0, 50), st.sampled_from(OPERANDS))
def test_float32_sums_are_rounded_one_by_one_too(length: Any, seed: Any, kind: Any) -> None:
    a, b = operands(kind, length, seed)
    total = 0.0
    for product in (a * b).tolist():
        total = rounded(total + 4096.0 * product, 24, FORMATS["float32"].largest)
    found = np.cumsum(4096 * a * b, dtype=np.float32)[-1]  # how the accumulator adds, on sums that need rounding
    assert found == total


def test_a_rounded_infinity_stays_one() -> None:
    assert rounded(math.inf, 11, 65504.0) == math.inf
    assert rounded(-1e9, 11, 65504.0) == -math.inf
    assert rounded(65519.0, 11, 65504.0) == 65504.0
    assert rounded(65520.0, 11, 65504.0) == math.inf
    assert rounded(0.0, 11, 65504.0) == 0.0


def test_where_sums_of_ones_stop_growing() -> None:
    """One more than the largest number below which every integer has its place: 2¹¹, 2⁸."""
    half = dot("float16_float16", "ones", 4000)
    assert (half.sums[-1], half.lost_at, half.stall_at, half.overflow_at) == (2048, 2049, 2049, None)
    brain = dot("bfloat16_bfloat16", "ones", 4000)
    assert (brain.sums[-1], brain.lost_at, brain.stall_at) == (256, 257, 257)
    assert brain.error == pytest.approx(1 - 256 / 4000)
    for pair in ("float16_float32", "bfloat16_float32", "int8_int32", "int16_int32", "int8_int16"):
        wide = dot(pair, "ones", 4000)
        assert (wide.sums[-1], wide.lost_at, wide.stall_at, wide.overflow_at, wide.error) == (4000, None, None, None, 0)


def test_where_sums_of_the_largest_products_overflow() -> None:
    at = {one.pair.id: one.overflow_at for one in dots("largest", 133_200)}
    assert at == {
        "int8_int8": 1,  # 16,129 alone does not fit
        "int8_int16": math.floor(32767 / 16129) + 1,
        "int8_int32": math.floor((2**31 - 1) / 16129) + 1,
        "int16_int32": 3,  # 2 · 32,767² is the last that fits
        "float16_float16": 5,
        "float16_float32": None,
        "bfloat16_bfloat16": None,
        "bfloat16_float32": None,
    }
    half = dot("float16_float16", "largest", 10)
    assert half.sums[-1] == math.inf
    assert (half.error, half.stall_at, half.overflow) == (None, None, "infinity")


def test_a_single_lost_product_is_no_stall() -> None:
    found = dot("bfloat16_bfloat16", "random", 2000)
    assert found.lost_at is not None
    assert found.stall_at is None


def test_long_products_are_shown_at_a_few_lengths_only() -> None:
    found = dot("int8_int32", "ones", limits.MAX_DOT_LENGTH)
    assert len(found.lengths) <= 160
    assert (found.lengths[0], found.lengths[-1]) == (1, limits.MAX_DOT_LENGTH)
    assert list(found.lengths) == sorted(set(found.lengths))
    assert dot("int8_int32", "ones", 1).lengths == (1,)


def test_operands_are_codes_and_repeat_with_their_seed() -> None:
    for kind in OPERANDS:
        a, b = operands(kind, 500, 7)
        again = operands(kind, 500, 7)
        assert np.array_equal(a, again[0])
        assert np.array_equal(b, again[1])
        assert max(abs(a).max(), abs(b).max()) <= 127
    assert operands("random", 500)[0].min() < 0 <= operands("positive", 500)[0].min()


def test_an_exact_zero_has_no_relative_error() -> None:
    seed = next(seed for seed in range(3000) if (dot("int8_int32", "random", 1, seed=seed).exact[-1]) == 0)
    assert dot("int8_int32", "random", 1, seed=seed).error is None


# Hardware


READ_AS = {  # what is multiplied, where it is not the format itself
    "int8_vectorwise": "int8", "ternary": "int8", "nf4": "bfloat16", "nf4_double": "bfloat16", "fp4": "bfloat16",
    "float8_block": "float8_e4m3", "int3": "int4", "int2": "int4", "mxfp4": "bfloat16",
    **dict.fromkeys(("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "tq2_0", "tq1_0"), "int8"),
}  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_hardware_accumulates_what_the_registry_says(format: Any) -> None:
    units = [one for one in HARDWARE if one.operand == READ_AS.get(format, format)]
    assert units
    assert all(FORMATS[format].accumulates_in in one.accumulators for one in units)


def test_every_kind_of_hardware_has_a_source() -> None:
    for one in HARDWARE:
        assert one.source
        assert one.url.startswith("https://")
        assert set(one.accumulators) <= {*INTEGERS, *FLOATS}
    assert {"int8", "float16", "bfloat16", "float8_e4m3"} <= {one.operand for one in HARDWARE}


def test_only_pairs_of_hardware_and_warnings_are_shown() -> None:
    assert [pair.id for pair in PAIRS.values()] == list(PAIRS)
    real = {(one.operand, accumulator) for one in HARDWARE for accumulator in one.accumulators}
    assert {(pair.operand, pair.accumulator) for pair in PAIRS.values()} - real == {
        ("int8", "int8"), ("int8", "int16"), ("bfloat16", "bfloat16"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (lambda: add(128, 0), "out_of_range"),
        (lambda: add(0, -129), "out_of_range"),
        (lambda: add(1.5, 0), "wrong_kind"),
        (lambda: add(1, 1, "int64"), "not_a_choice"),
        (lambda: add(1, 1, "int8", "raise"), "not_a_choice"),
        (lambda: dot("int8_float64"), "not_a_choice"),
        (lambda: dot("int8_int8", "twos"), "not_a_choice"),
        (lambda: dot("int8_int8", "ones", 0), "out_of_range"),
        (lambda: dot("int8_int8", "ones", limits.MAX_DOT_LENGTH + 1), "out_of_range"),
        (lambda: dot("int8_int8", "random", 5, seed=-1), "out_of_range"),
        (lambda: dot("float16_float16", "ones", 5, "explode"), "not_a_choice"),
    ],
)
def test_what_does_not_exist_is_refused(call: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        call()
    assert error.value.key == key
