"""
Tiny models for pruning, and a text that they read.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.families import one_thread as one_thread


@pytest.fixture
def text() -> list[torch.Tensor]:
    """Two windows of 24 ids."""
    return list(torch.randint(1, 250, (2, 24), generator=torch.Generator().manual_seed(0)))


def zero_neurons(model: Any, dead: list[int]) -> None:
    """Some neurons of every gated MLP do nothing and hold nothing."""
    with torch.no_grad():
        for layer in model.model.layers:
            for one in (layer.mlp.gate_proj, layer.mlp.up_proj):
                one.weight[dead] = 0
            layer.mlp.down_proj.weight[:, dead] = 0


def silence(layer: Any) -> None:
    """A layer that hands on what it was handed."""
    with torch.no_grad():
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
