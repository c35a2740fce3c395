"""
The mask of a token that is being written as torch's attention wants it in the end: numbers to be added to the scores.
From a mask of booleans each layer would make them anew, on a GPU with five kernels. Knows neither rows nor trees.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

ALIGNED = 16  # numbers from row to row, else torch's memory-efficient attention copies the mask


def added(*arguments: Any, **named: Any) -> torch.Tensor | None:
    """transformers' `sdpa_mask`; for one position, (rows, 1, 1, positions), it has 0 where that saw True, else −∞."""
    mask = sdpa_mask(*arguments, **named)
    if mask is None or mask.shape[-2] != 1:
        return mask
    *rows, positions = mask.shape
    room = torch.full((*rows, -(-positions // ALIGNED) * ALIGNED), -torch.inf, dtype=named["dtype"], device=mask.device)
    return room[..., :positions].masked_fill_(mask, 0.0)


AttentionMaskInterface.register("sdpa", added)  # which is how transformers lets it be replaced
