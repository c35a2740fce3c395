"""
HQQ, half-quadratic quantization (Badri & Shaji 2023, mobiusml.github.io/hqq_blog): a zero-point for each block, sought
without any calibration text, under an error that forgives large numbers.

    minimize over z:  Σ |W − s (Q − z)|ᵖ,  Q = round(W / s + z),  p < 1

solved by turns: an error matrix E that takes up the outliers (a soft threshold), then z in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.formats.format import SMALLEST
from playground.quantize.rounding import Grid, Rounded

NORM, BETA, KAPPA, TURNS = 0.7, 10.0, 1.01, 20  # its code's own: p, the weight of the quadratic term, its growth, turns


@dataclass(frozen=True, eq=False)
class Found:
    """`weight` (out, in), and the mean of |error|ᵖ before the first turn and after each that made it fall."""

    weight: torch.Tensor
    objectives: tuple[float, ...]


def half_quadratic(weight: torch.Tensor, grid: Grid) -> Found:
    """
    The first turn that does not lower the objective is the last, as in its code. Scale and zero-point are floats of 16 bits:
    together what the other rungs spend on their scale.
    """
    blocks, top = weight.reshape(-1, grid.block), float(2**grid.bits - 1)
    least, most = blocks.amin(1, keepdim=True).clamp(max=0), blocks.amax(1, keepdim=True).clamp(min=0)
    scales = ((most - least) / top).clamp(min=SMALLEST)
    zeros = -least / scales

    def codes() -> torch.Tensor:
        return (blocks / scales + zeros).round().clamp(0, top)

    def objective() -> float:
        return float((blocks - (codes() - zeros) * scales).abs().pow(NORM).mean(dtype=torch.float64))

    best, objectives, beta = zeros, [objective()], BETA
    for _ in range(TURNS):
        found = codes()
        taken_up = _shrunk(blocks - (found - zeros) * scales, beta)
        zeros = (found - (blocks - taken_up) / scales).mean(1, keepdim=True)
        beta *= KAPPA
        if (now := objective()) >= objectives[-1]:
            break
        best, objectives = zeros, [*objectives, now]
    zeros = best
    found = codes()
    scales, zeros = (part.half().float() for part in (scales, zeros))
    return Found(((found - zeros) * scales).view(weight.shape), tuple(objectives))


def _shrunk(error: torch.Tensor, beta: float) -> torch.Tensor:
    """The generalized soft threshold of an ℓp norm: what is small becomes 0, what is large stays nearly as it is."""
    sizes = error.abs()
    return error.sign() * (sizes - sizes.clamp(min=SMALLEST).pow(NORM - 1) / beta).clamp(min=0)


def hqq(weight: torch.Tensor, grid: Grid) -> Rounded:
    return Rounded(half_quadratic(weight, grid).weight)
