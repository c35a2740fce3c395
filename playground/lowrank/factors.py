"""
Low-rank view of one update of a weight: ΔW = scaling · B A.

    x (in) ──┬──▶ A (rank × in) ──▶ B (out × rank) ──▶ × scaling ──┐
             └──▶ W (out × in), frozen ────────────────────────────┴──▶ + ──▶ y (out)

The convention is PEFT's: A comes first, starts as noise and is rank × in; B is out × rank and starts at zero. Spectra
come from the factors, never from the dense product. Knows nothing about models, adapters or plots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from playground.lowrank.svd import Svd


@dataclass(frozen=True, eq=False)
class Factors:
    """A (rank, in), B (out, rank) and what their product is scaled with."""

    a: torch.Tensor
    b: torch.Tensor
    scaling: float = 1.0

    @property
    def rank(self) -> int:
        """Rows of A; the product's rank is at most this."""
        return self.a.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of the update."""
        return self.b.shape[0], self.a.shape[1]

    def product(self) -> torch.Tensor:
        """The dense update scaling · B A, (out, in)."""
        return self.scaling * (self.b @ self.a)

    @cached_property
    def svd(self) -> Svd[torch.Tensor]:
        """
        The update's singular value decomposition with n = min(rank, in, out) values: QR of B and of Aᵀ, then the SVD of
        the small middle, R_B R_Aᵀ. Equal to the dense one, at the price of r instead of min(in, out) directions.
        """
        q_b, r_b = torch.linalg.qr(self.b.double())
        q_a, r_a = torch.linalg.qr(self.a.double().T)
        u, s, vh = torch.linalg.svd(self.scaling * (r_b @ r_a.T), full_matrices=False)
        return Svd(q_b @ u, s, q_a @ vh.T)

    def truncated(self, rank: int) -> Factors:
        """
        The best approximation of at most `rank` (Eckart & Young 1936), in factors of the same shapes: what is cut is
        zero. A rank that cuts nothing gives these very factors.
        """
        if rank >= len(self.svd.s):
            return self
        kept, sign = self.svd.cut(rank), math.copysign(1.0, self.scaling)
        a, b = torch.zeros_like(self.a), torch.zeros_like(self.b)
        if self.scaling:  # an adapter from outside may have a negative alpha, or none
            b[:, :rank], a[:rank] = Svd(sign * kept.u, kept.s / abs(self.scaling), kept.v).split()
        return Factors(a, b, self.scaling)


def gram_spectrum(matrix: torch.Tensor) -> torch.Tensor:
    """
    The singular values of a dense matrix, descending, float64: the roots of the smaller Gram matrix's eigenvalues. Faster
    than an SVD; those below 1e-8 of the largest are not exact.
    """
    wide = matrix.double() if matrix.shape[0] <= matrix.shape[1] else matrix.double().T
    eigenvalues: torch.Tensor = torch.linalg.eigvalsh(wide @ wide.T)
    return eigenvalues.flip(0).clamp(min=0.0).sqrt()


def energy(values: torch.Tensor) -> torch.Tensor:
    """Share of Σσ² that the first 1, 2, … singular values hold, (n,); zeros for a zero matrix."""
    squares = values.double().square().cumsum(0)
    return squares / squares[-1] if len(squares) and squares[-1] > 0 else torch.zeros_like(squares)


def effective_rank(values: torch.Tensor) -> float:
    """exp of the entropy of σ / Σσ (Roy & Vetterli 2007): n for n equal values, near 1 where one dominates, 0 for none."""
    total = float(values.sum())
    if not total:
        return 0.0
    shares = values.double() / total
    return math.exp(-float(torch.special.xlogy(shares, shares).sum()))


def within(weight: torch.Tensor, svd: Svd[torch.Tensor]) -> float:
    """‖Uᵀ W V‖_F: how much of W (out, in) lies in the update's own directions (Hu et al. 2021, section 7.3)."""
    return float(torch.linalg.norm(svd.u.T @ weight.double() @ svd.v))


def within_random(weight_norm: float, shape: tuple[int, int], rank: int) -> float:
    """What `within` gives for random directions, as its root mean square: ‖W‖ · rank / √(out · in)."""
    return weight_norm * rank / math.sqrt(shape[0] * shape[1])


def overlap(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """
    φ(i, j) = ‖U₁[:, :i]ᵀ U₂[:, :j]‖²_F / min(i, j) for all i and j, (n₁, n₂): 0 for orthogonal subspaces, 1 where the
    smaller lies in the larger (Hu et al. 2021, equation 4). The columns of both are orthonormal.
    """
    squares = (one.T @ other).square().cumsum(0).cumsum(1)
    rows, columns = (torch.arange(1, size + 1) for size in squares.shape)
    return (squares / torch.minimum(rows[:, None], columns[None, :])).clamp(0.0, 1.0)
