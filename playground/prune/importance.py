"""
Which neurons of a gated MLP matter, and which layers and attentions: numbers, the larger the more. A neuron is one row of
gate, the same row of up, and the same column of down.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from playground.errors import PlaygroundError
from playground.prune.blocks import Block, attending_blocks, blocks, gated_blocks
from playground.prune.readings import Windows, attention_changes, input_norms, layer_changes

Rule = Callable[[torch.Tensor], torch.Tensor]  # rows (neurons, width) → (neurons,)


def l1(rows: torch.Tensor) -> torch.Tensor:
    """Σ|w| of every row."""
    return rows.abs().sum(1)


def max_min(rows: torch.Tensor) -> torch.Tensor:
    """max + |min| of every row: the course's rule."""
    return rows.amax(1) + rows.amin(1).abs()


ROWS: dict[str, Rule] = {"l1": l1, "max_min": max_min}


def neurons(model: PreTrainedModel, rule: str, calibration: Windows = ()) -> list[torch.Tensor]:
    """
    Of every layer the importance of its neurons, (neurons,): by `l1` or `max_min` the sum of gate's row's and up's, by
    `activation` ‖hⱼ‖₂ ‖dⱼ‖₂, with hⱼ what neuron j hands to down over the calibration text and dⱼ its column there. That is
    the norm of all that it adds to the output, as Wanda's |w| ‖x‖₂ (Sun et al. 2023, arXiv 2306.11695) is of one weight.
    """
    found = gated_blocks(model)
    if rule == "activation":
        norms = input_norms(model, [block.down for block in found], read_of(calibration))
        columns = [block.gated(model)[2].weight.detach().norm(dim=0).double().cpu() for block in found]
        return [norms[block.down] * column for block, column in zip(found, columns, strict=True)]
    return [gate + up for gate, up in (by_rows(model, block, ROWS[rule]) for block in found)]


def by_rows(model: PreTrainedModel, block: Block, rule: Rule) -> tuple[torch.Tensor, torch.Tensor]:
    """What a rule says of gate's rows and of up's, (neurons,) each."""
    gate, up, _ = block.gated(model)
    return rule(gate.weight.detach()), rule(up.weight.detach())


def layers(model: PreTrainedModel, calibration: Windows) -> torch.Tensor:
    """1 − cosine of what goes in and out, (layers,)."""
    return layer_changes(model, blocks(model), read_of(calibration))


def attentions(model: PreTrainedModel, calibration: Windows) -> torch.Tensor:
    """The same around attention alone, (layers,)."""
    return attention_changes(model, attending_blocks(model), read_of(calibration))


def read_of(calibration: Windows) -> Windows:
    """Raises PlaygroundError if there is no text to read."""
    if not len(calibration):
        raise PlaygroundError("no_calibration")
    return calibration


def least(importance: torch.Tensor, count: int) -> torch.Tensor:
    """The places of the `count` least important, in their order; of equals the first."""
    return importance.argsort(stable=True)[:count].sort().values


def rest(importance: torch.Tensor, count: int) -> torch.Tensor:
    """The places of all others, in their order."""
    return importance.argsort(stable=True)[count:].sort().values
