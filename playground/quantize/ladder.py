"""
From rounding to GPTQ on one linear layer: a ladder of algorithms with the same bits a weight, each knowing more of the layer
than the one below, and what each does to the weight and to what the layer puts out.

    W (out, in), X (tokens, in) ──▶ a rung ──▶ Ŵ ──▶ ‖W − Ŵ‖ and ‖X (W − Ŵ)ᵀ‖, on the text that the rung saw and on another

One record a rung: add one to RUNGS, and it is measured. Knows nothing about models or the page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.formats.format import Layout, finite
from playground.formats.statistics import errors
from playground.quantize.clipping import clipped
from playground.quantize.gptq import gptq
from playground.quantize.hqq import hqq
from playground.quantize.rotation import rotated
from playground.quantize.rounding import Grid, Rounded, output_error
from playground.quantize.scaling import awq, smoothquant

ACTIVATION_BITS = 8  # SmoothQuant's W8A8, and what every rung is held against it with

Algorithm = Callable[[torch.Tensor, torch.Tensor, Grid], Rounded]  # W, X, bits and block → Ŵ


@dataclass(frozen=True)
class Rung:
    """`layout`: what shares a scale, "block" the grid's. `calibrated`: whether it looks at the activations."""

    id: str
    source: str
    quantize: Algorithm
    granularity: str = "block"
    calibrated: bool = False

    def __call__(self, weight: torch.Tensor, inputs: torch.Tensor, grid: Grid) -> Rounded:
        """
        Of a weight (out, in) and what its layer reads of the calibration text (tokens, in). Raises PlaygroundError: a grid
        that does not fit, numbers that are not finite, shapes that differ.
        """
        weight, inputs = finite(weight), finite(inputs)
        if weight.dim() != 2 or inputs.dim() != 2 or weight.shape[1] != inputs.shape[1]:
            raise PlaygroundError("columns_differ", one=list(inputs.shape), other=list(weight.shape))
        return self.quantize(weight, inputs, grid.checked(weight.shape[1]))

    def bits(self, shape: tuple[int, ...], grid: Grid) -> float:
        """Per weight, scales included; what is folded into other layers (scales of inputs, a rotation) is not counted."""
        return grid.format.bits_per_parameter(shape, Layout(self.granularity, grid.block))


def _nearest(granularity: str, weight: torch.Tensor, inputs: torch.Tensor, grid: Grid) -> Rounded:
    return Rounded(grid.nearest(weight, Layout(granularity, grid.block)))


def _blind(algorithm: Callable[[torch.Tensor, Grid], Rounded]) -> Algorithm:
    """One that does not look at the activations."""
    return lambda weight, inputs, grid: algorithm(weight, grid)


_AFFINE = "Krishnamoorthi 2018, arXiv 1806.08342, section 2"
RUNGS: dict[str, Rung] = {
    one.id: one
    for one in (
        Rung("nearest_tensor", _AFFINE, partial(_nearest, "tensor"), "tensor"),
        Rung("nearest_channel", _AFFINE, partial(_nearest, "channel"), "channel"),
        Rung("nearest", "Dettmers & Zettlemoyer 2022, arXiv 2212.09720", partial(_nearest, "block")),
        Rung("clipped", "Banner et al. 2019, arXiv 1810.05723", _blind(clipped)),
        Rung("hqq", "Badri & Shaji 2023, mobiusml.github.io/hqq_blog", _blind(hqq)),
        Rung("awq", "Lin et al. 2024, arXiv 2306.00978", awq, calibrated=True),
        Rung("smoothquant", "Xiao et al. 2023, arXiv 2211.10438", smoothquant, calibrated=True),
        Rung("rotated", "Ashkboos et al. 2024, arXiv 2404.00456", _blind(rotated)),
        Rung("gptq", "Frantar et al. 2022, arXiv 2210.17323", gptq, calibrated=True),
        Rung(
            "gptq_act_order", "Frantar et al. 2022, their code's act-order", partial(gptq, act_order=True), calibrated=True
        ),
    )
}
RUNG = Bound("rung", "nearest", choices=tuple(RUNGS))


@dataclass(frozen=True)
class Step:
    """
    One rung on one layer, errors relative: of the weight, and of what the layer puts out on the text that the rung saw and
    on another one. `both` is the latter with activations of ACTIVATION_BITS too, one scale a token: what SmoothQuant is for.
    """

    rung: str
    bits: float
    weight: float
    seen: float
    unseen: float
    both: float
    seconds: float


def climb(
    weight: torch.Tensor, seen: torch.Tensor, unseen: torch.Tensor, grid: Grid, rungs: Sequence[str] = tuple(RUNGS)
) -> Iterator[Step]:
    """Each rung in turn. Raises PlaygroundError as a rung does, and for one that does not exist."""
    size = errors(weight, 0 * weight).rmse or 1.0
    for rung in [RUNGS[RUNG.check(one)] for one in rungs]:
        begin = time.perf_counter()
        rounded = rung(weight, seen, grid)
        seconds = time.perf_counter() - begin
        yield Step(
            rung.id,
            rung.bits(tuple(weight.shape), grid),
            errors(weight, rounded.weight).rmse / size,
            output_error(seen, weight, rounded),
            output_error(unseen, weight, rounded),
            output_error(unseen, weight, rounded, ACTIVATION_BITS),
            seconds,
        )
