"""
How far off a round trip is: errors, sizes, histograms, and the 6 dB a bit that uniform rounding gives.

Imports no torch before it has work to do. Knows no format by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from playground import settings
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.formats.format import LARGEST, Quantized, finite

if TYPE_CHECKING:
    import torch


BINS = Bound("bins", 101, 1, settings.MAX_HISTOGRAM_BINS)
LOW, HIGH = (Bound(end, 0.0, -LARGEST, LARGEST) for end in ("low", "high"))  # without one: that of the values


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


def statistics(weights: torch.Tensor, quantized: Quantized, shape: tuple[int, ...] = ()) -> Statistics:
    """What a round trip of these weights cost and saved; bits and bytes of a tensor of `shape`, if they are part of one."""
    weights, shape = weights.detach().float().cpu(), shape or tuple(weights.shape)
    bits = quantized.format.bits_per_parameter(shape, quantized.layout)
    return Statistics(
        **vars(errors(weights, quantized.values)),
        format=quantized.format.id,
        bits_per_parameter=bits,
        bytes=math.ceil(round(bits * math.prod(shape) / 8, 3)),  # a product of floats is not quite whole
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
    bins, values = BINS.check(bins), finite(values).reshape(-1)
    low = float(values.min()) if low is None else LOW.check(low)
    high = float(values.max()) if high is None else HIGH.check(high)
    replace(HIGH, minimum=low).check(high)
    if low == high:  # one value, or a range of no width: a bin around it
        low, high = low - max(1.0, abs(low)) / 2, high + max(1.0, abs(high)) / 2
    values = values.double()  # or torch would round the ends to float32 where it compares with them, but not in histc
    counts = tuple(values.histc(bins, low, high).int().tolist())
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
