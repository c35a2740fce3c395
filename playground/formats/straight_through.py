"""
Quantization-aware training: rounding in the forward pass, the gradient straight through it, against rounding at the end.

    ŵ = round trip(w)    ∂ŵ/∂w := 1    (Bengio et al. 2013, arXiv 1308.3432, section 4)

On a small layer that takes a second. Knows nothing about models beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from playground import settings
from playground.bounds import SEED, Bound
from playground.formats.format import Format, Layout
from playground.formats.registry import format_of

TOKENS, INPUTS, OUTPUTS = 512, 32, 8
CAUSES, NOISE = 4, 0.02  # the 32 inputs mix 4 causes, as activations do, and a little noise of their own
LEARNING_RATE = 0.01
FRAMES = 40  # that a study yields after step 0
STEPS = Bound("steps", 200, 1, settings.MAX_AWARE_STEPS)


class StraightThrough(torch.autograd.Function):
    """Forward a round trip, backward nothing: the gradient goes to the weights as if they had not been rounded."""

    @staticmethod
    def forward(weights: torch.Tensor, format: Format, layout: Layout) -> torch.Tensor:
        return format.round_trip(weights, layout).values

    @staticmethod
    def setup_context(ctx: object, inputs: tuple[torch.Tensor, Format, Layout], output: torch.Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradient, None, None


def fake_quantize(weights: torch.Tensor, format_id: str, layout: Layout | None = None) -> torch.Tensor:
    """The weights as the format keeps them, differentiable. Raises PlaygroundError as `Format.round_trip`."""
    format = format_of(format_id)
    layout = layout or format.layout
    rounded: torch.Tensor = StraightThrough.apply(weights, format, layout)  # type: ignore[no-untyped-call]  # torch's own
    return rounded


@dataclass(frozen=True)
class AwareStep:
    """
    Held-out errors (mean squares, 1: that of answering 0) after `step` of `steps`: of the float layer, of the same one
    rounded after training, and of the one trained rounded, from the same start with the same data and rate.
    """

    step: int
    steps: int
    float_loss: float
    rounded_after: float
    trained_rounded: float


def study(format_id: str, steps: int = 200, seed: int = 0, layout: Layout | None = None) -> Iterator[AwareStep]:
    """
    A layer y = W x, (8, 32), learns another one from inputs whose features resemble each other, so that one weight can
    make up for the rounding of another. Adam on the whole training set. Yields at step 0 and about FRAMES times.

    Raises PlaygroundError at the first `next`: unknown format or layout, steps or a seed out of range.
    """
    format = format_of(format_id)
    steps = STEPS.check(steps)
    inputs, targets, held_out, wanted, start = _problem(SEED.check(seed))
    layers = [start.clone().requires_grad_() for _ in range(2)]
    optimizers = [torch.optim.Adam([layer], lr=LEARNING_RATE) for layer in layers]
    plain, aware = layers

    def loss(weights: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ weights.T - y).square().mean() / y.square().mean()

    def rounded(weights: torch.Tensor) -> torch.Tensor:
        return fake_quantize(weights, format.id, layout)

    every = max(1, steps // FRAMES)
    for step in range(steps + 1):
        if step % every == 0 or step == steps:
            with torch.no_grad():
                found = [loss(weights, held_out, wanted).item() for weights in (plain, rounded(plain), rounded(aware))]
            yield AwareStep(step, steps, *found)
        if step == steps:
            return
        for optimizer, weights in zip(optimizers, (plain, rounded(aware)), strict=True):
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / steps)
            optimizer.zero_grad()
            loss(weights, inputs, targets).backward()
            optimizer.step()


def _problem(seed: int) -> tuple[torch.Tensor, ...]:
    """Inputs (tokens, in) and targets (tokens, out) to train on, the same to hold out, and a start (out, in)."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(CAUSES, INPUTS, generator=generator)
    inputs, held_out = (
        torch.randn(TOKENS, CAUSES, generator=generator) @ mix / CAUSES**0.5
        + NOISE * torch.randn(TOKENS, INPUTS, generator=generator)
        for _ in range(2)
    )
    teacher = torch.randn(OUTPUTS, INPUTS, generator=generator) / INPUTS**0.5
    start = torch.randn(OUTPUTS, INPUTS, generator=generator) / INPUTS**0.5
    return inputs, inputs @ teacher.T, held_out, held_out @ teacher.T, start
