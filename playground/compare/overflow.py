"""
Where a model's numbers leave the range of float32, row by row. Knows neither answers nor adapters.

Infinity and NaN reach the logits, but a square that overflows in a norm does not: what is divided by infinity is zero,
and the logits are finite and mean nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from playground.compare.routing import RowRouter

OVERFLOW = "overflow"  # why an answer ends
KEPT = 2**16  # entries of what a norm is handed that are kept until all is looked at in one go: a token or few


def norms_of(tree: nn.Module) -> list[nn.Module]:
    return [module for module in tree.modules() if _is_norm(module)]


@contextmanager
def watched(norms: Sequence[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """While it lasts: what every norm was handed, (rows, …, features) each; where that is much, its greatest lengths."""
    seen: list[torch.Tensor] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs:
            x = inputs[0].detach()
            seen.append(x if x.numel() <= KEPT else _longest(x)[:, None])

    handles = [module.register_forward_pre_hook(look) for module in norms]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def overflowing(seen: Sequence[torch.Tensor], rows: int) -> torch.Tensor:
    """Which of so many rows overflow, (rows,) on the CPU, in what `watched` has seen or in other tensors with such rows."""
    alike = defaultdict(list)  # which are looked at together
    for one in seen:
        if len(one) == rows:  # tokens that were handed out to experts stand elsewhere
            alike[one.shape, one.dtype].append(one)
    if not alike:
        return torch.zeros(rows, dtype=torch.bool)
    return ~torch.stack([_longest(torch.stack(group, dim=1)) for group in alike.values()]).cpu().isfinite().all(0)


def _longest(x: torch.Tensor) -> torch.Tensor:
    """
    The greatest length of a row's vectors: (rows, …, features) to (rows,). It overflows where the sum of squares does, which
    transformers' norms take in float32.
    """
    lengths: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, dtype=torch.float32)
    return lengths.flatten(1).amax(-1) if lengths.dim() > 1 else lengths


def _is_norm(module: nn.Module) -> bool:
    stands_for = module.groups[0][1] if isinstance(module, RowRouter) else module
    return "norm" in type(stands_for).__name__.lower() and not stands_for._modules
