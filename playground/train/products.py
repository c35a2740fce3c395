"""
With what a run multiplies: float32, or bfloat16 where that was measured to be much faster on this machine.

What is trained, its gradients and its optimizer stay float32, and so does everything but the products of frozen layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from playground.model import kernels, memory
from playground.model.memory import STORE

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base

SHARE = 1 / 20  # of the machine's memory: what the copies may take. No run depends on what else is kept at the moment


def precision(halves: Mapping[torch.Tensor, torch.Tensor]) -> str:
    """What the products of frozen layers are computed in."""
    return "bfloat16" if halves else "float32"


def halves_of(base: Base) -> Mapping[torch.Tensor, torch.Tensor]:
    """The copies in bfloat16 of a base's weights that `kernels.halved` multiplies with; none where float32 is to be had."""
    key = "halves", base
    found: dict[torch.Tensor, torch.Tensor] | None = STORE.find(key)
    if found is None:
        if kernels.halved_bytes(base.model) > SHARE * memory.total():
            return {}
        found = kernels.halves(base.model)
        if found:
            STORE.keep(key, found, sum(half.nbytes for half in found.values()), of=(base,))
    return found
