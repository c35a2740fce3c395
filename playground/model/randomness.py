"""
Random numbers that are drawn apart from everybody else's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def drawn_apart(device: torch.device) -> AbstractContextManager[None]:
    """
    Whatever is drawn or seeded within changes nothing outside: neither on the processor nor on this device. Others are left
    alone: on a Space that is lent its GPU, the page must not touch it.
    """
    from torch.random import fork_rng

    return fork_rng([device] if device.type == "cuda" else [])
