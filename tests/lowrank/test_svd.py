"""A decomposition and what is kept of it: the same for NumPy's arrays and torch's tensors."""

from typing import Any

import numpy as np
import pytest
import torch

from playground.lowrank.svd import Svd


def of(matrix: np.ndarray, library: str) -> Svd[Any]:
    u, s, vh = np.linalg.svd(matrix, full_matrices=False)
    found = Svd(u, s, vh.T)
    return Svd(*map(torch.from_numpy, (u, s, vh.T.copy()))) if library == "torch" else found


def product(svd: Svd[Any]) -> np.ndarray:
    whole: np.ndarray = np.asarray(svd.u) * np.asarray(svd.s) @ np.asarray(svd.v).T
    return whole


def low_rank(rank: int, rows: int = 9, columns: int = 7) -> np.ndarray:
    generator = np.random.default_rng(rank)
    return generator.standard_normal((rows, rank)) @ generator.standard_normal((rank, columns))


both = pytest.mark.parametrize("library", ["numpy", "torch"])


@both
@pytest.mark.parametrize("rank", [0, 1, 3, 7])
def test_the_rank_counts_what_is_more_than_rounding(library: str, rank: int) -> None:
    matrix = low_rank(rank)
    rounded = matrix.astype(np.float32).astype(np.float64)
    assert of(rounded, library).rank == np.linalg.matrix_rank(matrix) == rank
    assert len(of(rounded, library).strong.s) == rank
    np.testing.assert_allclose(product(of(rounded, library).strong), matrix, atol=1e-5)


@both
@pytest.mark.parametrize("rank", [0, 2, 7, 50])
def test_a_cut_leaves_out_the_weakest_directions(library: str, rank: int) -> None:
    svd = of(low_rank(7), library)
    cut = svd.cut(rank)
    assert tuple(cut.s) == tuple(svd.s[:rank])
    lost = np.linalg.norm(product(svd) - product(cut))
    assert lost == pytest.approx(float(np.linalg.norm(np.asarray(svd.s)[rank:])), abs=1e-12)


@both
def test_the_two_halves_are_as_large_and_give_the_matrix(library: str) -> None:
    matrix = low_rank(4)
    b, a = of(matrix, library).strong.split()
    assert isinstance(b, np.ndarray if library == "numpy" else torch.Tensor)
    assert (tuple(b.shape), tuple(a.shape)) == ((9, 4), (4, 7))
    np.testing.assert_allclose(np.asarray(b @ a), matrix, atol=1e-12)
    assert float((b**2).sum()) == pytest.approx(float((a**2).sum()))


def test_an_empty_matrix_has_no_rank() -> None:
    assert Svd(np.zeros((3, 0)), np.zeros(0), np.zeros((5, 0))).rank == 0
