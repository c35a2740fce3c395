"""
Where a model's numbers leave the range of float32, row by row. Knows neither answers nor adapters.

Infinity and NaN reach the logits, but a square that overflows in a norm does not: what is divided by infinity is zero,
and the logits are finite and mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from playground.compare.routing import RowRouter

OVERFLOW = "overflow"  # why an answer ends


def norms_of(tree: nn.Module) -> list[nn.Module]:
    return [module for module in tree.modules() if _is_norm(module)]


@contextmanager
def watched(norms: Sequence[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """While it lasts: the greatest length of what every norm was handed, (rows,) each."""
    seen: list[torch.Tensor] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs:  # a length overflows where the sum of squares does, which transformers' norms take in float32
            lengths = torch.linalg.vector_norm(inputs[0].detach(), dim=-1, dtype=torch.float32)
            seen.append(lengths.flatten(1).amax(-1) if lengths.dim() > 1 else lengths)

    handles = [module.register_forward_pre_hook(look) for module in norms]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def overflowing(seen: list[torch.Tensor], rows: int) -> torch.Tensor:
    """Which of so many rows overflow in a norm, (rows,) on the CPU, from what `watched` has seen."""
    whole = [one for one in seen if len(one) == rows]  # tokens that were handed out to experts stand elsewhere
    return ~torch.stack(whole).isfinite().all(0).cpu() if whole else torch.zeros(rows, dtype=torch.bool)


def _is_norm(module: nn.Module) -> bool:
    stands_for = module.groups[0][1] if isinstance(module, RowRouter) else module
    return "norm" in type(stands_for).__name__.lower() and not stands_for._modules
