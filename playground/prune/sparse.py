"""
Single weights set to zero: the smallest, or the least useful by Wanda; anywhere, or two of every four side by side.

The matrices keep their shape, so a plain product takes as long as before and a file as many bytes; `packed_bytes` says what
a format that leaves zeros out would take.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from playground.errors import PlaygroundError
from playground.model.modules import linear_layers, sides, upright
from playground.model.pruning import Pruning
from playground.prune.importance import read_of
from playground.prune.readings import Windows, input_norms

GROUP, ZEROS = 4, 2  # NVIDIA's 2:4: at least two of every four neighbours are zero


def thin(model: PreTrainedModel, pruning: Pruning, calibration: Windows = ()) -> int:
    """
    Zero weights of the linear layers of a private view, in place; how many. `magnitude` compares |w| all over a matrix,
    `wanda` |w| ‖x‖₂ within every output's row, with x its input over the calibration text (Sun et al. 2023, arXiv
    2306.11695), and a 2:4 pattern either of them within four inputs of a row. Raises PlaygroundError for a width that four
    does not divide.
    """
    layers = linear_layers(model)
    wanda = pruning.rule == "wanda"
    norms = input_norms(model, list(layers), read_of(calibration)) if wanda else {}
    zeroed = 0
    for path, layer in layers.items():
        weight = upright(layer, layer.weight.detach())
        scores = weight.abs()
        if wanda:
            scores = scores * norms[path].to(scores)
        if pruning.kind == "pattern":
            gone = two_of_four(scores, path)
        elif wanda:
            gone = smallest(scores, pruning.removed(sides(layer)[0]))
        else:
            gone = smallest(scores.flatten()[None], pruning.removed(scores.numel())).view_as(scores)
        layer.weight = nn.Parameter(upright(layer, weight.masked_fill(gone, 0)).contiguous(), requires_grad=False)
        zeroed += int(gone.sum()) if gone.device.type != "meta" else 0
    return zeroed


def smallest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Where the `count` smallest of every row are, (rows, columns) bool."""
    places = scores.topk(count, dim=1, largest=False).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, places, value=True)


def two_of_four(scores: torch.Tensor, path: str = "") -> torch.Tensor:
    """Where the two smallest of every four neighbours in a row are, (rows, columns) bool."""
    rows, columns = scores.shape
    if columns % GROUP:
        raise PlaygroundError("not_in_fours", module=path, inputs=columns)
    return smallest(scores.reshape(-1, GROUP), ZEROS).view(rows, columns)


def packed_bytes(weights: int, zeros: int, itemsize: int) -> int:
    """
    What so many weights take without their zeros: the others, and a bit a weight that says where they are. It is the same
    for 2:4, whose hardware keeps two bits for each of the two that stay of four.
    """
    return (weights - zeros) * itemsize + math.ceil(weights / 8)


def zeros_of(model: PreTrainedModel) -> tuple[int, int]:
    """(weights, zeros) of the linear layers."""
    held: list[Any] = [layer.weight for layer in linear_layers(model).values()]
    return sum(one.numel() for one in held), sum(int((one == 0).sum()) for one in held)
