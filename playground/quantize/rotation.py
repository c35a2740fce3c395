"""
Rotating the basis before rounding: a Hadamard matrix spreads every outlier over all inputs (QuIP#, Tseng et al. 2024, arXiv
2402.04396, section 3; QuaRot, Ashkboos et al. 2024, arXiv 2404.00456, section 3).

A Hadamard matrix has entries ±1 and orthogonal rows. Sylvester's exist for powers of two, Paley's for q + 1 (q a prime of
4k + 3) and 2 (q + 1) (q a prime of 4k + 1), and their Kronecker products: 576 = 36 · 16 and 1536 = 12 · 128 are such.
"""

from __future__ import annotations

import math
from functools import cache

import torch

from playground.quantize.rounding import Change, Grid, Rounded, rounded_in

LARGEST_PALEY = 512  # rows of the factor that is no power of two


def sylvester(size: int) -> torch.Tensor:
    """(size, size), ±1, for a power of two: [[H, H], [H, −H]] again and again."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), matrix)
    return matrix


def paley(size: int) -> torch.Tensor | None:
    """(size, size), ±1, by either of Paley's constructions (1933); None where neither gives one of this size."""
    if _prime(size - 1) and (size - 1) % 4 == 3:
        return _bordered(size - 1, -1.0) + torch.eye(size)
    if size % 2 == 0 and _prime(size // 2 - 1) and (size // 2 - 1) % 4 == 1:
        core = _bordered(size // 2 - 1, 1.0)
        one, other = torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.tensor([[1.0, -1.0], [-1.0, -1.0]])
        return torch.kron(core, one) + torch.kron(torch.eye(size // 2), other)
    return None


def _bordered(q: int, left: float) -> torch.Tensor:
    """Jacobsthal's matrix of q, χ(i − j) of quadratic residues, with a row of ones above and a column of `left` before."""
    residues = {number * number % q for number in range(1, q)}
    character = torch.tensor([0.0] + [1.0 if number in residues else -1.0 for number in range(1, q)])
    places = torch.arange(q)
    matrix = torch.zeros(q + 1, q + 1)
    matrix[1:, 1:] = character[(places[:, None] - places) % q]
    matrix[0, 1:], matrix[1:, 0] = 1.0, left
    return matrix


def _prime(number: int) -> bool:
    return number > 2 and all(number % one for one in range(2, math.isqrt(number) + 1))


@cache
def factors(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Two matrices whose Kronecker product is orthogonal and (size, size): a Hadamard matrix where the constructions give one.
    Where they do not, the first is the identity: blocks of the largest power of two are rotated, each by itself.
    """
    power = size & -size
    odd = size // power
    if odd == 1:
        return torch.ones(1, 1), sylvester(size) / math.sqrt(size)
    order = odd
    while size % order == 0 and order <= LARGEST_PALEY:
        if (matrix := paley(order)) is not None:
            rest = size // order
            return matrix / math.sqrt(order), sylvester(rest) / math.sqrt(rest)
        order *= 2
    return torch.eye(odd), sylvester(power) / math.sqrt(power)


def hadamard(size: int, seed: int = 0) -> Change:
    """
    x ↦ x D H, with D random signs, which keep a constant input from becoming one large number. An orthogonal change: its
    weight is W D H, and the same is undone by Hᵀ D.
    """
    first, second = factors(size)
    signs = torch.randint(0, 2, (size,), generator=torch.Generator().manual_seed(seed)).float() * 2 - 1

    def turned(rows: torch.Tensor) -> torch.Tensor:
        grid = (rows * signs).reshape(-1, len(first), len(second))
        return (first.T @ grid @ second).reshape(rows.shape)

    def undone(rows: torch.Tensor) -> torch.Tensor:
        grid = rows.reshape(-1, len(first), len(second))
        return (first @ grid @ second.T).reshape(rows.shape) * signs

    return Change(turned, turned, undone, {"factors": (len(first), len(second))})


def rotated(weight: torch.Tensor, grid: Grid) -> Rounded:
    return rounded_in(hadamard(weight.shape[1]), weight, grid)
