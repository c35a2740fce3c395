"""
Narrower MLPs: of every layer the least important neurons go, from gate, up and down together; and the wrong way beside it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from playground.model.pruning import Pruning
from playground.prune.blocks import gated_blocks
from playground.prune.importance import by_rows, max_min, neurons, rest
from playground.prune.readings import Windows


def narrow(model: PreTrainedModel, pruning: Pruning, calibration: Windows = ()) -> tuple[tuple[int, ...], ...]:
    """
    Leave neurons out of a private view, in place, and say so in its config; of every layer the neurons that stay (gate's).

    `apart` is the mistake: gate and up keep what is important in each. Row i of one then multiplies row i of the other,
    which belonged to another neuron, and down reads products that it has never seen.
    """
    found = gated_blocks(model)
    width = found[0].gated(model)[0].out_features
    count = pruning.removed(width)
    if pruning.rule == "apart":
        scores = [by_rows(model, block, max_min) for block in found]
    else:
        scores = [(one, one) for one in neurons(model, pruning.rule, calibration)]
    kept = []
    for block, (of_gate, of_up) in zip(found, scores, strict=True):
        gate, up, down = block.gated(model)
        stay = rest(of_gate, count).to(gate.weight.device)
        _keep_rows(gate, stay)
        _keep_rows(up, rest(of_up, count).to(up.weight.device))
        _keep_columns(down, stay)
        mlp: Any = model.get_submodule(block.gate.rpartition(".")[0])
        if hasattr(mlp, "intermediate_size"):
            mlp.intermediate_size = width - count
        kept.append(stay)
    model.config.get_text_config().intermediate_size = width - count
    return tuple(tuple(one.tolist()) if one.device.type != "meta" else () for one in kept)


def _keep_rows(layer: Any, rows: torch.Tensor) -> None:
    layer.weight = _parameter(layer.weight.index_select(0, rows))
    if layer.bias is not None:
        layer.bias = _parameter(layer.bias.index_select(0, rows))
    layer.out_features = len(rows)


def _keep_columns(layer: Any, columns: torch.Tensor) -> None:
    layer.weight = _parameter(layer.weight.index_select(1, columns))
    layer.in_features = len(columns)


def _parameter(tensor: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach().contiguous(), requires_grad=False)
