"""Ranges of activations: held against brute force, bitsandbytes' int8 product, and what LLM.int8() claims."""

import math
from typing import Any

import bitsandbytes.functional as bnb
import numpy as np
import pytest
import torch

from playground.errors import PlaygroundError
from playground.formats.calibration import CALIBRATIONS, calibrate, llm_int8, product, rounded
from playground.formats.distributions import sample
from playground.formats.registry import FORMATS
from playground.formats.statistics import errors


@pytest.fixture(scope="module")
def activations() -> Any:
    """(tokens, features), three features twenty times as large as the rest: LLM.int8()'s picture of a transformer."""
    x = torch.from_numpy(sample("normal", 48, 160))
    x[:, [3, 77, 100]] *= 20
    return x


@pytest.fixture(scope="module")
def weights() -> Any:
    return torch.from_numpy(sample("normal", 40, 160, seed=1)) * 0.05


def by_method(found: Any) -> Any:
    return {one.method: one for one in found}


# Ranges


def test_min_max_clips_nothing_and_percentile_little(activations: Any) -> None:
    found = by_method(calibrate(activations, activations))
    assert found["min_max"].clip == activations.abs().max()
    assert found["min_max"].clipped == 0
    assert found["min_max"].scale == pytest.approx(found["min_max"].clip / 127)
    sizes = activations.abs().flatten().numpy()
    assert found["percentile"].clip == pytest.approx(np.quantile(sizes, 0.999, method="inverted_cdf"))
    assert 0 < found["percentile"].clipped <= 0.001


@pytest.mark.parametrize("format", ["int8", "int4"])
def test_the_mse_clip_is_the_best_of_a_dense_search(activations: Any, format: str) -> None:
    found = by_method(calibrate(activations, activations, format))
    largest = float(activations.abs().max())
    dense = min(
        errors(activations, rounded(activations, largest * fraction, FORMATS[format])).rmse
        for fraction in np.linspace(0.01, 1, 100)
    )
    assert found["mse"].rmse <= 1.03 * dense
    assert all(found["mse"].rmse <= found[method].rmse for method in CALIBRATIONS)


def test_clipping_helps_few_bits_more_than_many() -> None:
    x = torch.from_numpy(sample("laplace", 64, 64))
    gain = {}
    for format in ("int4", "int8"):
        found = by_method(calibrate(x, x, format))
        gain[format] = found["min_max"].rmse / found["mse"].rmse
    assert gain["int4"] > 1.2 * gain["int8"]


def test_a_dynamic_range_per_tensor_is_min_max_of_that_tensor(activations: Any) -> None:
    found = by_method(calibrate(activations * 3, activations))
    assert found["dynamic"].clip == activations.abs().max()
    assert not found["dynamic"].static
    assert found["min_max"].static
    assert found["dynamic"].rmse < found["min_max"].rmse  # the static range was taken from larger numbers


def test_a_static_range_clips_what_it_has_not_seen(activations: Any) -> None:
    found = by_method(calibrate(activations / 10, activations))
    assert found["min_max"].clipped > 0
    assert found["min_max"].max_error > 10 * found["dynamic"].max_error


def test_a_range_per_token_is_an_absmax_per_row(activations: Any) -> None:
    x = activations * torch.logspace(-2, 2, 48)[:, None]
    found = by_method(calibrate(x, x))
    expected = errors(x, FORMATS["int8"].round_trip(x, FORMATS["int8_vectorwise"].layout).values)
    assert found["dynamic_token"].rmse == pytest.approx(expected.rmse, rel=1e-6)
    assert found["dynamic_token"].clip == pytest.approx(float(x.abs().amax(1).mean()))
    assert found["dynamic_token"].mae < 0.3 * found["dynamic"].mae


def test_a_range_without_clipping_is_the_round_trip_of_weights(weights: Any) -> None:
    found = by_method(calibrate(weights, weights))
    assert found["min_max"].mae == errors(weights, FORMATS["int8"].round_trip(weights).values).mae


def test_zeros_calibrate_to_zeros() -> None:
    for one in calibrate(torch.zeros(3, 4), torch.zeros(3, 4)):
        assert (one.mae, one.clipped, one.clip) == (0.0, 0.0, 0.0)


def test_what_cannot_be_calibrated_is_refused(activations: Any) -> None:
    for seen, x, format in (
        (activations, activations, "nf4"),
        (activations, activations, "int5"),
        (torch.empty(0, 3), activations, "int8"),
        (activations, torch.tensor([math.nan]), "int8"),
        (activations, activations, "ternary"),
        (activations, activations, "int8_vectorwise"),
        (activations[:, :5], activations, "int8"),
    ):
        with pytest.raises(PlaygroundError) as error:
            calibrate(seen, x, format)
        assert error.value.message("es")


@pytest.mark.parametrize("size", [1e-25, 1e25, 3e37])
def test_ranges_of_tiny_and_huge_activations_are_those_of_ordinary_ones(size: float) -> None:
    x = torch.from_numpy(sample("normal", 20, 50))
    for one, scaled in zip(calibrate(x, x, "int4"), calibrate(x * size, x * size, "int4"), strict=True):
        assert scaled.clip == pytest.approx(one.clip * size, rel=1e-5)
        assert scaled.sqnr_db == pytest.approx(one.sqnr_db, abs=1e-3)


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 41_000, 82_000])
def test_a_percentile_keeps_no_more_than_it_must(count: int) -> None:
    found = CALIBRATIONS["percentile"](torch.arange(1, count + 1.0), FORMATS["int8"])
    assert (count - found) * 1000 <= count  # at least 99.9 % within
    assert found - 1 < 0.999 * count <= found + 1e-6


# LLM.int8()


def test_outlier_features_ruin_int8_and_the_decomposition_mends_it(activations: Any, weights: Any) -> None:
    found = llm_int8(activations, weights)
    assert found.outliers == (3, 77, 100)
    assert found.float_share == 3 / 160
    assert found.mixed.sqnr_db > found.plain.sqnr_db + 10
    assert found.mixed.max_error < found.plain.max_error


def test_a_product_at_hand_changes_nothing(activations: Any, weights: Any) -> None:
    known = product(activations, weights)
    for threshold in (1.0, 6.0, 70.0):
        assert llm_int8(activations, weights, threshold, known) == llm_int8(activations, weights, threshold)


def test_without_outliers_both_are_the_same(weights: Any) -> None:
    x = torch.from_numpy(sample("uniform", 20, 160))
    found = llm_int8(x, weights)
    assert found.outliers == ()
    assert found.plain == found.mixed


def test_a_threshold_below_everything_leaves_nothing_in_int8(activations: Any, weights: Any) -> None:
    found = llm_int8(activations, weights, threshold=1e-9)
    assert found.float_share == 1.0
    assert found.mixed.sqnr_db > 100


def test_a_threshold_counts_features_that_reach_it(activations: Any, weights: Any) -> None:
    for threshold in (1.0, 3.0, 20.0, 70.0):
        found = llm_int8(activations, weights, threshold)
        assert found.outliers == tuple(torch.nonzero((activations.abs() >= threshold).any(0)).flatten().tolist())


def test_the_int8_product_is_bitsandbytes_own(activations: Any, weights: Any) -> None:
    x_codes, x_max, _ = bnb.int8_vectorwise_quant(activations.clone())
    w_codes, w_max, _ = bnb.int8_vectorwise_quant(weights.clone())
    product = torch.ops.bitsandbytes.int8_scaled_mm(x_codes, w_codes, x_max, w_max, bias=None, dtype=torch.float32)
    expected = errors(activations @ weights.T, product)
    found = llm_int8(activations, weights).plain
    assert found.mae == pytest.approx(expected.mae, rel=1e-3)
    assert found.rmse == pytest.approx(expected.rmse, rel=1e-3)


def test_rows_of_zeros_and_tiny_rows_do_no_harm(activations: Any, weights: Any) -> None:
    x, w = activations.clone(), weights.clone()
    x[0], x[1], w[0] = 0.0, 1e-42, 0.0
    found = llm_int8(x, w)
    assert math.isfinite(found.plain.mae)
    assert math.isfinite(found.mixed.mae)


def test_nothing_of_the_caller_s_is_changed(activations: Any, weights: Any) -> None:
    before = activations.clone(), weights.clone()
    llm_int8(activations, weights)
    assert torch.equal(activations, before[0])
    assert torch.equal(weights, before[1])


def test_what_does_not_fit_is_refused(activations: Any, weights: Any) -> None:
    for x, w, threshold, key in (
        (activations[:, :5], weights, 6.0, "columns_differ"),
        (activations[0], weights, 6.0, "columns_differ"),
        (activations, weights, 0.0, "out_of_range"),
        (activations, weights, "6", "wrong_kind"),
        (activations, weights, math.nan, "out_of_range"),
        (activations / 0, weights, 6.0, "numbers_not_finite"),
        (activations * 1e36, weights * 1e36, 6.0, "numbers_not_finite"),
    ):
        with pytest.raises(PlaygroundError) as error:
            llm_int8(x, w, threshold)
        assert error.value.key == key
        assert error.value.message("es")


def test_what_becomes_zero_is_below_half_a_step(activations: Any) -> None:
    for one in calibrate(activations, activations, "int4"):
        if one.method != "dynamic_token":
            assert one.zeros == pytest.approx(float((activations.abs() <= one.scale / 2).double().mean()), abs=1e-3)


def test_the_mixed_product_is_bitsandbytes_own_for_what_is_left_in_int8(activations: Any, weights: Any) -> None:
    """Outlier columns out of both sides, bitsandbytes' product of the rest, and the outliers' product in float."""
    x_codes, x_max, columns = bnb.int8_vectorwise_quant(activations.clone(), threshold=6.0)
    rest = weights.clone()
    rest[:, columns] = 0.0
    w_codes, w_max, _ = bnb.int8_vectorwise_quant(rest)
    product = torch.ops.bitsandbytes.int8_scaled_mm(x_codes, w_codes, x_max, w_max, bias=None, dtype=torch.float32)
    product = product + activations[:, columns] @ weights[:, columns].T
    found = llm_int8(activations, weights)
    assert found.outliers == tuple(columns.tolist())
    assert found.mixed.rmse == pytest.approx(errors(activations @ weights.T, product).rmse, rel=1e-3)
