"""
What a pruning takes from each layer, one number a layer: where neurons or weights go, the share of what the layer had; where
whole layers or attentions go, how much each of them changes what passes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from playground.model.bases import Base
from playground.model.modules import linear_layers
from playground.model.pruning import Pruning
from playground.prune import importance
from playground.prune.blocks import blocks, gated_blocks
from playground.prune.form import calibration_of

WHOLE = {"depth": importance.layers, "bypass": importance.attentions}  # kinds that leave whole parts out


@dataclass(frozen=True)
class Taken:
    """
    `values` of the layers in their order: the share from 0 to 1 of a layer's importance, or of its |w|, that goes; or
    1 − cosine of what goes in and out, and then `gone` are the layers that lose the whole part.
    """

    values: tuple[float, ...]
    gone: tuple[int, ...] = ()


def taken(plain: Base, left: Base, pruning: Pruning) -> Taken:
    """What a pruning took from a base, of which `left` is left. Raises PlaygroundError as `prune`."""
    if pruning.kind in WHOLE:
        values = WHOLE[pruning.kind](plain.model, calibration_of(plain))
        count = pruning.removed(len(values))
        last = range(len(values) - count, len(values))
        gone = last if pruning.rule == "last" else importance.least(values, count).tolist()
        return Taken(tuple(values.tolist()), tuple(gone))
    if pruning.kind == "width":
        rule = "max_min" if pruning.rule == "apart" else pruning.rule
        scores = importance.neurons(plain.model, rule, calibration_of(plain) if pruning.reads else ())
        count = pruning.removed(gated_blocks(plain.model)[0].gated(plain.model)[0].out_features)
        return Taken(tuple(float(one.sort().values[:count].sum() / one.sum()) for one in scores))
    before, after = ({path: _size(layer) for path, layer in linear_layers(one.model).items()} for one in (plain, left))
    paths = [[path for path in before if path.startswith(f"{block.path}.")] for block in blocks(plain.model)]
    return Taken(tuple(1 - sum(after[path] for path in inside) / sum(before[path] for path in inside) for inside in paths))


@torch.no_grad()
def _size(layer: Any) -> float:
    return float(layer.weight.abs().sum(dtype=torch.float64))
