"""
Scaling inputs against weights before rounding, so that nothing changes but what is rounded finely: AWQ for weights alone,
SmoothQuant for weights and activations.

A scale for each input is folded into what stands before the layer (a norm, or the layer before), so it takes no bits here.
"""

from __future__ import annotations

import torch

from playground.quantize.rounding import Change, Grid, Rounded, rounded_in, scaling

ALPHAS = tuple(step / 20 for step in range(20))  # AWQ's own grid
STRENGTH = 0.5  # SmoothQuant's α
SMALLEST_SCALE = 1e-4  # AWQ's own; an input that is always 0 has one too


def activation_aware(inputs: torch.Tensor, alpha: float) -> Change:
    """
    Lin et al. 2024, arXiv 2306.00978, section 3.2: s = mean |x|^α, for each input, around 1: what meets large activations
    is rounded finer, at its neighbours' cost. α = 0 changes nothing.
    """
    scales = inputs.abs().mean(0).pow(alpha).clamp(min=SMALLEST_SCALE)
    return scaling(scales / (scales.max() * scales.min()).sqrt(), alpha=alpha)


def awq(weight: torch.Tensor, inputs: torch.Tensor, grid: Grid) -> Rounded:
    """The α of ALPHAS with the least output error on these inputs. (AWQ also clips; here that is a rung of its own.)"""
    second = inputs.T @ inputs  # of errors e, the output's are e second eᵀ: fewer products than with every token

    def off(rounded: Rounded) -> float:
        error = rounded.weight - weight
        return float(((error @ second) * error).sum(dtype=torch.float64))

    return min((rounded_in(activation_aware(inputs, alpha), weight, grid) for alpha in ALPHAS), key=off)


def smoothing(weight: torch.Tensor, inputs: torch.Tensor, strength: float = STRENGTH) -> Change:
    """
    Xiao et al. 2023, arXiv 2211.10438, equation 4: s = max |x|^α / max |w|^(1 − α), for each input. Activations become
    even and weights less so: made for rounding both.
    """
    largest = inputs.abs().amax(0).clamp(min=SMALLEST_SCALE).pow(strength)
    met = weight.abs().amax(0).clamp(min=SMALLEST_SCALE).pow(1 - strength)
    return scaling((largest / met).clamp(min=SMALLEST_SCALE), alpha=strength)


def smoothquant(weight: torch.Tensor, inputs: torch.Tensor, grid: Grid) -> Rounded:
    return rounded_in(smoothing(weight, inputs), weight, grid)
