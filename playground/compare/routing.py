"""
One module tree for several variants of a model: what they share runs once, what differs runs row by row.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn


def mixed(trees: Sequence[nn.Module]) -> Any:
    """
    One module tree whose row i computes what `trees[i]` computes.

    Where the trees hold the same tensors the first one's module stands; where they differ in a leaf or in a PEFT layer
    a RowRouter does. The modules themselves do the work, so any method that changes modules can take part.
    """
    first = trees[0]
    if all(_same(first, tree) for tree in trees):
        return first
    alike = all(type(tree) is type(first) for tree in trees)
    if not alike or not first._modules or isinstance(first, BaseTunerLayer):
        return RowRouter(trees)
    tree = copy.copy(first)
    tree._modules = {name: mixed([one.get_submodule(name) for one in trees]) for name in first._modules}
    return tree


def _same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules compute the same because they are one, or are alike over the very same tensors."""
    if one is other:
        return True
    if type(one) is not type(other) or any(isinstance(part, BaseTunerLayer) for part in one.modules()):
        return False
    own, others = list(one.parameters()), list(other.parameters())
    return len(own) == len(others) and all(a is b for a, b in zip(own, others, strict=True))


class RowRouter(nn.Module):
    """Stands for one module of several trees: row i of the input goes through `variants[i]`, equal variants together."""

    def __init__(self, variants: Sequence[nn.Module]) -> None:
        super().__init__()
        self.groups: list[tuple[list[int], nn.Module]] = []
        for row, variant in enumerate(variants):
            for rows, module in self.groups:
                if _same(module, variant):
                    rows.append(row)
                    break
            else:
                self.groups.append(([row], variant))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (rows, positions[, inputs]) → (rows, positions, outputs)."""
        whole: torch.Tensor | None = None
        for rows, module in self.groups:
            part = module(x[rows])
            if whole is None:
                whole = part.new_empty(len(x), *part.shape[1:])
            whole[rows] = part
        assert whole is not None
        return whole
