"""The block formats of GGUF files: the reference's bytes and numbers, bit for bit, and what is packed into a byte."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, quants
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from playground.errors import PlaygroundError
from playground.formats import gguf
from playground.formats.bits import anatomy
from playground.formats.distributions import sample
from playground.formats.format import Layout
from playground.formats.registry import FORMATS, USUAL
from playground.formats.statistics import errors

law = settings(max_examples=40, deadline=None)
BLOCKED = [one.id for one in FORMATS.values() if one.quantize is gguf.blocks]
BITS = {
    "q4_0": 4.5, "q4_1": 5, "q5_0": 5.5, "q5_1": 6, "q8_0": 8.5, "tq1_0": 1.6875, "tq2_0": 2.0625, "mxfp4": 4.25,
}  # fmt: skip


def edges() -> Any:
    """Blocks of 256 at the edges: zeros, one outlier, a negative and a positive maximum, one value, subnormal and tiny."""
    rows = [np.zeros(256), np.full(256, 0.7), -np.arange(256) / 255, np.arange(256) / 255]
    rows += [np.where(np.arange(256) == place, value, 0.01) for place, value in ((3, 900.0), (200, -900.0), (0, -1e-3))]
    rows += [np.linspace(-1e-40, 1e-40, 256), np.linspace(-1e-7, 3e-7, 256), np.linspace(-6e-5, 6e-5, 256)]
    rows += [sample("normal", 1, 256)[0], np.round(sample("normal", 1, 256, 1)[0])]  # the last one with many ties
    return np.array(rows, np.float32)


def reference(name: str, weights: Any) -> Any:
    """Bytes and numbers of the package's own functions."""
    kind = GGMLQuantizationType[name.upper()]
    with np.errstate(all="ignore"):
        packed = quants.quantize(weights, kind)
    return packed, quants.dequantize(packed, kind)


@pytest.mark.parametrize("name", BITS)
def test_bytes_and_numbers_are_the_reference_s(name: str) -> None:
    weights = edges()
    packed, values = reference(name, weights)
    np.testing.assert_array_equal(gguf.encode(FORMATS[name], weights).reshape(len(weights), -1), packed)
    np.testing.assert_array_equal(FORMATS[name].round_trip(torch.from_numpy(weights)).values.numpy(), values)


@law
@given(hnp.arrays(np.float32, (4, 256), elements=st.floats(-1e3, 1e3, width=32)), st.sampled_from(BLOCKED))
def test_any_blocks_are_the_reference_s(weights: Any, name: Any) -> None:
    quantized = FORMATS[name].round_trip(torch.from_numpy(weights))
    np.testing.assert_array_equal(quantized.values.numpy(), reference(name, weights)[1])
    assert quantized.saturated == 0


@law
@given(hnp.arrays(np.float32, (2, 256), elements=st.floats(-1e3, 1e3, width=32)), st.sampled_from(BLOCKED))
def test_codes_scales_and_minima_are_all_that_the_numbers_need(weights: Any, name: Any) -> None:
    format = FORMATS[name]
    quantized = format.round_trip(torch.from_numpy(weights))
    assert quantized.codes is not None
    assert quantized.scales is not None
    assert len(quantized.scales) == quantized.layout.groups(weights.shape)
    units = torch.tensor(format.levels)[quantized.codes] if format.levels else quantized.codes.float()
    units = units.view(-1, format.layout.block)
    if quantized.minima is None:
        values = units * quantized.scales[:, None]
    else:
        values = (units - format.levels[0]) * quantized.scales[:, None] + quantized.minima[:, None]
    assert torch.equal(values.view(weights.shape), quantized.values)


@pytest.mark.parametrize(("name", "bits"), BITS.items())
def test_bits_are_those_of_the_bytes(name: str, bits: float) -> None:
    format = FORMATS[name]
    packed = gguf.encode(format, edges())
    assert format.bits_per_parameter((64, 256)) == format.bits_per_parameter() == bits == 8 * packed.size / edges().size


def test_every_type_that_the_package_encodes_is_a_format_and_every_other_is_read_only() -> None:
    known = {kind.name for kind in quants._type_traits}
    assert {FORMATS[name].dtype for name in BLOCKED} | {one.name for one in gguf.read_only()} | {"BF16"} == known
    assert sorted(BLOCKED) == sorted(BITS)
    bits = {one.name: one.bits for one in gguf.read_only()}
    assert (bits["Q4_K"], bits["Q6_K"], bits["NVFP4"]) == (4.5, 6.5625, 4.5)
    for one in gguf.read_only():
        with pytest.raises(NotImplementedError):
            reference(one.name, edges())


def test_more_bits_are_closer() -> None:
    weights = torch.from_numpy(sample("normal", 64, 256))
    order = ["q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "mxfp4", "int3", "int2", "tq2_0"]
    found = [errors(weights, FORMATS[name].round_trip(weights).values).sqnr_db or 0.0 for name in order]
    assert found == sorted(found, reverse=True)
    pair = [FORMATS[name].round_trip(weights).values for name in ("tq1_0", "tq2_0")]
    assert torch.equal(*pair)  # they differ in their packing alone


def test_a_scale_for_each_block_is_closer_than_one_for_fp8_s_tensor_and_reaches_any_number() -> None:
    weights = torch.from_numpy(sample("normal", 64, 256)) * 1e-4  # among the subnormal numbers of E4M3
    found = {
        name: errors(weights, FORMATS[name].round_trip(weights).values).sqnr_db or 0.0
        for name in ("float8_e4m3", "float8_block")
    }
    assert found["float8_block"] > found["float8_e4m3"] + 10
    huge = weights * 1e9
    assert FORMATS["float8_block"].round_trip(huge).saturated == 0
    assert FORMATS["float8_block"].bits_per_parameter() == 8.25


def test_levels_of_e4m3_are_torch_s() -> None:
    patterns = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float().nan_to_num(0.0)
    assert torch.equal(torch.tensor(FORMATS["float8_block"].levels), patterns)


def test_what_no_scale_of_16_bits_reaches_is_the_largest_number_not_infinity() -> None:
    weights = torch.tensor([1e30, -1.0, 2.0])
    for name in BLOCKED:
        quantized = FORMATS[name].round_trip(weights)
        assert quantized.values.isfinite().all()
        assert quantized.saturated == (name != "mxfp4")


def test_a_large_weight_is_encoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = torch.from_numpy(sample("normal", 10, 100))
    whole = FORMATS["mxfp4"].round_trip(weights).values
    monkeypatch.setattr(gguf, "AT_ONCE", 3)
    assert torch.equal(FORMATS["mxfp4"].round_trip(weights).values, whole)


def test_a_shorter_last_block_is_as_if_alone() -> None:
    weights = torch.from_numpy(sample("normal", 1, 300))[0] + 5  # far from 0, which would stretch a block with a minimum
    for name in BLOCKED:
        size = FORMATS[name].layout.block
        rest = weights[300 - 300 % size :]
        assert torch.equal(FORMATS[name].round_trip(weights).values[-len(rest) :], FORMATS[name].round_trip(rest).values)


# One number


def test_one_number_in_a_block() -> None:
    found = anatomy("q4_1", 0.622)  # of a block from −1 to 1: 15 steps of 2/15
    assert (found.code, found.bits, found.minimum) == (12, "1100", -1.0)
    assert found.stored == pytest.approx(12 * 2 / 15 - 1)
    assert anatomy("q4_1", 0.0).stored != 0  # no code stands for 0
    assert anatomy("q4_0", 1.0).stored == 0.875  # −8 to 7: one side reaches farther
    assert anatomy("q4_0", 1.0).saturated
    assert anatomy("q4_0", -1.0).code == 0
    assert anatomy("mxfp4", 0.622).scale == 0.25  # a power of two
    assert anatomy("mxfp4", 0.622, 0.3).scale == 0.5
    assert anatomy("tq1_0", 0.622).bits == ""
    assert anatomy("float8_block", 0.5, 0.5 / 448).bits == "01111110"


@law
@given(st.floats(-1, 1, width=32), st.sampled_from(["q4_0", "q5_0", "tq2_0", "tq1_0", "mxfp4"]), st.integers(-8, 8))
def test_one_number_is_that_of_a_block_whose_scale_16_bits_hold(value: Any, name: Any, power: Any) -> None:
    size = np.float32(2.0**power)
    inside = float(np.float32(value) * size)
    quantized = FORMATS[name].round_trip(torch.tensor([-float(size), inside]))
    assert quantized.scales is not None
    found = anatomy(name, inside, float(quantized.scales[0]))
    assert abs(found.error) == abs(quantized.values[1].item() - inside)  # of two that are equally near either will do


@law
@given(st.floats(-1, 1, width=32), st.sampled_from(["q8_0", "q4_1", "q5_1"]))
def test_one_number_is_a_code_off_where_16_bits_round_the_scale(value: Any, name: Any) -> None:
    quantized = FORMATS[name].round_trip(torch.tensor([value, -1.0, 1.0]))
    assert quantized.codes is not None
    assert abs(anatomy(name, value).code - quantized.codes[0].item()) <= 1
    assert anatomy(name, value).scale == pytest.approx(float(quantized.scales[0]), rel=2.0**-11)


# One block and its bytes


def test_a_block_is_its_scale_its_minimum_and_its_codes() -> None:
    weights = torch.from_numpy(sample("normal", 4, 64))
    for name in BLOCKED:
        format = FORMATS[name]
        block = gguf.block_of(format, weights)
        size = format.layout.block
        assert len(block.codes) == len(block.numbers) == size
        assert 8 * len(block.stored) / size == BITS[name]
        values = format.round_trip(weights).values.view(-1)[:size]
        assert block.numbers == tuple(values.tolist())
        assert (block.minimum is None) == (not format.minimum)
    q4_1 = gguf.block_of(FORMATS["q4_1"], weights, 7)
    np.testing.assert_array_equal(gguf.pack(np.array(q4_1.codes), 4), np.frombuffer(q4_1.stored[4:], np.uint8))
    assert np.frombuffer(q4_1.stored[:4], "<f2").tolist() == [q4_1.scale, q4_1.minimum]
    codes = np.array(gguf.block_of(FORMATS["tq2_0"], weights).codes) + 1
    np.testing.assert_array_equal(
        np.concatenate([gguf.pack(half, 2) for half in codes.reshape(2, 128)]),
        np.frombuffer(gguf.block_of(FORMATS["tq2_0"], weights).stored[:64], np.uint8),
    )


def test_blocks_that_do_not_exist_are_refused() -> None:
    weights = torch.ones(2, 32)
    for place in (-1, 2):
        with pytest.raises(PlaygroundError):
            gguf.block_of(FORMATS["q4_1"], weights, place)
    with pytest.raises(PlaygroundError) as error:
        gguf.block_of(FORMATS["nf4"], weights)
    assert error.value.key == "no_blocks"
    with pytest.raises(PlaygroundError):
        FORMATS["q4_0"].round_trip(weights, Layout("block", 64))


@law
@given(st.integers(1, 3).flatmap(lambda n: hnp.arrays(np.uint8, 16 * n)), st.sampled_from([2, 4]))
def test_packing_and_unpacking_are_each_other_s_reverse(packed: Any, bits: Any) -> None:
    codes = gguf.unpack(packed, bits)
    assert len(codes) == 8 * len(packed) // bits
    np.testing.assert_array_equal(gguf.pack(codes, bits), packed)


def test_packing_is_lowest_bits_first() -> None:
    assert gguf.pack(np.array([6, 9]), 4).tolist() == [0b1001_0110]
    assert gguf.pack(np.array([0, 1, 2, 3]), 2).tolist() == [0b11_10_01_00]
    for codes, bits in (([1], 4), ([1, 16], 4), ([-1, 1], 4), ([1, 2], 2)):
        with pytest.raises(PlaygroundError) as error:
            gguf.pack(np.array(codes), bits)
        assert error.value.key == "not_packable"
    with pytest.raises(PlaygroundError):
        gguf.unpack(np.zeros(2, np.uint8), 3)


def test_the_usual_formats_stand_before_the_others() -> None:
    assert tuple(FORMATS)[: len(USUAL)] == USUAL
    assert not {*BLOCKED} & {*USUAL}
    assert not replace(FORMATS["q4_0"]).usual
