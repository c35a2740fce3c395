"""
Ranges of activations: where to clip before rounding, from what was seen before (static) or from each tensor (dynamic),
and LLM.int8()'s way with the few features that are far larger than the rest.

Activations are (tokens, features). Rounding is symmetric: code = round(x / scale), scale = clip / largest code. Knows
nothing about models: whoever calls brings the activations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.formats.format import LARGEST, SMALLEST, Format, finite
from playground.formats.registry import FORMATS
from playground.formats.roundtrip import integers, vectorwise_codes
from playground.formats.statistics import Errors, errors

if TYPE_CHECKING:
    import torch


PER_MILLE = 999  # of all values that `percentile` keeps
FORMAT = Bound("format", "int8", choices=tuple(one.id for one in FORMATS.values() if one.quantize is integers))
OUTLIER = 6.0  # Dettmers et al. 2022, section 3.2
THRESHOLD = Bound("threshold", OUTLIER, SMALLEST, LARGEST)
CLIPS_PER_OCTAVE, OCTAVES = 8, 10  # clips that `mse` tries, downwards from the largest value


def min_max(sizes: torch.Tensor, format: Format) -> float:
    """Nothing is clipped."""
    return float(sizes.max())


def percentile(sizes: torch.Tensor, format: Format) -> float:
    """99.9 % are within; the rest is clipped."""
    return float(sizes.kthvalue(-(-len(sizes) * PER_MILLE // 1000)).values)


def mse(sizes: torch.Tensor, format: Format) -> float:
    """The clip with the least squared error of all that lie 1/8 octave apart below the largest value."""
    clips = [float(sizes.max()) * 2 ** (-step / CLIPS_PER_OCTAVE) for step in range(CLIPS_PER_OCTAVE * OCTAVES + 1)]
    return min(clips, key=lambda clip: errors(sizes, rounded(sizes, clip, format)).rmse)


Clip = Callable[["torch.Tensor", Format], float]  # |x| flat and a format → where to clip
CALIBRATIONS: dict[str, Clip] = {"min_max": min_max, "percentile": percentile, "mse": mse}


@dataclass(frozen=True)
class Calibrated(Errors):
    """
    One way to choose a range. `clip` is that range's end and `scale` one code's worth (of the dynamic per token: their
    means), `clipped` the share of activations beyond it, `zeros` the share that becomes 0.
    """

    method: str  # of CALIBRATIONS, or "dynamic" (one range a tensor), "dynamic_token" (one a token)
    static: bool
    clip: float
    scale: float
    clipped: float
    zeros: float


def rounded(activations: torch.Tensor, clip: float | torch.Tensor, format: Format) -> torch.Tensor:
    """Clipped, rounded to codes and read back; `clip` is one number or one for each row."""
    scale = _scale(clip, format)
    return ((activations / scale).round().clamp(-format.largest, format.largest) * scale).clamp(-LARGEST, LARGEST)


def _scale(clip: float | torch.Tensor, format: Format) -> float | torch.Tensor:
    scale = clip / format.largest
    return max(scale, SMALLEST) if isinstance(scale, float) else scale.clamp(min=SMALLEST)


def calibrate(seen: torch.Tensor, activations: torch.Tensor, format_id: str = "int8") -> tuple[Calibrated, ...]:
    """
    Errors on `activations` (tokens, features) for the static ranges that each of CALIBRATIONS takes from `seen` (any
    tokens, same features), and for the dynamic ones, which are the activations' own.

    Raises PlaygroundError: a format without plain codes · scale, no numbers, infinity, NaN, features that differ.
    """
    format = FORMATS[FORMAT.check(format_id)]
    seen, activations = finite(seen), finite(activations)
    if seen.shape[-1:] != activations.shape[-1:]:
        raise PlaygroundError("columns_differ", one=list(seen.shape), other=list(activations.shape))
    sizes = seen.abs().reshape(-1)
    found = [_calibrated(name, True, activations, clip(sizes, format), format) for name, clip in CALIBRATIONS.items()]
    own, tokens = activations.abs(), activations.abs().amax(-1, keepdim=True)
    found.append(_calibrated("dynamic", False, activations, float(own.max()), format))
    return (*found, _calibrated("dynamic_token", False, activations, tokens, format))


def _calibrated(
    method: str, static: bool, activations: torch.Tensor, clip: float | torch.Tensor, format: Format
) -> Calibrated:
    scale, found = _scale(clip, format), rounded(activations, clip, format)
    return Calibrated(
        **vars(errors(activations, found)),
        method=method,
        static=static,
        clip=clip if isinstance(clip, float) else float(clip.double().mean()),
        scale=scale if isinstance(scale, float) else float(scale.double().mean()),
        clipped=float((activations.abs() > clip).double().mean()),
        zeros=float((found == 0).double().mean()),
    )


@dataclass(frozen=True)
class Mixed:
    """
    Activations times weights in int8, all of them (`plain`) or without the outlier features, which are multiplied in
    float (`mixed`). `float_share` is the part of all products that stays in float.
    """

    threshold: float
    outliers: tuple[int, ...]  # features with an activation of at least the threshold
    float_share: float
    plain: Errors
    mixed: Errors


@dataclass(frozen=True, eq=False)
class Product:
    """What no threshold changes: x Wᵀ, `exact` (tokens, out) float64, and how far off it is with all of it in int8."""

    exact: torch.Tensor
    plain: Errors


def product(activations: torch.Tensor, weights: torch.Tensor) -> Product:
    """Of x (tokens, in) and W (out, in). Raises PlaygroundError as `llm_int8`."""
    activations, weights = _fitting(activations, weights)
    exact = finite(activations.double() @ weights.double().T)
    plain = finite(_int8_product(*vectorwise_codes(activations)[:2], *vectorwise_codes(weights)[:2]))
    return Product(exact, errors(exact, plain))


def _fitting(activations: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    activations, weights = finite(activations), finite(weights)
    if activations.dim() != 2 or weights.dim() != 2 or activations.shape[1] != weights.shape[1]:
        raise PlaygroundError("columns_differ", one=list(activations.shape), other=list(weights.shape))
    return activations, weights


def llm_int8(
    activations: torch.Tensor, weights: torch.Tensor, threshold: float = OUTLIER, known: Product | None = None
) -> Mixed:
    """
    Dettmers et al. 2022, section 3: x (tokens, in) times Wᵀ for W (out, in). Every row of x and of W has its own scale,
    products are added up as integers. Features with outliers stay out of that, with the weights that they meet. (The
    layer of bitsandbytes keeps only the int8 weights, and reads those back for the outliers.) `known` is their `product`,
    where that is at hand.

    Raises PlaygroundError: no numbers, infinity, NaN (of a product too), shapes that do not fit, a threshold that is not
    above 0.
    """
    activations, weights = _fitting(activations, weights)
    threshold = THRESHOLD.check(threshold)
    known = known or product(activations, weights)
    codes, sizes, outliers = vectorwise_codes(activations, threshold)
    without = weights.clone()
    without[:, outliers] = 0.0  # what stays in float does not stretch the others' range
    mixed = _int8_product(codes, sizes, *vectorwise_codes(without)[:2])
    mixed = finite(mixed + activations[:, outliers] @ weights[:, outliers].T)
    share = len(outliers) / activations.shape[1]
    return Mixed(threshold, tuple(outliers), share, known.plain, errors(known.exact, mixed))


def _int8_product(x: torch.Tensor, x_max: torch.Tensor, w: torch.Tensor, w_max: torch.Tensor) -> torch.Tensor:
    """Codes times codes, exactly (float64 holds every such sum), and the scales of both rows."""
    return ((x.double() @ w.double().T) * (x_max[:, None].double() / 127) * (w_max.double() / 127)).float()
