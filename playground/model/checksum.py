"""
A fingerprint of a model's weights, fast enough to check after every comparison that nothing was written.

Every value and its place count: what was moved, swapped or turned around is seen as well as what was changed. Imports no
torch before it has work to do. Knows nothing about bases.
"""

from __future__ import annotations

import hashlib
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

CHUNK = 1 << 24  # words that are widened at a time: 128 MB
ODD = 0x1E3779B97F4A7C15  # 2⁶⁰ or so, odd, without a pattern


def checksum(model: nn.Module) -> str:
    """
    Name, shape, type and bytes of every parameter. On a CPU the bytes count by their CRC-32, 0.1 s for the embedded base
    with two threads; elsewhere by `summed`, so that they stay where they are.
    """
    import torch

    named = list(model.named_parameters())
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # zlib lets other threads run meanwhile
        counted = pool.map(_counted, [parameter.detach().data for _, parameter in named])
    parts = [(name, tuple(one.shape), str(one.dtype), count) for (name, one), count in zip(named, counted, strict=True)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _counted(tensor: torch.Tensor) -> int:
    import torch

    flat = tensor.contiguous().flatten().view(torch.uint8)
    return zlib.crc32(flat.numpy().data) if tensor.device.type == "cpu" else summed(flat)


def summed(flat: torch.Tensor) -> int:
    """
    Σ wᵢ · wordᵢ mod 2⁶⁴ over the 32-bit words of `flat` (bytes,), with an odd weight for every place: one word that
    changes always changes it, a swap of two words or a change of many does but for a chance of 2⁻³² or less.
    """
    import torch

    whole = len(flat) // 4 * 4
    words = flat[:whole].clone() if flat.storage_offset() % 4 else flat[:whole]
    total, start = 0, 0
    for part in (*words.view(torch.int32).split(CHUNK), flat[whole:]):
        places = torch.arange(start, start + len(part), device=flat.device) * ODD
        total += int((part.long() * ((places ^ (places >> 29)) | 1)).sum())
        start += len(part)
    return total % (1 << 64)
