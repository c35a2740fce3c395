"""
Clipping by mean squared error: a smaller range for a block costs its largest number and rounds all the others finer.
"""

from __future__ import annotations

import torch

from playground.quantize.rounding import Grid, Rounded

RATIOS = tuple(step / 40 for step in range(40, 15, -1))  # of the largest |w|: 1 to 0.4


def clipped(weight: torch.Tensor, grid: Grid) -> Rounded:
    """
    Round to nearest, each block within that of RATIOS of its largest number which leaves the least squared error
    (Banner et al. 2019, arXiv 1810.05723, section 3, which solves for it; searched as in Frantar's and others' code).
    """
    blocks = weight.reshape(-1, grid.block)
    largest = blocks.abs().amax(1, keepdim=True)
    best, least = torch.empty_like(blocks), torch.full((len(blocks), 1), torch.inf)
    for ratio in RATIOS:
        ends = ratio * largest
        found = grid.nearest(blocks.clamp(-ends, ends))
        off = (found - blocks).square().sum(1, keepdim=True)
        best, least = torch.where(off < least, found, best), torch.minimum(off, least)
    return Rounded(best.view(weight.shape))
