"""One number in one format: its bits are what numpy and torch store, its value what a round trip gives."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.formats.bits import anatomy, grid, levels
from playground.formats.format import Layout
from playground.formats.gguf import blocks
from playground.formats.registry import FORMATS

law = settings(max_examples=60, deadline=None)
FLOATS = {
    "float32": (torch.float32, torch.int32),
    "float16": (torch.float16, torch.int16),
    "bfloat16": (torch.bfloat16, torch.int16),
    "float8_e4m3": (torch.float8_e4m3fn, torch.uint8),
    "float8_e5m2": (torch.float8_e5m2, torch.uint8),
}
CODED = [one.id for one in FORMATS.values() if one.kind != "float"]
values = st.floats(-300, 300) | st.floats(-1e-4, 1e-4) | st.sampled_from([0.0, -0.0, 1.0, 1e-8, 0.1, 448.0, -1e-45])


@law
@given(values, st.sampled_from(list(FLOATS)))
@example(0.1, "float8_e4m3")
@example(2.0**-24, "float16")
@example(70000.0, "float16")
@example(-1e30, "float8_e5m2")
def test_bits_are_those_that_torch_stores(value: Any, name: Any) -> None:
    dtype, word = FLOATS[name]
    found, format = anatomy(name, value), FORMATS[name]
    stored = torch.tensor([value], dtype=torch.float32).clamp(-format.largest, format.largest).to(dtype)
    width = int(format.code_bits)
    assert found.bits == f"{stored.view(word).item() & 2**width - 1:0{width}b}"
    assert found.bits == found.sign + found.exponent + found.mantissa
    assert (len(found.exponent), len(found.mantissa)) == (format.exponent_bits, format.mantissa_bits)
    assert found.stored == stored.float().item()
    assert found.stored == (-1) ** int(found.sign) * math.ldexp(found.significand, found.power)
    assert found.error == found.stored - value
    assert found.saturated == (abs(np.float32(value)) > format.largest)


@law
@given(values)
def test_bits_are_those_that_numpy_stores(value: Any) -> None:
    for name, dtype, word in (("float16", np.float16, np.uint16), ("float32", np.float32, np.uint32)):
        pattern = np.float32(value).astype(dtype).reshape(1).view(word)[0]
        assert anatomy(name, value).bits == f"{pattern:0{8 * word().itemsize}b}"


@law
@given(values)
def test_neighbours_are_numpy_s_next_numbers(value: Any) -> None:
    for name, dtype in (("float16", np.float16), ("float32", np.float32)):
        found, stored = anatomy(name, value), np.float32(value).astype(dtype)
        assert found.lower == np.nextafter(stored, dtype(-np.inf))
        assert found.upper == np.nextafter(stored, dtype(np.inf))


@pytest.mark.parametrize("name", ["float8_e4m3", "float8_e5m2"])
def test_every_number_of_eight_bit_floats_has_its_neighbours(name: str) -> None:
    patterns = torch.arange(256, dtype=torch.uint8).view(FLOATS[name][0]).float()
    numbers = sorted(set(patterns[patterns.isfinite()].tolist()))
    assert len(numbers) == {"float8_e4m3": 253, "float8_e5m2": 247}[name]
    for place, number in enumerate(numbers):
        found = anatomy(name, number)
        assert (found.stored, found.error, found.saturated) == (number, 0.0, False)
        assert found.lower == (numbers[place - 1] if place else None)
        assert found.upper == (numbers[place + 1] if place + 1 < len(numbers) else None)


@law
@given(st.floats(-1.25, 1.25, width=32) | st.floats(-400, 400, width=32), st.sampled_from(list(FORMATS)))
@example(-1.25, "ternary")
def test_an_error_is_half_the_gap_to_a_neighbour_at_most(value: Any, name: Any) -> None:
    found = anatomy(name, value)
    if not found.saturated:
        neighbours = (found.lower, found.upper) if found.error > 0 else (found.upper, found.lower)
        nearest = next(one for one in neighbours if one is not None)  # beyond the last number there is none
        gap = abs(nearest - found.stored) if found.error else 0.0
        exact = 0 if name in FLOATS else 2.0**-22 * abs(value)  # of the division by the scale, and the product
        assert abs(found.error) <= gap / 2 + exact


def test_kinds_of_float_numbers() -> None:
    assert anatomy("float16", 2.0**-15).number == "subnormal"
    assert anatomy("float16", 2.0**-14).number == "normal"
    assert anatomy("float16", 1e-9).number == "zero"
    assert anatomy("bfloat16", 1.0).power == 0
    assert anatomy("float32", -6.5).significand == 1.625
    assert anatomy("float16", 1e6).upper is None
    assert anatomy("float16", 1e6).stored == 65504


@law
@given(
    st.floats(-1.25, 1.25, width=32),
    st.sampled_from([name for name in CODED if FORMATS[name].quantize is not blocks]),  # those are in test_gguf
    st.floats(2.0**-10, 2.0**10, width=32),
)
def test_codes_are_those_of_a_round_trip_with_that_scale(value: Any, name: Any, factor: Any) -> None:
    """One number more sets the scale: the largest of its block (ternary: copies that set the mean)."""
    format, size = FORMATS[name], np.float32(factor)
    largest = size * np.float32(1.0)
    inside = float(np.clip(np.float32(value) * size, -largest, largest))
    if name == "ternary":
        weights = torch.tensor([inside, 2 * float(largest) - abs(inside)])
    else:
        weights = torch.tensor([inside, float(largest)])
    quantized = format.round_trip(weights)
    found = anatomy(name, inside, float(quantized.scales[0]))
    if name == "int8_vectorwise":  # bitsandbytes multiplies by 127 / absmax, and reads back with 1 / 127
        assert abs(found.code - quantized.codes[0].item()) <= 1
        assert found.stored == pytest.approx(found.code * found.scale, rel=1e-6)
    elif name == "nf4_double":
        assert found.stored == pytest.approx(quantized.values[0].item(), rel=1e-6)
    elif name == "float8_block":  # torch's cast takes the even one of two that are equally near
        assert abs(found.error) == pytest.approx(abs(quantized.values[0].item() - inside), rel=1e-5, abs=1e-7 * abs(inside))
    elif format.levels:  # FP4 has two codes for zero
        assert found.stored == quantized.values[0].item()
    else:
        assert (found.code, found.stored) == (quantized.codes[0].item(), quantized.values[0].item())


@law
@given(st.lists(st.floats(-50, 80, width=32), min_size=2, max_size=8))
def test_codes_with_a_zero_point_are_those_of_a_round_trip(weights: Any) -> None:
    weights = torch.tensor([*weights, 81.0])
    quantized = FORMATS["int8"].round_trip(weights, Layout("tensor", zero_point=True))
    for place, value in enumerate(weights.tolist()):
        found = anatomy("int8", value, quantized.scales.item(), quantized.zero_points.item())
        assert (found.code, found.stored) == (quantized.codes[place].item(), quantized.values[place].item())


@pytest.mark.parametrize(
    ("name", "value", "scale", "zero_point"),
    [
        ("int8", 3e38, 2e38, None), ("int8", -3e38, 2e38, None), ("int8", 3e38, 2e38, -5), ("int4", 3.4e38, 3e38, None),
        ("int16", 1.0, 3.4e38, -32768), ("ternary", 3.4e38, 3.4e38, None), ("nf4", -3.4e38, 3.4e38, None),
    ],
)  # fmt: skip
def test_what_float32_cannot_hold_is_its_largest_number_as_in_a_round_trip(
    name: str, value: float, scale: float, zero_point: int | None
) -> None:
    found = anatomy(name, value, scale, zero_point)
    for number in (found.stored, found.error, found.lower, found.upper):
        assert number is None or math.isfinite(number)
    assert found.lower is None or found.lower < found.stored
    assert found.upper is None or found.upper > found.stored


def test_bits_of_codes() -> None:
    assert anatomy("int8", -0.02, 0.01).bits == "11111110"
    assert anatomy("int4", 3.0, 1.0).bits == "0011"
    assert anatomy("int8", 1.0, 0.01, zero_point=-20).code == 80
    assert anatomy("int8", 9.0, 0.01).code == 127
    assert anatomy("int8", 9.0, 0.01).saturated
    assert anatomy("int8", -9.0, 0.01, zero_point=0).code == -128
    assert anatomy("nf4", 0.3, 2.0).bits == "1001"
    assert anatomy("ternary", 0.3, 0.5).bits == ""
    assert anatomy("ternary", 0.3, 0.5).code == 1


@pytest.mark.parametrize("name", CODED)
def test_neighbours_of_codes_are_those_on_the_ruler(name: Any) -> None:
    numbers = grid(name).values if name != "int16" else (-1.0, float(np.float32(-32766) * np.float32(1 / 32767)))
    for place, number in enumerate(numbers):
        found = anatomy(name, number)
        assert found.stored == pytest.approx(number, abs=1e-7)
        if place:
            assert found.lower == pytest.approx(numbers[place - 1], abs=1e-7)
    assert anatomy(name, -1.0).lower == (-1.5 if name == "mxfp4" else None)  # its scales are powers of two
    assert anatomy(name, 1.0).upper == (1.5 if name == "mxfp4" else None)


def test_rulers_count_what_there_is_from_minus_one_to_one() -> None:
    counts = {name: grid(name).count for name in FORMATS}
    assert counts == {
        "float32": 2 * 0x3F800000 + 1, "float16": 2 * 0x3C00 + 1, "bfloat16": 2 * 0x3F80 + 1, "float8_e4m3": 2 * 56 + 1,
        "float8_e5m2": 2 * 60 + 1, "int16": 65535, "int8": 255, "int8_vectorwise": 255, "int4": 15, "nf4": 16,
        "nf4_double": 16, "fp4": 15, "ternary": 3, "float8_block": 253, "int3": 7, "int2": 3, "q8_0": 255, "q5_1": 32,
        "q5_0": 32, "q4_1": 16, "q4_0": 16, "mxfp4": 13, "tq2_0": 3, "tq1_0": 3,
    }  # fmt: skip
    for name in FORMATS:
        ruler = grid(name)
        if FORMATS[name].code_bits > 8:
            assert ruler.values == ()
        else:
            assert len(ruler.values) == ruler.count
            assert list(ruler.values) == sorted(set(ruler.values))
            last = {"q4_0": 7 / 8, "q5_0": 15 / 16}.get(name, 1.0)  # their lowest code has no opposite
            assert (ruler.values[0], ruler.values[-1]) == (-1.0, last)
            assert (0.0 in ruler.values) == (not FORMATS[name].minimum)


@pytest.mark.parametrize("name", ["float8_e4m3", "float8_e5m2", "int8", "int4", "nf4", "fp4", "ternary"])
def test_numbers_on_a_ruler_survive_a_round_trip(name: str) -> None:
    numbers = torch.tensor(grid(name).values)
    quantized = FORMATS[name].round_trip(numbers if name != "ternary" else numbers[[0, 2]])
    torch.testing.assert_close(quantized.values, numbers if name != "ternary" else numbers[[0, 2]], atol=1e-7, rtol=0)


def test_a_ruler_with_a_scale_and_a_zero_point_has_what_can_be_stored() -> None:
    for name, scale, zero_point in (("int8", 2 / 256, 0), ("int8", 1 / 255, -128), ("int4", 0.1, 5), ("nf4", 3.0, None)):
        ruler = grid(name, scale, zero_point)
        assert 0.0 in ruler.values
        assert ruler.count == len(ruler.values)
        for number in ruler.values:
            assert anatomy(name, number, scale, zero_point).error == 0
            assert abs(number) <= 1
    assert grid("int8", 2 / 256, 0).count == 256
    assert grid("int8", 1 / 255, -128).values[0] == 0.0
    assert grid("int16", 0.1).values == tuple(float(np.float32(code) * np.float32(0.1)) for code in range(-10, 11))
    assert grid("nf4", 3.0).count == 7  # the other levels lie beyond ±1


@pytest.fixture(scope="module", params=["float8_e4m3", "float8_e5m2", "float16", "bfloat16"])
def patterns(request: pytest.FixtureRequest) -> Any:
    """A format and all its finite numbers, rising: every pattern that torch reads."""
    dtype, word = FLOATS[request.param]
    words = torch.arange(2 ** int(FORMATS[request.param].code_bits), dtype=torch.int32).to(word)
    numbers = words.view(dtype).float()
    return FORMATS[request.param], numbers[numbers.isfinite()].unique()


@law
@given(
    ends=st.lists(st.floats(-(2.0**127), 2.0**127, width=32) | st.floats(-2, 2, width=32), min_size=2, max_size=2).map(
        sorted
    )
)
@example(ends=[0.0, 0.0])
@example(ends=[-1e30, -1e29])
@example(ends=[-(2.0**-149), 2.0**-149])
def test_levels_are_the_numbers_of_a_format_in_a_range(patterns: Any, ends: Any) -> None:
    format, numbers = patterns
    low, high = ends
    inside = numbers[(numbers >= low) & (numbers <= high)]
    listed, count = levels(format, low, high, most=2**16)
    assert (list(listed), count) == (inside.tolist(), len(inside))
    assert levels(format, low, high, most=count - 1) == ((), count)


@law
@given(st.floats(-(2.0**127), 2.0**127, width=32), st.integers(1, 40))
def test_levels_of_float32_are_those_that_follow_each_other(low: Any, count: Any) -> None:
    numbers = [np.float32(low)]
    while len(numbers) < count:
        numbers.append(np.nextafter(numbers[-1], np.float32(math.inf)))
    assert levels(FORMATS["float32"], low, float(numbers[-1])) == (tuple(map(float, numbers)), count)


@pytest.mark.parametrize(("name", "zero_point"), [("int8", None), ("int8", -20), ("int4", 7), ("nf4", None), ("fp4", None)])
def test_levels_of_codes_are_what_can_be_stored_with_a_scale(name: str, zero_point: int | None) -> None:
    listed, count = levels(FORMATS[name], scale=0.037, zero_point=zero_point)
    assert len(listed) == count == {"int8": 255, "int4": 15, "nf4": 16, "fp4": 15}[name] + (zero_point is not None)
    assert list(listed) == sorted(set(listed))
    assert all(anatomy(name, number, 0.037, zero_point).stored == number for number in listed)
    assert levels(FORMATS[name], 0.0, 0.1, 0.037, zero_point)[0] == tuple(one for one in listed if 0 <= one <= 0.1)


def test_half_of_a_ruler_lies_within_its_half() -> None:
    for name in FORMATS:
        ruler = grid(name)
        if ruler.values:
            assert ruler.half == pytest.approx(np.median(np.abs(ruler.values)))
    assert grid("float16").half == 1.5 * 2.0**-8
    assert grid("int16").half == pytest.approx(0.5, abs=1e-4)
    assert grid("float32").half < 1e-18


def test_the_course_s_toy_quantizer() -> None:
    """0.622 with scale 1 / (2ᵇ⁻¹ − 1): code 4 of 7 in 4 bits, 79 of 127 in 8."""
    four, eight = anatomy("int4", 0.622), anatomy("int8", 0.622)
    assert (four.code, eight.code) == (4, 79)
    assert (four.scale, eight.scale) == (pytest.approx(1 / 7), pytest.approx(1 / 127))
    assert round(four.stored, 4) == 0.5714
    assert round(eight.stored, 5) == 0.62205


@pytest.mark.parametrize(
    ("name", "options", "key"),
    [
        ("int5", {"value": 1.0}, "not_a_choice"),
        ("float16", {"value": math.nan}, "out_of_range"),
        ("float16", {"value": -math.inf}, "out_of_range"),
        ("int8", {"value": 1e300}, "out_of_range"),
        ("int8", {"value": "1"}, "wrong_kind"),
        ("int8", {"value": 1.0, "scale": 0.0}, "out_of_range"),
        ("int8", {"value": 1.0, "scale": -1.0}, "out_of_range"),
        ("int8", {"value": 1.0, "scale": math.nan}, "out_of_range"),
        ("nf4", {"value": 1.0, "scale": 1e-60}, "out_of_range"),
        ("int8", {"value": 1.0, "zero_point": 128}, "out_of_range"),
        ("int8", {"value": 1.0, "zero_point": 0.5}, "wrong_kind"),
        ("nf4", {"value": 1.0, "zero_point": 0}, "not_a_choice"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(name: str, options: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        anatomy(name, **options)
    assert error.value.key == key
    for language in ("en", "es"):
        assert error.value.message(language)


def test_rulers_refuse_what_does_not_exist() -> None:
    for name, scale, zero_point in (("int5", None, None), ("fp4", None, 0), ("float16", None, 0), ("int8", 0.0, None)):
        with pytest.raises(PlaygroundError):
            grid(name, scale, zero_point)
    with pytest.raises(PlaygroundError):
        grid("int4", zero_point=8)
