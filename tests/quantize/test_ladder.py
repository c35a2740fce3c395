"""Each rung against its law, on small tensors with the outliers that activations have."""

import math
from functools import cache

import pytest
import torch

from playground.errors import PlaygroundError
from playground.formats.format import Layout
from playground.formats.registry import format_of
from playground.formats.statistics import errors
from playground.quantize import rotation, scaling
from playground.quantize.clipping import RATIOS, clipped
from playground.quantize.gptq import gptq
from playground.quantize.hqq import NORM, half_quadratic
from playground.quantize.ladder import RUNGS, Step, climb
from playground.quantize.rounding import Change, Grid, output_error
from tests.families import one_thread  # noqa: F401

INPUTS, OUTPUTS = 192, 40
GRID = Grid(4, 32)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@cache
def weight() -> torch.Tensor:
    """Heavy tails, as trained weights have them."""
    return 0.02 * drawn(0, OUTPUTS, INPUTS) * (1 + drawn(1, OUTPUTS, INPUTS).abs() ** 3)


@cache
def mixing() -> torch.Tensor:
    sizes = torch.ones(INPUTS)
    sizes[[3, 50, 51]] = torch.tensor([40.0, 15.0, 8.0])
    return (drawn(2, INPUTS, INPUTS) / math.sqrt(INPUTS) + torch.eye(INPUTS)) * sizes


@cache
def text(seed: int) -> torch.Tensor:
    """Inputs that depend on each other, three of them far larger than the rest."""
    return drawn(seed, 400, INPUTS) @ mixing()


SEEN, UNSEEN = 10, 11


@cache
def steps() -> dict[str, Step]:
    return {one.rung: one for one in climb(weight(), text(SEEN), text(UNSEEN), GRID)}


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("act_order", [False, True])
def test_gptq_puts_out_less_error_than_rounding_to_nearest(bits: int, act_order: bool) -> None:
    grid = Grid(bits, 32)
    nearest = RUNGS["nearest"](weight(), text(SEEN), grid)
    found = gptq(weight(), text(SEEN), grid, act_order=act_order)
    assert output_error(text(SEEN), weight(), found) < 0.8 * output_error(text(SEEN), weight(), nearest)
    assert errors(weight(), found.weight).rmse > errors(weight(), nearest.weight).rmse  # and pays with weight error


def test_gptq_is_nearest_where_the_inputs_do_not_depend_on_each_other() -> None:
    inputs = torch.eye(INPUTS)
    for act_order in (False, True):
        found = gptq(weight(), inputs, GRID, act_order=act_order).weight
        torch.testing.assert_close(found, GRID.nearest(weight()))


def test_gptq_in_lumps_of_columns_is_gptq_column_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(4, 64)  # larger than a lump below: its scale must know what the lump still owes
    found = gptq(weight(), text(SEEN), grid).weight
    monkeypatch.setattr("playground.quantize.gptq.COLUMNS", 48)
    off = (gptq(weight(), text(SEEN), grid).weight - found).abs() > 1e-6
    assert off.float().mean() < 0.01  # a sum in another order may tip a number that lies between two codes


def test_gptq_gives_codes_of_the_grid() -> None:
    found = gptq(weight(), text(SEEN), GRID, act_order=True).weight.reshape(-1, GRID.block)
    scales = weight().reshape(-1, GRID.block).abs().amax(1, keepdim=True) / 7
    codes = found / scales
    torch.testing.assert_close(codes, codes.round(), atol=1e-4, rtol=0)
    assert codes.abs().max() <= 7.001


def test_an_input_that_is_always_zero_is_no_trouble_to_gptq() -> None:
    inputs = text(SEEN).clone()
    inputs[:, 5] = 0
    assert gptq(weight(), inputs, GRID).weight.isfinite().all()
    torch.testing.assert_close(gptq(weight(), 0 * inputs, GRID).weight, GRID.nearest(weight()))


@pytest.mark.parametrize(
    "change",
    [rotation.hadamard(INPUTS), scaling.smoothing(weight(), text(SEEN)), scaling.activation_aware(text(SEEN), 0.5)],
)
def test_a_change_of_basis_changes_no_output(change: Change) -> None:
    inputs, exact = text(UNSEEN), text(UNSEEN) @ weight().T
    found = change.inputs(inputs) @ change.weight(weight()).T
    assert float((found - exact).norm() / exact.norm()) < 1e-5
    torch.testing.assert_close(change.undo(change.weight(weight())), weight(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 12, 20, 28, 36, 64, 96, 192, 576, 1536])
def test_hadamard_matrices_of_the_sizes_that_models_have(size: int) -> None:
    matrix = torch.kron(*rotation.factors(size))
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size), atol=1e-5, rtol=0)
    torch.testing.assert_close(matrix.abs(), torch.full_like(matrix, size**-0.5))


@pytest.mark.parametrize("size", [3, 6, 27])
def test_where_there_is_no_hadamard_matrix_blocks_are_rotated(size: int) -> None:
    first, second = rotation.factors(size)
    assert torch.equal(first, torch.eye(len(first)))
    matrix = torch.kron(first, second)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size), atol=1e-5, rtol=0)


def test_a_rotation_spreads_outliers() -> None:
    peaks = [x.abs().amax() / x.square().mean().sqrt() for x in (text(SEEN), rotation.hadamard(INPUTS).inputs(text(SEEN)))]
    assert peaks[1] < peaks[0] / 3


def test_the_objective_of_hqq_falls_and_is_what_it_says() -> None:
    found = half_quadratic(weight(), GRID)
    assert len(found.objectives) > 2
    assert all(after < before for before, after in zip(found.objectives, found.objectives[1:], strict=False))
    left = float((weight() - found.weight).abs().pow(NORM).mean())
    assert left == pytest.approx(found.objectives[-1], rel=0.02)  # but for scales and zero-points of 16 bits
    constant = torch.full((2, 32), 0.3)
    torch.testing.assert_close(half_quadratic(constant, GRID).weight, constant, rtol=1e-3, atol=0)


def test_clipping_leaves_less_squared_error_in_every_block() -> None:
    assert RATIOS[0] == 1.0
    found, nearest = clipped(weight(), GRID).weight, GRID.nearest(weight())
    before, after = ((one - weight()).reshape(-1, 32).square().sum(1) for one in (nearest, found))
    assert (after <= before).all()
    assert (after < before).float().mean() > 0.5


def test_awq_with_alpha_zero_is_rounding_to_nearest_and_it_takes_the_best() -> None:
    change = scaling.activation_aware(text(SEEN), 0.0)
    assert torch.equal(change.undo(GRID.nearest(change.weight(weight()))), GRID.nearest(weight()))
    assert steps()["awq"].seen < steps()["nearest"].seen
    assert scaling.awq(weight(), text(SEEN), GRID).change.fields["alpha"] in scaling.ALPHAS[1:]


def test_finer_scales_and_smaller_weight_error() -> None:
    found = [steps()[one].weight for one in ("nearest_tensor", "nearest_channel", "nearest", "clipped")]
    assert found == sorted(found, reverse=True)


def test_weight_error_is_not_output_error() -> None:
    clipped, gptq = steps()["clipped"], steps()["gptq"]
    assert clipped.weight < gptq.weight
    assert clipped.unseen > gptq.unseen


def test_smoothing_and_rotation_are_for_rounding_activations_too() -> None:
    for name in ("smoothquant", "rotated"):
        assert steps()[name].both < steps()["nearest"].both


def test_a_step_says_what_its_rung_left() -> None:
    nearest = steps()["nearest"]
    kept = format_of("int4").round_trip(weight(), Layout("block", 32)).values
    off = text(UNSEEN) @ (kept - weight()).T
    assert nearest.unseen == pytest.approx(float(off.norm() / (text(UNSEEN) @ weight().T).norm()), rel=1e-4)
    assert nearest.weight == pytest.approx(float((kept - weight()).norm() / weight().norm()), rel=1e-5)
    assert {one.bits for name, one in steps().items() if not name.startswith("nearest_")} == {4 + 32 / 32}
    assert steps()["nearest_channel"].bits == 4 + 32 / INPUTS


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_gives_the_same_twice_and_keeps_the_layer(rung: str) -> None:
    before, inputs = weight().clone(), text(SEEN).clone()
    one, other = (RUNGS[rung](weight(), text(SEEN), GRID).weight for _ in range(2))
    assert torch.equal(one, other)
    assert one.shape == weight().shape
    assert torch.equal(weight(), before)
    assert torch.equal(text(SEEN), inputs)


@pytest.mark.parametrize("rung", RUNGS)
def test_a_layer_of_zeros_stays_one(rung: str) -> None:
    assert torch.equal(RUNGS[rung](0 * weight(), text(SEEN), GRID).weight, 0 * weight())


def test_what_cannot_be_rounded_is_refused() -> None:
    for grid, key in ((Grid(4, 40), "block_does_not_fit"), (Grid(5, 32), "not_a_choice")):
        with pytest.raises(PlaygroundError) as refused:
            RUNGS["gptq"](weight(), text(SEEN), grid)
        assert refused.value.key == key
    with pytest.raises(PlaygroundError, match="do not fit"):
        RUNGS["awq"](weight(), text(SEEN)[:, 1:], GRID)
    with pytest.raises(PlaygroundError):
        next(climb(weight(), text(SEEN), text(UNSEEN), GRID, ["magic"]))
