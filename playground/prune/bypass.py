"""
Attention left out of layers: what passes them goes on as it came, and their MLPs stay.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from playground.model.pruning import Pruning
from playground.prune.blocks import attending_blocks
from playground.prune.importance import attentions, least
from playground.prune.readings import Windows


class Nothing(nn.Module):
    """
    In the place of an attention: adds nothing, holds nothing. In the cache it leaves one number a position, so that who asks
    there how much has been read is told the same of every layer.
    """

    def __init__(self, layer_idx: int) -> None:
        super().__init__()
        self.layer_idx = layer_idx

    def forward(self, hidden_states: torch.Tensor, *given: Any, past_key_values: Any = None, **named: Any) -> Any:
        """(batch, tokens, width) → zeros of that shape, and no weights."""
        if past_key_values is not None:
            place = hidden_states.new_zeros(len(hidden_states), 1, hidden_states.shape[1], 1)
            past_key_values.update(place, place, self.layer_idx)
        return torch.zeros_like(hidden_states), None


def bypass(model: PreTrainedModel, pruning: Pruning, calibration: Windows = ()) -> tuple[int, ...]:
    """
    Take attentions out of a private view, in place; the numbers of the layers that keep theirs. No config of transformers
    has a name for that. All of them are ranked at once, by what the whole model reads.
    """
    found = attending_blocks(model)
    count = pruning.removed(len(found))
    if pruning.rule == "last":
        gone = set(range(len(found) - count, len(found)))
    else:
        gone = set(least(attentions(model, calibration), count).tolist())
    for place in gone:
        model.set_submodule(found[place].attention, Nothing(place))
    return tuple(place for place in range(len(found)) if place not in gone)
