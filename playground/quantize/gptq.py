"""
GPTQ (Frantar et al. 2022, arXiv 2210.17323): round one input's weights after another, and let those that are still to come
make up for the error, as the second derivatives of the output error say.

The output error of a row is e H eᵀ with H = XᵀX, the same for all rows, so they are rounded together.
"""

from __future__ import annotations

import torch

from playground.bounds import Bound
from playground.formats.calibration import rounded
from playground.formats.format import Layout
from playground.quantize.rounding import Grid, Rounded

DAMPING = Bound("damping", 0.01, 1e-6, 1.0)  # of H's mean diagonal, added to it (section 3.3, step 3)
COLUMNS = 128  # whose errors reach the rest at once (section 3.3, step 2)


def gptq(
    weight: torch.Tensor, inputs: torch.Tensor, grid: Grid, damping: float = DAMPING.default, act_order: bool = False
) -> Rounded:
    """
    Algorithm 1. With `act_order` the inputs with the largest activations are rounded first, while there are most others to
    make up for them; a scale is then the original block's. Without, it is of what a block has become when its turn comes,
    as in the authors' code.
    """
    damping = DAMPING.check(damping)
    size = weight.shape[1]
    second = inputs.double().T @ inputs.double()
    order = second.diagonal().argsort(descending=True, stable=True) if act_order else torch.arange(size)
    upper = _inverse_root(second[order][:, order], damping).float()
    left = weight[:, order].clone()  # what is still to be rounded, with all that it makes up for
    clips = _clips(weight, grid)[:, order] if act_order else torch.empty_like(left)
    found = torch.empty_like(left)
    for start in range(0, size, COLUMNS):
        end = min(start + COLUMNS, size)
        errors = torch.empty(len(left), end - start)
        for place in range(start, end):
            if not act_order and place % grid.block == 0:
                now = left[:, place : place + grid.block].clone()
                if end < place + grid.block:  # a block beyond these columns: what they owe to it, first
                    now[:, end - place :] -= errors[:, : place - start] @ upper[start:place, end : place + grid.block]
                clips[:, place : place + grid.block] = _clips(now, grid)
            column = left[:, place]
            found[:, place] = rounded(column, clips[:, place], grid.format)
            error = (column - found[:, place]) / upper[place, place]
            left[:, place:end] -= torch.outer(error, upper[place, place:end])
            errors[:, place - start] = error
        left[:, end:] -= errors @ upper[start:end, end:]
    return Rounded(found[:, order.argsort()])


def _inverse_root(second: torch.Tensor, damping: float) -> torch.Tensor:
    """The upper Cholesky factor of the inverse of the damped H (in, in), float64. Inputs that are always 0 stay alone."""
    diagonal = second.diagonal().clone()
    silent = diagonal == 0
    damped = second + torch.diag(damping * diagonal.mean() + silent.double())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    upper: torch.Tensor = torch.linalg.cholesky(inverse, upper=True)
    return upper


def _clips(weight: torch.Tensor, grid: Grid) -> torch.Tensor:
    """The largest number of each block, for each number of it (out, in): where its grid ends."""
    blocks = weight.reshape(-1, grid.block)
    scales = grid.format.round_trip(blocks, Layout("channel")).scales
    assert scales is not None
    return (scales * grid.format.largest)[:, None].expand_as(blocks).reshape(weight.shape)
