"""
Which rank would have been enough for one update: by its energy, and by what stands out of noise.

Knows nothing about models, adapters or plots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

ENERGY = 0.99  # of Σσ²
GRID = 20_000  # points of the Marchenko–Pastur density


@dataclass(frozen=True)
class Ranks:
    """
    Of one update of `shape` (out, in) with `rank` directions: the smallest rank that holds ENERGY of Σσ², and how many
    singular values lie above the noise (`noise_rank`).
    """

    shape: tuple[int, int]
    rank: int
    energy_rank: int
    noise_rank: int

    @property
    def suggested(self) -> int:
        """Enough to hold ENERGY; at least 1."""
        return max(1, self.energy_rank)

    @property
    def side(self) -> int:
        """Parameters of one direction in LoRA: out + in."""
        return sum(self.shape)


def ranks(values: Sequence[float], shape: tuple[int, int]) -> Ranks:
    """
    From the singular values of an update, descending. One that is a product of factors has as many as these have rows;
    its noise is looked for among them, as in a matrix of out × rank: the update in the coordinates of what A reads.
    """
    return Ranks(shape, len(values), energy_rank(values), noise_rank(values, (shape[0], min(len(values), shape[1]))))


def energy_rank(values: Sequence[float], share: float = ENERGY) -> int:
    """The smallest rank whose singular values hold `share` of Σσ²; 0 for a zero matrix."""
    held = np.cumsum(np.square(np.asarray(values, dtype=np.float64)))
    return int(np.searchsorted(held, share * held[-1])) + 1 if len(held) and held[-1] > 0 else 0


def noise_rank(values: Sequence[float], shape: tuple[int, int]) -> int:
    """
    How many singular values of a matrix m × n, m ≤ n, lie above those of noise, τ (√n + √m) at most (Marchenko & Pastur
    1967). The noise τ is estimated from their median, τ = σ_med / √(n μ_β) with β = m / n, as if most of them were noise
    (Gavish & Donoho 2014, arXiv 1305.5870, section III E).
    """
    small, large = sorted(shape)
    if not small or not len(values):
        return 0
    beta = small / large
    edge = float(np.median(values)) * (1 + math.sqrt(beta)) / math.sqrt(median(beta))
    return int(sum(value > edge for value in values))


@cache
def median(beta: float) -> float:
    """μ_β: the median of the Marchenko–Pastur distribution of aspect ratio β, 0 < β ≤ 1."""
    low, high = (1 - math.sqrt(beta)) ** 2, (1 + math.sqrt(beta)) ** 2
    angles = (np.arange(GRID) + 0.5) * np.pi / GRID  # x = middle − half · cos: no edge where the density is infinite
    x = (low + high) / 2 - (high - low) / 2 * np.cos(angles)
    mass = np.cumsum(np.square(np.sin(angles)) / x)
    return float(np.interp(mass[-1] / 2, mass, x))


@dataclass(frozen=True)
class Suggestion:
    """
    The suggested ranks of all modules: what LoRA with them trains, what with the ranks that they have now; and the uniform
    rank that trains as nearly as possible as much, and how much that is.
    """

    parameters: int
    now: int
    uniform: int
    evenly: int


def suggestion(found: Sequence[Ranks]) -> Suggestion:
    """Of all modules together; of two uniform ranks that are as near the lower one."""
    parameters, now = sum(one.suggested * one.side for one in found), sum(one.rank * one.side for one in found)
    side = sum(one.side for one in found)
    uniform = math.ceil(parameters / side - 0.5)
    return Suggestion(parameters, now, uniform, uniform * side)
