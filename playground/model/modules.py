"""
The modules of a decoder by their paths: which are linear layers, what kind they are, which layer they lie in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def linear_layers(model: PreTrainedModel) -> dict[str, Any]:
    """The linear layers of the decoder by their paths, without the output head: what bitsandbytes quantizes too."""
    from torch import nn

    head = model.get_output_embeddings()
    return {path: one for path, one in model.named_modules() if isinstance(one, nn.Linear) and one is not head}


def kind_of(module: str) -> str:
    return module.rpartition(".")[2]


def layer_of(module: str) -> int | None:
    """The number of the layer that a module lies in; None outside of the layers."""
    found = re.search(r"\.(\d+)\.", module)
    return int(found[1]) if found else None
