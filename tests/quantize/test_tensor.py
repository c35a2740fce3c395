"""One tensor in every format: held against published figures, bitsandbytes' own layers, and what a histogram promises."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bitsandbytes import functional as bnb
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from playground import settings
from playground.errors import PlaygroundError
from playground.formats.format import Layout
from playground.formats.registry import FORMATS
from playground.formats.statistics import errors
from playground.model.bases import Base
from playground.quantize import sources, tensor
from playground.quantize.sources import with_outliers
from playground.quantize.tensor import STOPS, layout_at, report

law = hypothesis_settings(max_examples=15, deadline=None)
STOP_OF = {shared: place for place, shared in enumerate(STOPS)}


@pytest.fixture(scope="module")
def gaussian() -> Any:
    """N(0, 1), 1024 × 1024, seed 0."""
    return sources.drawn("normal")


def small(rows: Any = 16, columns: Any = 96, seed: Any = 0) -> Any:
    return sources.taken(torch.from_numpy(np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)))


def refused(call: Any) -> Any:
    with pytest.raises(PlaygroundError) as error:
        call()
    for language in ("en", "es"):
        assert error.value.message(language)
    return error.value.key


# Published figures, as the page shows them


@pytest.mark.parametrize(
    ("shared", "sqnr"),
    [
        ("tensor", {"int8": "38.9", "int4": "13.7", "nf4": "20.7", "fp4": "18.3", "ternary": "5.8", "float16": "73.7"}),
        ("channel", {"int8": "42.1", "int4": "16.9", "int8_vectorwise": "42.1", "bfloat16": "55.6"}),
        (64, {"int8": "44.5", "int4": "19.4", "nf4": "20.7", "fp4": "18.3", "ternary": "5.8"}),
    ],
)
def test_the_slider_reaches_the_reference_figures(gaussian: Any, shared: int | str, sqnr: dict[str, Any]) -> None:
    found = report(gaussian, list(sqnr), layout_at(STOP_OF[shared]))
    assert {one.statistics.format: f"{one.statistics.sqnr_db:.1f}" for one in found.outcomes} == sqnr


@pytest.mark.parametrize(("block", "nf4", "fp4"), [(32, 0.067746, 0.088925), (256, 0.080337, 0.108684)])
def test_four_bits_err_as_bitsandbytes_publishes(gaussian: Any, block: int, nf4: float, fp4: float) -> None:
    found = report(gaussian, ["nf4", "fp4"], layout_at(STOP_OF[block]))
    assert [one.statistics.mae for one in found.outcomes] == [pytest.approx(nf4, abs=3e-4), pytest.approx(fp4, abs=3e-4)]


def test_the_line_meets_what_equal_steps_over_the_whole_range_give(gaussian: Any) -> None:
    found = report(gaussian, ["int16", "int8"], layout_at(STOP_OF["tensor"]))
    for one in found.outcomes:
        line = found.line + 20 * math.log10(2) * round(one.statistics.bits_per_parameter)
        assert one.statistics.sqnr_db == pytest.approx(line, abs=0.1)


def test_worth_their_bits_are_those_that_no_other_beats(gaussian: Any) -> None:
    formats = ["int8", "int4", "nf4", "fp4", "ternary"]  # as above: one report
    best = report(gaussian, formats, layout_at(STOP_OF[64])).worth(formats)
    assert [one.format for one in best] == ["ternary", "nf4", "int8"]  # int4 and FP4 take as many bits as NF4
    twins = report(gaussian, ["int8", "int8_vectorwise"], layout_at(STOP_OF["channel"])).worth(["int8", "int8_vectorwise"])
    assert {one.format for one in twins} <= {"int8", "int8_vectorwise"}
    assert twins


# Histograms and grids


@law
@given(st.integers(1, 12), st.integers(1, 70), st.integers(0, 5), st.integers(0, len(STOPS) - 1), st.booleans())
def test_histograms_count_every_number_once_and_errors_lie_within_the_largest(
    rows: Any, columns: Any, seed: Any, stop: Any, zero_point: Any
) -> None:
    numbers = small(rows, columns, seed)
    found = report(numbers, (), layout_at(stop, zero_point))
    assert [one.statistics.format for one in found.outcomes] == list(FORMATS)
    assert sum(found.weights.counts) == found.numbers == rows * columns
    ranges = {(one.errors.low, one.errors.high) for one in found.outcomes}
    assert len(ranges) == 1  # so that they can be laid over each other
    for one in found.outcomes:
        largest = one.statistics.max_error
        for shown in (one.errors, one.own):
            assert sum(shown.counts) + shown.below + shown.above == rows * columns
        assert not largest or one.own.high <= largest
        if largest <= tensor.OWN_REACH * one.statistics.rmse:
            assert (one.own.below, one.own.above) == (0, 0)


@pytest.mark.parametrize("zero_point", [False, True])
@pytest.mark.parametrize("stop", range(len(STOPS)))
def test_a_grid_holds_every_value_of_a_tensor_with_one_scale(stop: Any, zero_point: bool) -> None:
    numbers = sources.taken(small().weights[:1, :30].contiguous())  # one row of one block: one scale whatever is asked
    for one in report(numbers, (), layout_at(stop, zero_point)).outcomes:
        if not one.grid:
            assert one.levels > tensor.GRID
            continue
        assert one.levels == len(one.grid)
        assert list(one.grid) == sorted(one.grid)
        values = FORMATS[one.statistics.format].round_trip(numbers.weights, one.layout).values
        low, high = float(numbers.weights.min()), float(numbers.weights.max())
        inside = values[(values >= low) & (values <= high)]
        nearest = (inside.view(-1, 1) - torch.tensor(one.grid)).abs().amin(1)
        assert float(nearest.max()) <= 1e-6 * max(abs(low), abs(high))


def test_how_many_numbers_float_formats_have_in_a_range() -> None:
    numbers = sources.taken(torch.tensor([-1.0, 0.5, 1.0]))
    levels = {one.statistics.format: one.levels for one in report(numbers).outcomes}
    assert levels["float8_e4m3"] == 2 * 0b0111_000 + 1  # every pattern up to that of 1.0, of either sign, one zero
    assert levels["float16"] == 2 * 0x3C00 + 1
    assert levels["bfloat16"] == 2 * 0x3F80 + 1
    assert levels["float32"] == 2 * 0x3F800000 + 1


def test_a_report_is_remembered_by_its_numbers() -> None:
    first, again, other = small(seed=1), small(seed=1), small(seed=2)
    found = report(first, ["int4"], layout_at(0))
    assert report(again, ["int4"], layout_at(0)) is found
    assert report(other, ["int4"], layout_at(0)) is not found
    assert report(again, ["int4"], layout_at(1)) is not found
    turned = sources.Numbers(first.weights.view(96, 16), (96, 16))
    assert report(turned, ["int4"], layout_at(0)) is not found
    for seed in range(3, 4 + tensor.LATEST):
        report(small(1, 4, seed), ["ternary"])
    assert len(tensor._REPORTS) == tensor.LATEST
    assert report(first, ["int4"], layout_at(0)) == found


# Outliers


@pytest.mark.parametrize("columns", [False, True])
def test_outliers_lie_where_it_says_and_nothing_else_moves(columns: bool) -> None:
    numbers = small()
    spoilt = with_outliers(numbers, 0.02, 30.0, columns, seed=3)
    moved = (spoilt.weights != numbers.weights).view(-1).nonzero()[:, 0]
    assert moved.tolist() == sorted(spoilt.places.tolist())
    rms = float(numbers.weights.double().pow(2).mean().sqrt())
    assert spoilt.weights.view(-1)[spoilt.places].abs().tolist() == pytest.approx([30 * rms] * len(moved), rel=1e-5)
    assert len(moved) == (round(0.02 * 96) * 16 if columns else round(0.02 * 16 * 96))
    assert len(set((moved % 96).tolist())) == (2 if columns else len(set((moved % 96).tolist())))
    assert spoilt.clean is numbers.weights
    assert with_outliers(numbers, 0, 30.0) is numbers
    assert len(with_outliers(numbers, 1e-9, 30.0).places) == 1


def test_outliers_ruin_one_scale_for_all_and_blocks_keep_most(gaussian: Any) -> None:
    found = report(with_outliers(gaussian, 1e-4, 100.0), ["int8"], layout_at(0)).damage
    assert found.before == pytest.approx(38.9, abs=0.1)
    assert found.before - found.tensor > 25
    assert found.block > found.channel > found.tensor
    assert found.outliers == 105


def test_columns_of_outliers_ruin_rows_too_and_the_threshold_helps(gaussian: Any) -> None:
    found = report(with_outliers(gaussian, 0.005, 30.0, columns=True), ["int8"]).damage
    assert found.columns == 5
    assert found.channel == pytest.approx(found.tensor, abs=0.5)  # each row holds one
    assert found.channel < found.block < found.mixed
    assert found.mixed == pytest.approx(42.1, abs=0.1)  # row-wise int8 of what is left: as without outliers


def test_damage_is_measured_on_the_numbers_that_are_no_outliers() -> None:
    numbers = with_outliers(small(), 0.01, 50.0)
    rest = torch.ones(numbers.weights.numel(), dtype=torch.bool)
    rest[numbers.places] = False
    values = FORMATS["int8"].round_trip(numbers.weights, Layout("tensor")).values.view(-1)[rest]
    assert tensor.damage(numbers).tensor == errors(numbers.weights.view(-1)[rest], values).sqnr_db
    whole = tensor.damage(small())
    assert (whole.outliers, whole.before) == (0, whole.tensor)


def test_what_cannot_be_an_outlier() -> None:
    numbers = small()
    for share, size in ((0.6, 1), (-0.1, 1), (math.nan, 1), (0.1, 1001), (0.1, math.inf)):
        assert refused(lambda share=share, size=size: with_outliers(numbers, share, size)) == "out_of_range"
    unfit: list[tuple[Any, Any]] = [(None, 1), (True, 1), (0.1, "3")]
    for one, other in unfit:
        assert refused(lambda one=one, other=other: with_outliers(numbers, one, other)) == "wrong_kind"
    assert refused(lambda: with_outliers(numbers, 0.1, 1, seed=-1)) == "out_of_range"
    zeros = with_outliers(sources.taken(torch.zeros(4, 4)), 0.1, 5.0)
    assert sorted(zeros.weights.abs().unique().tolist()) == [0.0, 5.0]
    huge = with_outliers(sources.taken(torch.full((4, 4), 3e38)), 0.1, 1000)
    assert report(huge, ["int8", "nf4"]).numbers == 16


# Where the numbers come from


def test_the_module_at_first_is_the_way_out_of_a_middle_mlp(tiny: Base) -> None:
    assert sources.default_module(tiny) == "model.layers.1.mlp.down_proj"
    assert sources.shape_of(tiny, "model.layers.1.mlp.down_proj") == (32, 48)


def test_every_weight_is_offered_once(tiny: Base) -> None:
    found = sources.modules(tiny)
    weights = {id(parameter) for name, parameter in tiny.model.named_parameters() if name.endswith("weight")}
    assert len(found) == len(set(found)) == len(weights)
    assert {"model.embed_tokens", "model.norm", "model.layers.0.input_layernorm"} < set(found)
    assert "lm_head" not in found  # the embedding's own tensor
    for module in found:
        torch.testing.assert_close(sources.module_weight(tiny, module).weights, tiny.model.get_submodule(module).weight)
    assert refused(lambda: sources.module_weight(tiny, "model.layers.7.mlp.down_proj")) == "unknown_weight"
    assert refused(lambda: sources.module_weight(tiny, "lm_head")) == "unknown_weight"
    assert sources.stored_in(tiny, "model.norm") == ""


def test_rows_are_bitsandbytes_own(tiny: Base) -> None:
    found = {one["format"]: one for one in tensor.rows(tiny)}
    assert list(found) == list(FORMATS)
    module = tiny.model.get_submodule("model.layers.1.mlp.down_proj")
    packed, state = bnb.quantize_4bit(module.weight.reshape(1, -1), blocksize=64, quant_type="nf4")
    off = (bnb.dequantize_4bit(packed, state).view_as(module.weight) - module.weight).double()
    nf4 = found["nf4"]
    assert nf4["module"] == "model.layers.1.mlp.down_proj"
    assert nf4["mae"] == pytest.approx(float(off.abs().mean()))
    assert nf4["rmse"] == pytest.approx(float(off.pow(2).mean().sqrt()))
    assert nf4["max_error"] == pytest.approx(float(off.abs().max()))
    assert nf4["bytes"] == packed.numel() + 4 * state.absmax.numel()
    fields = {"bits_per_parameter", "sqnr_db", "zeros", "saturated"}
    assert fields < set(nf4)
    only = tensor.rows(tiny, "model.norm", ["int8", "nf4", "int8"])
    assert [one["format"] for one in only] == ["int8", "nf4"]
    assert refused(lambda: tensor.rows(tiny, "", ["int7"])) == "not_a_choice"
    assert refused(lambda: tensor.rows(tiny, "model.layers")) == "unknown_weight"


def test_rows_are_what_a_report_shows(tiny: Base) -> None:
    numbers = sources.module_weight(tiny)
    found = report(numbers, ["int4", "fp4"])
    scales = {"module": sources.default_module(tiny), "granularity": "block", "block": 64, "rows": numbers.rows}
    shown = [{**scales, **asdict(one.statistics)} for one in found.outcomes]
    assert tensor.rows(tiny, "", ["int4", "fp4"]) == shown
    assert refused(lambda: tensor.rows(tiny, "", ["int4"], Layout("rows"))) == "not_a_choice"


def test_of_a_large_tensor_some_rows_are_looked_at_with_the_largest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_TENSOR_NUMBERS", 640)
    weights = torch.from_numpy(np.random.default_rng(0).standard_normal((100, 64)).astype(np.float32))
    weights[37, 5] = -9.0
    numbers = sources.taken(weights)
    assert (numbers.weights.shape, numbers.shape) == ((10, 64), (100, 64))
    assert float(numbers.weights.min()) == -9.0
    assert all(any(torch.equal(row, other) for other in weights) for row in numbers.weights)
    found = report(numbers, ["int8", "nf4"], layout_at(0))
    assert (found.rows, found.numbers) == (10, 640)
    int8 = found.outcome("int8").statistics
    assert (int8.bits_per_parameter, int8.bytes) == (8 + 32 / 6400, 6404)  # of the whole tensor
    assert sources.taken(weights[:10]).rows == 10


def test_own_numbers_are_parsed_and_a_file_goes_first(tmp_path: Path) -> None:
    assert sources.own_numbers("1 2 3").weights.tolist() == [1, 2, 3]
    file = tmp_path / "own.csv"
    file.write_text("1,2\n3,4\n")
    assert sources.own_numbers("9", file).shape == (2, 2)
    assert refused(lambda: sources.own_numbers("")) == "no_numbers"
    assert refused(lambda: sources.own_numbers("1, zwei")) == "not_a_number"
    assert refused(lambda: sources.own_numbers("1, nan")) == "number_not_finite"
    assert refused(lambda: sources.own_numbers("1", tmp_path / "gone.csv")) == "no_numbers"


@pytest.mark.parametrize("text", ["5", "0", "0 0 0", "1e-42 2e-42", "3e38 -3e38", "1 1 1 1", "-1 -2 -3"])
def test_odd_numbers_have_a_report_all_the_same(text: str) -> None:
    numbers = sources.own_numbers(text)
    for stop in (0, 1, 7):
        found = report(numbers, (), layout_at(stop, True))
        assert sum(found.weights.counts) == found.numbers
        assert all(math.isfinite(one.statistics.rmse) for one in found.outcomes)


def test_what_a_report_refuses() -> None:
    numbers = small()
    assert refused(lambda: report(numbers, ["int9"])) == "not_a_choice"
    assert refused(lambda: report(numbers, ["int8"], Layout("diagonal"))) == "not_a_choice"
    assert refused(lambda: report(numbers, ["int8"], Layout("block", 1))) == "out_of_range"
    for stop, key in ((-1, "out_of_range"), (len(STOPS), "out_of_range"), (2.5, "wrong_kind"), (None, "wrong_kind"),
                      ("tensor", "wrong_kind")):  # fmt: skip
        assert refused(lambda stop=stop: layout_at(stop)) == key
    assert refused(lambda: sources.drawn("cauchy")) == "not_a_choice"
    assert refused(lambda: sources.taken(torch.tensor([1.0, math.inf]))) == "numbers_not_finite"


# The embedded base


def blocks(base: Base, module: Any) -> Any:
    return sources.module_weight(base, module).weights.reshape(-1, 32)


def test_how_the_embedded_base_was_stored(base: Base) -> None:
    """Q4_1: 16 values in a block of 32. Q8_0: whole multiples of the largest / 127. Norms: neither."""
    known = sources.modules(base)
    stored = {module: sources.stored_in(base, module) for module in known}
    assert [sum(one == kind for one in stored.values()) for kind in ("q4_1", "q8_0", "float")] == [210, 1, 61]
    for module in ("model.layers.0.self_attn.k_proj", sources.default_module(base), "model.layers.29.mlp.up_proj"):
        assert stored[module] == "q4_1"
        distinct = 1 + (blocks(base, module).sort(1).values.diff(dim=1) != 0).sum(1)
        assert int(distinct.max()) == 16
    embedding = blocks(base, "model.embed_tokens")
    codes = 127 * embedding / embedding.abs().amax(1, keepdim=True).clamp(min=1e-30)
    assert float((codes - codes.round()).abs().max()) < 1e-3
    assert int((1 + (embedding.sort(1).values.diff(dim=1) != 0).sum(1)).max()) > 16
    norm = blocks(base, "model.norm")
    codes = 127 * norm / norm.abs().amax(1, keepdim=True)
    assert float((codes - codes.round()).abs().max()) > 0.1
    assert int((1 + (norm.sort(1).values.diff(dim=1) != 0).sum(1)).max()) > 16


def test_the_module_in_the_middle_of_the_embedded_base(base: Base) -> None:
    assert sources.default_module(base) == "model.layers.15.mlp.down_proj"
    numbers = sources.module_weight(base, "model.embed_tokens")
    assert numbers.shape == (49152, 576)
    assert numbers.weights.numel() <= settings.MAX_TENSOR_NUMBERS
    assert float(numbers.weights.abs().max()) == float(base.model.get_input_embeddings().weight.abs().max())
    assert sources.module_weight(base).shape == (576, 1536)
    int8 = report(numbers, ["int8"], layout_at(STOP_OF[32])).outcome("int8").statistics
    assert int8.max_error == 0  # Q8_0's own grid
