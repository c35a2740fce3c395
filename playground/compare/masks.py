"""
The mask of a token that is being written as torch's attention wants it in the end: numbers to be added to the scores.
From a mask of booleans each layer would make them anew, on a GPU with five kernels. Knows neither rows nor trees.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionMaskInterface
from transformers.masking_utils import causal_mask_function, sdpa_mask

ALIGNED = 16  # numbers from row to row, else torch's memory-efficient attention copies the mask


def added(*, q_length: int, mask_function: Any, attention_mask: torch.Tensor | None, **named: Any) -> torch.Tensor | None:
    """transformers' `sdpa_mask`; for one position, (rows, 1, 1, positions), it has 0 where that saw True, else −∞."""
    mask: torch.Tensor | None
    last = q_length == 1 and mask_function is causal_mask_function
    if last and attention_mask is not None and attention_mask.shape[1] == named["kv_length"]:
        skipped = named["allow_is_causal_skip"] and bool(attention_mask.all())
        mask = None if skipped else attention_mask[:, None, None]  # it sees all that are there
    else:
        mask = sdpa_mask(q_length=q_length, mask_function=mask_function, attention_mask=attention_mask, **named)
    if mask is None or q_length != 1:
        return mask
    *rows, positions = mask.shape
    room = torch.full((*rows, -(-positions // ALIGNED) * ALIGNED), -torch.inf, dtype=named["dtype"], device=mask.device)
    return room[..., :positions].masked_fill_(mask, 0.0)


AttentionMaskInterface.register("sdpa", added)  # which is how transformers lets it be replaced
