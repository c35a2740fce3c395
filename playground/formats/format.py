"""
What a number format is: its record, the ways to share scales, and a tensor after its round trip.

    weight ──▶ ÷ scale ──▶ round, clip ──▶ code ──▶ × scale ──▶ what the model computes with

Imports no torch before it has work to do, so that a page can list the formats. Which formats there are is in
`registry`, how each of them rounds in `roundtrip`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from playground import settings
from playground.bounds import Bound
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    import torch


GRANULARITIES = ("tensor", "channel", "block")
GRANULARITY = Bound("granularity", "tensor", choices=GRANULARITIES)
LARGEST = 3.4028234663852886e38  # float32; a weight is one before it is anything else
SMALLEST = 1.1754943508222875e-38  # the smallest normal float32, and the smallest scale: subnormal ones lose digits
BLOCK = Bound("block", 64, *settings.BLOCKS)
ENDLESS = 2**30, 2**30  # a matrix so large that the scales of whole rows weigh nothing


@dataclass(frozen=True)
class Layout:
    """
    What shares a scale: the whole "tensor", one row ("channel"; the last dimension), `block` numbers in reading order
    (the last block may be shorter), or nothing ("none"). With `zero_point` the range need not be symmetric.
    """

    granularity: str = "tensor"
    block: int = BLOCK.default
    zero_point: bool = False

    def groups(self, shape: tuple[int, ...]) -> int:
        """How many scales a tensor of this shape has."""
        if self.granularity == "none":
            return 0
        numbers = math.prod(shape)
        size = {"tensor": numbers, "channel": shape[-1] if shape else 1, "block": self.block}[self.granularity]
        return -(-numbers // max(size, 1))


@dataclass(frozen=True, eq=False)
class Quantized:
    """
    A tensor after its round trip: `values`, float32, in its shape. `codes` in its shape too and `scales`, `zero_points`,
    `minima` (groups,) where the format has them: value = (code − zero point) · scale, or level[code] · scale, or with a
    minimum (level[code] − level[0]) · scale + minimum. `saturated` counts what lay beyond the format's largest number.
    """

    format: Format
    layout: Layout
    values: torch.Tensor
    codes: torch.Tensor | None = None
    scales: torch.Tensor | None = None
    zero_points: torch.Tensor | None = None
    minima: torch.Tensor | None = None
    saturated: int = 0


def plain_scales(groups: int) -> int:
    return 32 * groups


@dataclass(frozen=True)
class Format:
    """
    One number format. `kind` is "float" (sign, exponent, mantissa), "integer" (code · scale) or "table" (a level for
    each code, times a scale). `largest` is the largest finite number, code or level.
    """

    id: str
    kind: str
    source: str
    code_bits: float  # of one number, scales aside; no fewer can do, where they are no whole number
    accumulates_in: str  # what hardware adds products up in: see playground.formats.accumulators
    quantize: Callable[[Format, torch.Tensor, Layout], Quantized]
    largest: float
    dtype: str = ""  # of a float format torch's name, of a block format of GGUF files llama.cpp's
    exponent_bits: int = 0
    mantissa_bits: int = 0
    levels: tuple[float, ...] = ()  # of a table, in the order of the codes
    layout: Layout = field(default=Layout("none"))  # unless another one is asked for
    granularities: tuple[str, ...] = ("none",)
    blocks: tuple[int, ...] = ()  # the only block sizes; empty: any within settings.BLOCKS
    zero_points: bool = False  # whether a layout may ask for them
    scale_bits: Callable[[int], int] = plain_scales  # of so many groups
    minimum: bool = False  # a block has its minimum beside its scale; `levels` are those of one from −largest to largest
    powers: bool = False  # scales are powers of two
    runs: str = "read_back"  # where products are computed with it: a key of the page's words
    usual: bool = True  # among those that a page shows first

    @property
    def smallest(self) -> float:
        """The smallest number above zero, in the units of `largest`; of a float format the smallest subnormal."""
        if self.kind == "float":
            power: int = 2 - 2 ** (self.exponent_bits - 1) - self.mantissa_bits
            return 2.0**power
        return min((abs(level) for level in self.levels if level), default=1.0)

    @property
    def unit_scale(self) -> float:
        """The smallest scale of this format that reaches from −1 to 1."""
        return self.scale_from(1 / self.largest)

    def scale_from(self, scale: float) -> float:
        """A scale of this format that is no smaller."""
        return 2.0 ** math.ceil(math.log2(scale)) if self.powers else scale

    @property
    def dynamic_range_db(self) -> float:
        """20 log₁₀ (largest / smallest)."""
        return 20 * math.log10(self.largest / self.smallest)

    def checked(self, layout: Layout) -> Layout:
        """
        The same layout with checked values. Raises PlaygroundError for a granularity, a block size or a zero-point that
        this format does not have.
        """
        granularity = Bound("granularity", self.layout.granularity, choices=self.granularities).check(layout.granularity)
        zero_point = Bound("zero_point", False, choices=(False, True)[: 1 + self.zero_points]).check(layout.zero_point)
        if granularity != "block":
            return layout
        block = replace(BLOCK, choices=self.blocks).check(layout.block)
        return Layout(granularity, block, zero_point)

    def fitting(self, layout: Layout) -> Layout:
        """The layout nearest to one that is asked of several formats at once: what this one lacks is its own."""
        granularity = layout.granularity if layout.granularity in self.granularities else self.layout.granularity
        block = layout.block if not self.blocks or layout.block in self.blocks else self.layout.block
        return Layout(granularity, block, layout.zero_point and self.zero_points)

    def bits_per_parameter(self, shape: tuple[int, ...] = ENDLESS, layout: Layout | None = None) -> float:
        """
        All that is stored for a tensor of this shape, scales and zero-points included, per number of it.

        For ternary a lower bound, log₂ 3 = 1.58 bits a code as its paper counts; who packs five codes in a byte stores 1.6.
        """
        layout = self.checked(layout or self.layout)
        numbers = math.prod(shape)
        if layout.granularity == "none" or not numbers:
            return self.code_bits
        groups = layout.groups(shape)
        zero_points = groups * self.code_bits if layout.zero_point else 0
        return self.code_bits + (self.scale_bits(groups) + zero_points) / numbers

    def round_trip(self, weights: torch.Tensor, layout: Layout | None = None) -> Quantized:
        """
        The nearest numbers of this format, as float32, with their codes and scales.

        What is beyond the format's largest number becomes the largest (of either sign), as accelerators convert: the
        casts of torch give infinity, NaN or the largest, by format and version. Raises PlaygroundError for a layout
        that this format does not have, for no numbers, infinity, NaN, what no float32 can hold, and codes in bytes.
        """
        layout = self.checked(layout or self.layout)
        quantized = self.quantize(self, finite(weights), layout)
        if not _all_finite(quantized.values):  # a double quantization's mean of huge scales is infinite
            raise PlaygroundError("numbers_not_finite")
        return quantized


def finite(weights: torch.Tensor) -> torch.Tensor:
    """
    The same numbers as float32 on the CPU. Raises PlaygroundError if there are none, if one is infinite or NaN, and for
    integers of one byte: they are codes, such as the packed ones of bitsandbytes, and no weights.
    """
    if weights.element_size() == 1 and not weights.is_floating_point():
        raise PlaygroundError("codes_not_weights")
    weights = weights.detach().float().cpu().contiguous()
    if not weights.numel():
        raise PlaygroundError("no_numbers")
    if not _all_finite(weights):
        raise PlaygroundError("numbers_not_finite")
    return weights


def _all_finite(values: torch.Tensor) -> bool:
    """Faster than looking at each: a sum in float64 is finite if and only if every float32 in it is."""
    import torch

    return math.isfinite(values.sum(dtype=torch.float64))
