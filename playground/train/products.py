"""
With what a run multiplies: float32, or bfloat16 where that was measured to be much faster on this machine.

What is trained, its gradients and its optimizer stay float32, and so does everything but the products of frozen layers. A
soft prompt is trained in float32 altogether: rounding moved the held-out loss of a default run by up to 0.06, that of LoRA
and IA3 by less than 0.01 (tests/benchmarks/results/training.md).
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


def products_of(base: Base | None) -> tuple[Mapping[torch.Tensor, torch.Tensor], str]:
    """
    The copies in bfloat16 of a base's weights that `kernels.halved` multiplies with, none where float32 is to be had; and
    what the products of frozen layers are computed in. None: float32 whatever was measured.
    """
    size = kernels.halved_bytes(base.model) if base else 0
    if base is None or not 0 < size <= SHARE * memory.total():
        return {}, "float32"
    found: dict[torch.Tensor, torch.Tensor] | None = STORE.find(("halves", base))
    if found is None:
        found = kernels.halves(base.model)
        STORE.keep(("halves", base), found, size, of=(base,))
    return found, "bfloat16"
