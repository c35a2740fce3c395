"""The algebra of factors: held against dense float64 computations with numpy, and against the LoRA paper's own figures."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.lowrank.factors import Factors, effective_rank, energy, overlap, within, within_random

quickly = settings(max_examples=40, deadline=None)


@st.composite
def any_factors(draw: Any, zero: Any = None) -> Any:
    """Factors of any shape: of a rank that the shape cannot hold, with B = 0, and with columns that repeat each other."""
    out, inputs, rank = draw(st.integers(1, 20)), draw(st.integers(1, 20)), draw(st.integers(1, 24))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    a, b = torch.randn(rank, inputs, generator=generator), torch.randn(out, rank, generator=generator)
    if draw(st.booleans()):
        b[:, rank // 2 :] = b[:, :1]
    if draw(st.booleans()) if zero is None else zero:
        b.zero_()
    return Factors(a, b, draw(st.sampled_from([1.0, 0.25, 2.0, 16 / 8**0.5])))


def random_factors(out: Any = 17, inputs: Any = 11, rank: Any = 4, scaling: Any = 2.0, seed: Any = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return Factors(torch.randn(rank, inputs, generator=generator), torch.randn(out, rank, generator=generator), scaling)


def dense(factors: Any) -> Any:
    """scaling · B A in float64."""
    return factors.scaling * (factors.b.double().numpy() @ factors.a.double().numpy())


def orthonormal(rows: Any, columns: Any, seed: Any = 0) -> Any:
    return torch.linalg.qr(torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)).double()).Q


# The spectrum


@quickly
@given(any_factors())
def test_the_spectrum_of_the_factors_is_that_of_the_dense_product(factors: Any) -> None:
    values, expected = factors.svd.s.numpy(), np.linalg.svd(dense(factors), compute_uv=False)
    assert len(values) == min(factors.rank, *factors.shape)
    assert np.all(np.diff(values) <= 0)
    found = np.pad(values, (0, len(expected) - len(values)))  # beyond the rank there is nothing
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected[0], rtol=0)


@quickly
@given(any_factors())
def test_directions_are_orthonormal_and_give_the_product_back(factors: Any) -> None:
    svd, product = factors.svd, dense(factors)
    for directions, rows in ((svd.u, factors.shape[0]), (svd.v, factors.shape[1])):
        assert directions.shape == (rows, len(svd.s))
        torch.testing.assert_close(directions.T @ directions, torch.eye(len(svd.s)).double(), atol=1e-10, rtol=0)
    np.testing.assert_allclose((svd.u * svd.s @ svd.v.T).numpy(), product, atol=1e-10 * (1 + np.abs(product).max()))


def test_the_product_is_peft_s() -> None:
    factors = random_factors()
    assert factors.shape == (17, 11)
    assert factors.rank == 4
    np.testing.assert_allclose(factors.product().numpy(), dense(factors), rtol=1e-5, atol=1e-6)


@quickly
@given(any_factors(zero=False))
def test_energy_is_the_share_of_the_squares_so_far(factors: Any) -> None:
    squares = np.linalg.svd(dense(factors), compute_uv=False)[: len(factors.svd.s)] ** 2
    np.testing.assert_allclose(energy(factors.svd.s).numpy(), np.cumsum(squares) / squares.sum(), atol=1e-10)


@quickly
@given(any_factors(zero=True))
def test_a_zero_update_has_no_energy_and_no_rank(factors: Any) -> None:
    assert not factors.svd.s.any()
    assert energy(factors.svd.s).tolist() == [0.0] * len(factors.svd.s)
    assert effective_rank(factors.svd.s) == 0.0


# Effective rank


@pytest.mark.parametrize("count", [1, 2, 8, 64])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_equal_values_count_fully(count: int, size: float) -> None:
    assert effective_rank(torch.full((count,), size)) == pytest.approx(count, rel=1e-6)
    assert effective_rank(torch.cat([torch.full((count,), size), torch.zeros(5)])) == pytest.approx(count, rel=1e-6)


def test_one_value_counts_as_one_and_none_as_none() -> None:
    assert effective_rank(torch.tensor([3.0, 0.0, 0.0])) == pytest.approx(1.0)
    assert effective_rank(torch.tensor([1.0, 1e-9])) == pytest.approx(1.0, abs=1e-6)
    assert effective_rank(torch.zeros(4)) == 0.0


@quickly
@given(
    st.lists(st.just(0.0) | st.floats(1e-3, 100), min_size=1, max_size=16).filter(any),
    st.floats(0.01, 100),
)
def test_effective_rank_is_the_entropy_s_and_knows_no_scale(values: Any, scale: Any) -> None:
    shares = np.array([value for value in values if value]) / sum(values)
    expected = np.exp(-np.sum(shares * np.log(shares)))
    assert effective_rank(torch.tensor(values, dtype=torch.float64)) == pytest.approx(expected, rel=1e-9)
    assert effective_rank(scale * torch.tensor(values, dtype=torch.float64)) == pytest.approx(expected, rel=1e-9)
    assert 1 - 1e-9 <= expected <= len(shares) + 1e-9


# What of W lies in the update's directions


@pytest.mark.parametrize("shape", [(17, 11), (9, 30), (12, 12)])
def test_within_is_the_projection_on_the_dense_update_s_own_directions(shape: tuple[Any, ...]) -> None:
    factors = random_factors(*shape)
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(5))
    u, _, vh = np.linalg.svd(dense(factors))
    expected = np.linalg.norm(u[:, :4].T @ weight.double().numpy() @ vh[:4].T)
    assert within(weight, factors.svd) == pytest.approx(expected, rel=1e-9)


def test_everything_of_an_update_lies_within_itself() -> None:
    factors = random_factors()
    assert within(factors.product(), factors.svd) == pytest.approx(np.linalg.norm(dense(factors)), rel=1e-6)


@pytest.mark.parametrize(("shape", "rank"), [((20, 12), 3), ((8, 16), 1), ((6, 6), 6)])
def test_within_random_is_the_mean_over_many_random_directions(shape: tuple[Any, ...], rank: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(shape, generator=generator).double()
    u, v = (torch.linalg.qr(torch.randn(4000, side, rank, generator=generator).double()).Q for side in shape)
    squares = (u.mT @ weight @ v).square().sum((1, 2))
    found = within_random(float(torch.linalg.norm(weight)), shape, rank)
    assert found == pytest.approx(float(squares.mean().sqrt()), rel=0.03)


def test_random_directions_of_the_lora_paper() -> None:
    """Hu et al. 2021, table 7: W_q of GPT-3's 48th layer, r = 4."""
    assert round(within_random(61.95, (12288, 12288), 4), 2) == 0.02


# Overlap of two subspaces


def by_hand(one: Any, other: Any) -> Any:
    rows = range(1, one.shape[1] + 1)
    columns = range(1, other.shape[1] + 1)
    return np.array([[np.linalg.norm(one[:, :i].T @ other[:, :j]) ** 2 / min(i, j) for j in columns] for i in rows])


@quickly
@given(st.integers(1, 16), st.data())
def test_overlap_is_the_paper_s_and_lies_between_zero_and_one(rows: Any, data: Any) -> None:
    one = orthonormal(rows, data.draw(st.integers(1, rows)), data.draw(st.integers(0, 999)))
    other = orthonormal(rows, data.draw(st.integers(1, rows)), data.draw(st.integers(0, 999)))
    found = overlap(one, other)
    assert 0.0 <= float(found.min()) <= float(found.max()) <= 1.0
    np.testing.assert_allclose(found.numpy(), by_hand(one.numpy(), other.numpy()), atol=1e-9)
    torch.testing.assert_close(found.T, overlap(other, one))


def test_a_subspace_overlaps_with_itself_fully() -> None:
    found = overlap(orthonormal(12, 5), orthonormal(12, 5))
    np.testing.assert_allclose(found.diagonal().numpy(), np.ones(5), atol=1e-12)
    np.testing.assert_allclose(found[-1].numpy(), np.ones(5), atol=1e-12)  # the smaller lies in the larger


def test_overlap_asks_for_the_subspace_and_not_for_its_basis() -> None:
    one, turn = orthonormal(12, 5), orthonormal(5, 5, seed=3)
    assert float(overlap(one, one @ turn)[-1, -1]) == pytest.approx(1.0)
    assert float(overlap(one, -one)[2, 2]) == pytest.approx(1.0)


def test_orthogonal_subspaces_do_not_overlap() -> None:
    both = orthonormal(12, 9)
    assert float(overlap(both[:, :5], both[:, 5:]).max()) < 1e-12


# Cutting


@quickly
@given(any_factors(), st.integers(0, 24))
def test_a_cut_is_the_best_approximation_of_its_rank(factors: Any, rank: Any) -> None:
    product = dense(factors)
    u, s, vh = np.linalg.svd(product, full_matrices=False)
    best = (u[:, :rank] * s[:rank]) @ vh[:rank]
    cut, size = factors.truncated(rank), 1e-5 * (1 + s[0])
    assert (cut.a.shape, cut.b.shape, cut.scaling) == (factors.a.shape, factors.b.shape, factors.scaling)
    assert (cut.a.dtype, cut.b.dtype) == (factors.a.dtype, factors.b.dtype)
    error = np.linalg.norm(product - dense(cut))
    assert error == pytest.approx(np.linalg.norm(product - best), abs=size)  # Eckart and Young: nothing is nearer
    assert error == pytest.approx(np.linalg.norm(s[rank:]), abs=size)
    assert np.all(np.linalg.svd(dense(cut), compute_uv=False)[rank:] <= size)
    if rank >= min(factors.rank, *factors.shape):
        assert cut is factors


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_a_cut_is_entry_by_entry_that_of_the_dense_update(rank: int) -> None:
    factors = random_factors()
    u, s, vh = np.linalg.svd(dense(factors), full_matrices=False)
    best = (u[:, :rank] * s[:rank]) @ vh[:rank]
    np.testing.assert_allclose(dense(factors.truncated(rank)), best, atol=1e-5 * s[0])
    assert np.linalg.matrix_rank(dense(factors.truncated(rank)), tol=1e-5 * s[0]) == rank


def test_cutting_changes_nothing_in_what_was_cut() -> None:
    factors = random_factors()
    a, b = factors.a.clone(), factors.b.clone()
    factors.truncated(2)
    assert torch.equal(factors.a, a)
    assert torch.equal(factors.b, b)
    assert factors.truncated(4) is factors
    assert factors.truncated(5) is factors


@pytest.mark.parametrize("scaling", [-0.75, 0.0])
def test_a_cut_keeps_the_sign_of_a_scaling_and_survives_none(scaling: float) -> None:
    whole = random_factors()
    factors = Factors(whole.a, whole.b, scaling)
    found = factors.truncated(2).product()
    u, s, vh = np.linalg.svd(dense(factors), full_matrices=False)
    np.testing.assert_allclose(found.numpy(), (u[:, :2] * s[:2]) @ vh[:2], atol=1e-5)
