"""
Number formats: which there are, what a weight becomes in each, what that costs, and how far it is off.

One record a format: add one to FORMATS, and every number here follows. How each of them rounds is in
playground.roundtrip, one number bit by bit in playground.anatomy. Imports no torch before it has work to do. Knows
nothing about models, adapters or the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING

from playground import settings
from playground.errors import PlaygroundError
from playground.formats import GRANULARITIES, LARGEST, Format, Layout, Quantized, finite, plain_scales, refuse
from playground.roundtrip import cast, four_bit, integers, ternary, vectorwise

if TYPE_CHECKING:
    import torch

NESTED = 256  # scales of a double quantization that share a scale (Dettmers et al. 2023, section 3)
FOUR_BIT_BLOCKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)  # all that bitsandbytes has

# What bitsandbytes.functional.get_4bit_type gives (a test compares), in the order of the codes
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
# Not quite the E2M1 of the QLoRA paper, whose smallest level is 1/12 and not 0.0625/12; the others are the same.
FP4 = tuple(sign * level / 12 for sign in (1.0, -1.0) for level in (0, 0.0625, 8, 12, 4, 6, 2, 3))


def _double_scales(groups: int) -> int:
    """Dettmers et al. 2023, section 3: 8 bits a scale, a float32 for 256 of those, and one for their mean."""
    return 8 * groups + 32 * math.ceil(groups / NESTED) + 32


# The registry

_AFFINE, _QLORA = "Krishnamoorthi 2018, arXiv 1806.08342", "Dettmers et al. 2023, arXiv 2305.14314"
_BITSANDBYTES = "bitsandbytes.functional.get_4bit_type"
_FP8 = "Micikevicius et al. 2022, arXiv 2209.05433"


def _float(id: str, bits: int, exponent: int, mantissa: int, largest: float, source: str, dtype: str = "") -> Format:
    return Format(
        id, "float", source, bits, "float32", cast, largest, dtype or id, exponent_bits=exponent, mantissa_bits=mantissa
    )


def _integer(id: str, bits: int, layout: Layout, source: str = _AFFINE) -> Format:
    return Format(
        id, "integer", source, bits, "int32", integers, 2 ** (bits - 1) - 1, layout=layout,
        granularities=GRANULARITIES, zero_points=True,
    )  # fmt: skip


def _table(id: str, kind: str, levels: tuple[float, ...], source: str, double: bool = False) -> Format:
    """Read back before it is computed with, hence added up as the floats are."""
    return Format(
        id, "table", source, 4, "float32", partial(four_bit, kind=kind, double=double), 1.0, levels=levels,
        layout=Layout("block", 64), granularities=("block",), blocks=FOUR_BIT_BLOCKS,
        scale_bits=_double_scales if double else plain_scales,
    )  # fmt: skip


FORMATS: dict[str, Format] = {
    one.id: one
    for one in (
        _float("float32", 32, 8, 23, LARGEST, "IEEE 754-2019"),
        _float("float16", 16, 5, 10, 65504.0, "IEEE 754-2019"),
        _float("bfloat16", 16, 8, 7, 3.3895313892515355e38, "Kalamkar et al. 2019, arXiv 1905.12322"),
        _float("float8_e4m3", 8, 4, 3, 448.0, _FP8, "float8_e4m3fn"),
        _float("float8_e5m2", 8, 5, 2, 57344.0, _FP8),
        _integer("int16", 16, Layout("tensor")),
        _integer("int8", 8, Layout("tensor")),
        Format(
            "int8_vectorwise", "integer", "Dettmers et al. 2022, arXiv 2208.07339", 8, "int32", vectorwise, 127,
            layout=Layout("channel"), granularities=("channel",),
        ),
        _integer("int4", 4, Layout("block", 64), "Dettmers & Zettlemoyer 2022, arXiv 2212.09720"),
        _table("nf4", "nf4", NF4, _QLORA),
        _table("nf4_double", "nf4", NF4, _QLORA, double=True),
        _table("fp4", "fp4", FP4, _BITSANDBYTES),
        Format(
            "ternary", "integer", "Ma et al. 2024, arXiv 2402.17764", math.log2(3), "int32", ternary, 1,
            layout=Layout("tensor"), granularities=("tensor",),
        ),
    )
}  # fmt: skip


def format_of(format_id: str) -> Format:
    """One of FORMATS. Raises PlaygroundError for an id that does not exist."""
    if str(format_id) not in FORMATS:
        refuse("format", format_id, tuple(FORMATS))
    return FORMATS[format_id]


# How far off


@dataclass(frozen=True)
class Errors:
    """Mean absolute, root mean square, largest; `sqnr_db` is 10 log₁₀ (Σw² / Σe²), None without error or signal."""

    mae: float
    rmse: float
    max_error: float
    sqnr_db: float | None


@dataclass(frozen=True)
class Statistics(Errors):
    """Of one format on one tensor. `bytes` is all that is stored, for ternary at least; `zeros` the share that became 0."""

    format: str
    bits_per_parameter: float
    bytes: int
    zeros: float
    saturated: int


def errors(exact: torch.Tensor, found: torch.Tensor) -> Errors:
    """Of two tensors of one shape. Sums are taken in float64. Raises PlaygroundError for two shapes."""
    import torch

    if exact.shape != found.shape:
        raise PlaygroundError("shapes_differ", one=list(exact.shape), other=list(found.shape))
    exact, found = exact.detach(), found.detach()
    off, double = (found - exact).abs(), torch.float64
    noise, signal = (float(torch.linalg.vector_norm(part, dtype=double)) for part in (off, exact))
    return Errors(
        mae=float(off.mean(dtype=double)),
        rmse=noise / math.sqrt(off.numel()),
        max_error=float(off.max()),
        sqnr_db=20 * math.log10(signal / noise) if noise and signal else None,
    )


def statistics(weights: torch.Tensor, quantized: Quantized) -> Statistics:
    """What a round trip of these weights cost and saved."""
    weights, shape = weights.detach().float().cpu(), tuple(weights.shape)
    bits = quantized.format.bits_per_parameter(shape, quantized.layout)
    return Statistics(
        **vars(errors(weights, quantized.values)),
        format=quantized.format.id,
        bits_per_parameter=bits,
        bytes=math.ceil(round(bits * weights.numel() / 8, 3)),  # a product of floats is not quite whole
        zeros=int((quantized.values == 0).sum()) / weights.numel(),
        saturated=quantized.saturated,
    )


@dataclass(frozen=True)
class Histogram:
    """`counts` of equal bins from `low` to `high` (included), and how many lay `below` and `above`."""

    low: float
    high: float
    counts: tuple[int, ...]
    below: int
    above: int


def histogram(values: torch.Tensor, bins: int = 101, low: float | None = None, high: float | None = None) -> Histogram:
    """Without a range, from the least to the greatest value. Raises PlaygroundError: too many bins, an empty range."""
    if not isinstance(bins, Integral) or isinstance(bins, bool) or not 1 <= bins <= settings.MAX_HISTOGRAM_BINS:
        raise PlaygroundError("out_of_range", name="bins", value=bins, minimum=1, maximum=settings.MAX_HISTOGRAM_BINS)
    for name, end in (("low", low), ("high", high)):
        if not isinstance(end, Real | None):
            raise PlaygroundError("out_of_range", name=name, value=str(end)[:60], minimum=-LARGEST, maximum=LARGEST)
    values = finite(values).reshape(-1)
    low = float(values.min() if low is None else low)
    high = float(values.max() if high is None else high)
    if low == high:  # one value, or a range of no width: a bin around it
        low, high = low - max(1.0, abs(low)) / 2, high + max(1.0, abs(high)) / 2
    if not (low < high and math.isfinite(high - low)):
        raise PlaygroundError("out_of_range", name="high", value=high, minimum=low, maximum=LARGEST)
    values = values.double()  # or torch would round the ends to float32 where it compares with them, but not in histc
    counts = tuple(values.histc(int(bins), low, high).int().tolist())
    outside = values.numel() - sum(counts)
    below = int((values < low).sum()) if outside else 0
    return Histogram(low, high, counts, below, outside - below)


def six_db_line(bits: float, crest: float = math.sqrt(3)) -> float:
    """
    The SQNR in dB that `bits` bits give: 6.02 bits + 4.77 − 20 log₁₀ crest, with crest = max|w| / root mean square.

    2ᵇ steps over −max … max are Δ = 2 max / 2ᵇ wide; an error anywhere within ±Δ/2 has mean square Δ²/12 (Bennett 1948).
    So signal / noise = rms² · 12 / Δ² = 3 · 4ᵇ / crest². Uniform weights have crest √3, hence a constant of 0.
    """
    return 20 * bits * math.log10(2) + 10 * math.log10(3) - 20 * math.log10(crest)


def crest(weights: torch.Tensor) -> float:
    """max|w| / root mean square, at least 1: what `six_db_line` needs to know of a tensor. Of zeros it is 1."""
    weights = finite(weights)
    rms = errors(weights, 0 * weights).rmse
    return float(weights.abs().max()) / rms if rms else 1.0
