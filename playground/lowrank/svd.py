"""
A singular value decomposition and what is kept of it, for NumPy's arrays and torch's tensors alike.

    M (out × in) = U diag(S) Vᵀ ──▶ the first r directions ──▶ B (out × r) · A (r × in)

Imports no torch. Knows nothing about where a matrix comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch

    Array = TypeVar("Array", np.ndarray, torch.Tensor)
else:
    Array = TypeVar("Array")

NOTHING = 1e-6  # of the largest singular value: what is below are rounding errors of float32


@dataclass(frozen=True, eq=False)
class Svd(Generic[Array]):
    """U (out, n), S (n,) descending, V (in, n), float64, so that the matrix is U diag(S) Vᵀ."""

    u: Array
    s: Array
    v: Array

    @property
    def rank(self) -> int:
        """How many directions hold something; a matrix of zeros has none."""
        return int((self.s > NOTHING * self.s[0]).sum()) if len(self.s) else 0

    @property
    def strong(self) -> Svd[Array]:
        """Without the directions that hold nothing: where σ is zero, U and V are arbitrary."""
        return self.cut(self.rank)

    def cut(self, rank: int) -> Svd[Array]:
        """The best approximation of at most this rank (Eckart & Young 1936): the strongest directions."""
        return Svd(self.u[:, :rank], self.s[:rank], self.v[:, :rank])

    def split(self) -> tuple[Array, Array]:
        """B (out, n) and A (n, in) with BA = U diag(S) Vᵀ, each value shared evenly between the two."""
        root = self.s**0.5
        return self.u * root, (self.v * root).T
