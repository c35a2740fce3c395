"""
What every rung of the ladder (`ladder`) shares: the grid that it rounds to, the change of basis that it may round in, and
what it leaves.

    x ──▶ change ──▶ x C⁻ᵀ ─┐
                            ├─▶ the same product, as long as nothing is rounded
    W ──▶ change ──▶ W C ───┘ ──▶ round ──▶ undo ──▶ the weight that x is multiplied with in effect

Weights are (out, in), activations (tokens, in), both float32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.formats.format import BLOCK, Format, Layout
from playground.formats.registry import FORMATS
from playground.formats.roundtrip import integers

BITS = Bound("bits", 4, choices=tuple(sorted(int(one.code_bits) for one in FORMATS.values() if one.quantize is integers)))


@dataclass(frozen=True)
class Grid:
    """Symmetric integers of `bits`, with one scale for each `block` of numbers in a row."""

    bits: int = BITS.default
    block: int = BLOCK.default

    def checked(self, inputs: int) -> Grid:
        """The same, for rows of so many inputs. Raises PlaygroundError: bits or a block that do not exist or do not fit."""
        grid = Grid(BITS.check(self.bits), BLOCK.check(self.block))
        if inputs % grid.block:
            raise PlaygroundError("block_does_not_fit", block=grid.block, inputs=inputs)
        return grid

    @property
    def format(self) -> Format:
        return FORMATS[f"int{self.bits}"]

    @property
    def layout(self) -> Layout:
        return Layout("block", self.block)

    def nearest(self, weight: torch.Tensor, layout: Layout | None = None) -> torch.Tensor:
        """Round to nearest, with a scale from the largest number that shares it."""
        return self.format.round_trip(weight, layout or self.layout).values


Map = Callable[[torch.Tensor], torch.Tensor]


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


@dataclass(frozen=True)
class Change:
    """
    A change of basis of what a layer reads: inputs(x) · weight(W)ᵀ = x Wᵀ, and undo(weight(W)) = W, but for float
    rounding. `fields`, plain values to show.
    """

    inputs: Map = _same
    weight: Map = _same
    undo: Map = _same
    fields: dict[str, Any] = field(default_factory=dict)


NO_CHANGE = Change()


@dataclass(frozen=True, eq=False)
class Rounded:
    """`inner` is what was rounded, in the basis of `change`; `weight` the same in the layer's own. Both (out, in)."""

    inner: torch.Tensor
    change: Change = NO_CHANGE

    @property
    def weight(self) -> torch.Tensor:
        return self.change.undo(self.inner)


def rounded_in(change: Change, weight: torch.Tensor, grid: Grid) -> Rounded:
    """A weight, rounded to nearest in another basis."""
    return Rounded(grid.nearest(change.weight(weight)), change)


def scaling(scales: torch.Tensor, **fields: Any) -> Change:
    """Each input divided by its own number (in,) and the weights that it meets multiplied with it."""
    return Change(lambda x: x / scales, lambda w: w * scales, lambda w: w / scales, fields)


def output_error(inputs: torch.Tensor, weight: torch.Tensor, rounded: Rounded, bits: int | None = None) -> float:
    """
    ‖X Ŵᵀ − X Wᵀ‖ / ‖X Wᵀ‖ (Frobenius). With `bits`, what meets the rounded weight is rounded too, one scale a token, in the
    basis in which the weight was. 0 where the layer puts out nothing.
    """
    exact = inputs @ weight.T
    if bits is None:
        found = inputs @ rounded.weight.T
    else:
        read = rounded.change.inputs(inputs).contiguous()
        found = Grid(bits).nearest(read, Layout("channel")) @ rounded.inner.T
    size = torch.linalg.vector_norm(exact, dtype=torch.float64)
    return float(torch.linalg.vector_norm(found - exact, dtype=torch.float64) / size) if size else 0.0
