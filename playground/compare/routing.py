"""
One module tree for several variants of a model: what they share runs once, what differs runs row by row.

This holds for a step of writing, in which every row has one token: row i of whatever a module is handed, flattened or
not, is token i. Where a difference cannot be told apart by rows (it lies in a module that keeps a state between steps,
or that others reach into), ApartError is raised, and each variant has to run through its own tree. Knows neither answers nor
adapters.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from playground.compare.layout import Layout
from playground.compare.shared import ApartError, SharedProduct, share

PLAIN = (type(None), bool, int, float, str, torch.dtype, torch.device)  # what an argument may be besides tensors


def mixed(trees: Sequence[nn.Module], layout: Layout | None = None) -> Any:
    """
    One module tree each of whose rows computes what one of `trees` computes: which one, the layout says at every call;
    without one, row i is of `trees[i]`.

    Where the trees hold the same tensors the first one's module stands; where they differ in what a module itself
    holds, in a PEFT layer or in experts a RowRouter does, or a SharedProduct where all are linear layers over one weight.
    Whatever a SharedProduct does not know, the modules themselves do, so any method that changes modules can take part.
    Raises ApartError where a RowRouter could not tell the rows.
    """
    first, layout = trees[0], layout or Layout(range(len(trees)))
    if all(same(first, tree) for tree in trees):
        return first
    if not all(alike(first, tree) for tree in trees) or hands_out_tokens(trees):
        router = RowRouter(trees, layout)
        return router if len(router.groups) > 1 else router.groups[0][1]
    tree = copy.copy(first)
    tree._modules = {name: _child(trees, name, layout) for name in first._modules}
    return tree


def _child(trees: Sequence[nn.Module], name: str, layout: Layout) -> Any:
    children: list[Any] = [tree._modules[name] for tree in trees]
    return mixed(children, layout) if children[0] is not None else None


def alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules can differ only below: neither is PEFT's, and what they hold themselves is the very same."""
    if type(one) is not type(other) or isinstance(one, BaseTunerLayer):
        return False
    children = [[(name, child is None) for name, child in tree._modules.items()] for tree in (one, other)]
    return children[0] == children[1] and _held(one) == _held(other)


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules compute the same because they are one, or are alike over the very same tensors."""
    if one is other:
        return True
    return alike(one, other) and all(
        child is None or same(child, other._modules[name])  # type: ignore[arg-type]
        for name, child in one._modules.items()
    )


def _held(module: nn.Module) -> list[tuple[str, int]]:
    """What a module holds itself, without its children: parameters and buffers, each by name and identity."""
    return [(name, id(tensor)) for own in (module._parameters, module._buffers) for name, tensor in own.items()]


def hands_out_tokens(trees: Sequence[nn.Module]) -> bool:
    """
    Whether the trees differ in children that they may hand their tokens in another order: experts, as tensors of three
    dimensions or as lists of modules. Lists of layers, which keep a state, get the whole batch.
    """
    return any(
        _sorts(child) and not all(same(child, tree._modules[name]) for tree in trees)  # type: ignore[arg-type]
        for name, child in trees[0]._modules.items()
        if child is not None
    )


def _sorts(child: nn.Module) -> bool:
    if isinstance(child, nn.ModuleList):
        return not any(_keeps_state(one) for one in child)
    own = child.get_base_layer() if isinstance(child, BaseTunerLayer) else child
    return any(parameter is not None and parameter.dim() > 2 for parameter in own._parameters.values())


def _keeps_state(module: nn.Module) -> bool:
    """Whether a module, or one below it, is handed what it has to remember from step to step: a cache of all rows."""
    return any(_takes_cache(type(one)) for one in module.modules())  # type: ignore[arg-type]


@cache
def _takes_cache(kind: type[nn.Module]) -> bool:
    names = inspect.signature(kind.forward).parameters
    return any(name.startswith(("past", "layer_past", "cache", "state")) and not name.endswith("length") for name in names)


def scaled_from(tree: nn.Module) -> float:
    """
    How many positions a batch may have before the rotary embedding of all its rows changes with the longest of them
    (transformers' "dynamic" and "longrope"); infinity where it never does.
    """
    limits = [math.inf]
    for module in tree.modules():
        kinds: Any = getattr(module, "rope_type", None)
        for kind in kinds.values() if isinstance(kinds, dict) else [kinds]:
            if kind == "longrope":  # the limit of each layer type, or 0: always apart
                limits.append(module.config.rope_parameters.get("original_max_position_embeddings", 0))  # type: ignore
            elif kind and "dynamic" in kind:
                limits.append(module.original_max_seq_len)  # type: ignore[arg-type]
    return min(limits)


class RowRouter(nn.Module):
    """
    Stands for one module of several trees: a row goes through that of its own tree; equal ones go together, and those that
    share a product. Raises ApartError if one keeps a state between steps; while running, if it is handed or returns what
    has no rows.
    """

    def __init__(self, variants: Sequence[nn.Module], layout: Layout | None = None) -> None:
        super().__init__()
        if any(_keeps_state(variant) for variant in variants):
            raise ApartError(f"{type(variants[0]).__name__} keeps a state")
        self.layout = layout or Layout(range(len(variants)))
        places: list[list[int]] = []
        for place, variant in enumerate(variants):
            own = (group for group in places if same(variants[group[0]], variant) or share(variants[group[0]], variant))
            if (group := next(own, None)) is None:
                places.append([place])
            else:
                group.append(place)
        self.groups = [(tuple(group), self._one([variants[place] for place in group], tuple(group))) for group in places]

    def _one(self, variants: Sequence[nn.Module], places: tuple[int, ...]) -> nn.Module:
        """What stands for variants that are the same, or share a product."""
        alike = all(same(variants[0], variant) for variant in variants)
        return variants[0] if alike else SharedProduct(variants, places, self.layout)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Whatever the variants take: tensors of one row each (or of one for all), alone, in tuples, lists or dicts."""
        found = _tensors((inputs, named))
        if not any(tensor.dim() and len(tensor) == self.layout.count for tensor in found):
            raise ApartError("no input has a row for each variant")
        parts, of_whom = [], []
        for places, module in self.groups:
            rows = self.layout.rows(places, found[0].device)
            if len(rows):
                own, own_named = _map(partial(self._taken, rows=rows), (inputs, named))
                parts.append(module(*own, **own_named))
                of_whom.append(rows)
        return _map(partial(self._joined, of_whom), *parts)

    def _taken(self, tensor: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Its `rows`; a tensor with one row, or without any, belongs to all."""
        if tensor.dim() and len(tensor) == self.layout.count:
            return tensor[rows]
        if tensor.dim() and len(tensor) != 1:
            raise ApartError(f"an input of {len(tensor)} rows for {self.layout.count}")
        return tensor

    def _joined(self, of_whom: Sequence[torch.Tensor], *parts: torch.Tensor) -> torch.Tensor:
        """One tensor with all rows in their order, of what each group gave."""
        whole = parts[0].new_empty(self.layout.count, *parts[0].shape[1:]) if parts[0].dim() else parts[0]
        for rows, part in zip(of_whom, parts, strict=True):
            if part.shape[1:] != whole.shape[1:] or not part.dim() or len(part) not in (1, len(rows)):
                raise ApartError(f"an output of shape {tuple(part.shape)} for {len(rows)} rows")
            whole[rows] = part
        return whole

    def __getattr__(self, name: str) -> Any:
        """What others read of a variant, its weight say, is not one for all rows."""
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            if name.startswith("_"):
                raise
            raise ApartError(f"{name} is read of a module that differs by rows") from error


def _tensors(value: Any) -> list[torch.Tensor]:
    """The tensors of a nested value."""
    found: list[torch.Tensor] = []
    _map(lambda tensor: found.append(tensor) or tensor, value)  # type: ignore[func-returns-value]
    return found


def _map(function: Any, *values: Any) -> Any:
    """`function` of the tensors at the same places of nested values, in the first one's shape. Raises ApartError."""
    first = values[0]
    if any(type(value) is not type(first) for value in values):
        raise ApartError("what the variants return is of different types")
    if isinstance(first, torch.Tensor):
        return function(*values)
    if isinstance(first, Mapping | tuple | list) and any(len(value) != len(first) for value in values):
        raise ApartError("what the variants return is of different lengths")
    if isinstance(first, Mapping):  # also transformers' ModelOutput, which is a dataclass
        return type(first)(**{name: _map(function, *(value[name] for value in values)) for name in first})
    if isinstance(first, tuple | list):
        parts = [_map(function, *part) for part in zip(*values, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if isinstance(first, PLAIN) and all(value == first for value in values):
        return first
    raise ApartError(f"{type(first).__name__} has no rows")
