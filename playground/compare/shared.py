"""
Linear layers of several variants over one weight: every row is multiplied with it at once, and each adds what is its own.

What LoRA, DoRA and IA3 do to a layer y = Wx + b is one formula,
after · (W (before · x) + b + scaling · up(down(x))) + offset:

- LoRA (Hu et al. 2021): down = A, up = B;
- DoRA (Liu et al. 2024), m = magnitude / ‖W + scaling · BA‖ by rows: the same, and after = m, offset = (1 − m) · b;
- IA3 (Liu et al. 2022): before = l in front of a feed-forward layer, after = l behind any other.

Knows neither rows nor trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.ia3 import IA3Layer
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.variants import DoraLinearVariant
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers.pytorch_utils import Conv1D

from playground.compare.layout import Layout, Slots
from playground.model.weights import weight_of


class ApartError(Exception):
    """These variants cannot share a tree: each has to run through its own."""


def share(one: nn.Module, other: nn.Module) -> bool:
    """Whether two linear layers, adapted by PEFT or not, differ only in what Own can say."""
    bases = multiplier(one), multiplier(other)
    return None not in bases and _held(bases[0]) == _held(bases[1])


def multiplier(module: nn.Module) -> Any:
    """
    The layer that multiplies with the weight; None where what is done around it is not known. Not one in int8:
    bitsandbytes takes columns of outliers out for all rows together.
    """
    base: Any = module.get_base_layer() if isinstance(module, BaseTunerLayer) else module
    if not isinstance(base, nn.Linear | Conv1D) or type(base.weight).__name__ == "Int8Params":
        return None
    return base if base is module or _known(module) else None


def _held(base: nn.Module) -> tuple[type, list[int]]:
    return type(base), [id(tensor) for tensor in (*base._parameters.values(), *base._buffers.values())]


def _known(module: Any) -> bool:
    """Whether PEFT's layer does what the formula says: LoRA, DoRA or IA3 around a linear layer, one adapter, not merged."""
    if type(module).__name__ not in ("Linear", "Linear4bit") or module.disable_adapters or module.merged:
        return False
    if isinstance(module, IA3Layer):
        return list(module.active_adapters) == list(module.ia3_l)
    if not isinstance(module, LoraLayer) or list(module.active_adapters) != list(module.lora_A):
        return False
    return len(module.lora_A) == 1 and all(
        module.lora_B[name].bias is None and isinstance(module.lora_variant.get(name), DoraLinearVariant | None)
        for name in module.lora_A
    )


@dataclass(frozen=True)
class Own:
    """What a variant does around the product with the weight; None: nothing."""

    before: torch.Tensor | None = None  # (in,)
    after: torch.Tensor | None = None  # (out,)
    offset: torch.Tensor | None = None  # (out,)
    down: torch.Tensor | None = None  # (rank, in)
    up: torch.Tensor | None = None  # (out, rank)
    scaling: float = 1.0

    @classmethod
    def of(cls, module: Any) -> Own:
        """What a layer with a `multiplier` does."""
        if isinstance(module, IA3Layer):
            (factors,) = (one.flatten() for one in module.ia3_l.values())
            return cls(before=factors) if module.is_feedforward else cls(after=factors)
        if isinstance(module, LoraLayer):
            (name,) = module.lora_A
            layers: Any = module.lora_A[name], module.lora_B[name]
            (a, b), scaling = (layer.weight for layer in layers), module.scaling[name]
            if name not in module.lora_variant:
                return cls(down=a, up=b, scaling=scaling)
            base: Any = module.get_base_layer()
            weight, magnitude = weight_of(base, "").to(a), module.lora_magnitude_vector[name].weight
            m = magnitude / (weight + scaling * (b.detach() @ a.detach())).norm(
                dim=1
            )  # no gradient: as section 4.3 of the paper
            offset = None if base.bias is None else (1 - m) * base.bias
            return cls(after=m, offset=offset, down=a, up=b, scaling=scaling)
        return cls()


FEW = 8  # rows that have their low ranks side by side in any case; more of them, where hardly any two share one


@dataclass(frozen=True)
class _Rows:
    """What the rows of a layout do around the product; None: none of them does such a thing."""

    count: int
    before: torch.Tensor | None = None  # (rows, 1, in)
    after: torch.Tensor | None = None  # (rows, 1, out)
    offset: torch.Tensor | None = None  # (rows, 1, out)
    low: tuple[torch.Tensor, torch.Tensor] | None = None  # A and scaling · B of each row, or variant if there are slots
    slots: Slots | None = None


class SharedProduct(nn.Module):
    """
    Stands for linear layers that share a weight. `places` are the numbers that their variants have in the layout, which says
    at every call which row is of which.
    """

    def __init__(self, variants: Sequence[nn.Module], places: tuple[int, ...], layout: Layout) -> None:
        super().__init__()
        self.own = [Own.of(variant) for variant in variants]
        self.base, self.places, self.layout = multiplier(variants[0]), places, layout
        self._laid: tuple[tuple[int, ...], _Rows] = (), _Rows(0)  # of a layout's rows; worked out when it has been set

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, …, in) to (rows, …, out), in the dtype that the layer gives."""
        index, rows = self._laid
        if index is not self.layout.index:
            rows = self._lay(x.device)
            self._laid = self.layout.index, rows
        shape = x.shape
        if shape[0] != rows.count:
            raise ApartError(f"an input of {shape[0]} rows for {rows.count}")
        if len(shape) != 3:
            x = x.reshape(shape[0], -1, shape[-1])
        product = y = self.base(x if rows.before is None else (x * rows.before).to(x.dtype))
        if rows.low is not None:
            y = _with_low_ranks(x, y, *rows.low, rows.slots)
        if rows.after is not None:
            y = y * rows.after
        if rows.offset is not None:
            y = y + rows.offset
        y = y.to(product.dtype)
        return y if len(shape) == 3 else y.reshape(*shape[:-1], -1)  # type: ignore[no-any-return]

    __call__ = forward  # torch's own way to it, by the hooks, takes as long as a small product

    def _lay(self, device: torch.device) -> _Rows:
        """What there is to do for the rows that the layout has now."""
        own = [self.own[self.places.index(variant)] for variant in self.layout.index if variant in self.places]
        before, after = stacked([one.before for one in own], 1.0), stacked([one.after for one in own], 1.0)
        offset = stacked([one.offset for one in own], 0.0)
        low = [place for place, one in zip(self.places, self.own, strict=True) if one.down is not None]
        if not any(one.down is not None for one in own):
            return _Rows(len(own), before, after, offset)
        if len(own) <= max(FEW, 2 * len(low)):
            return _Rows(len(own), before, after, offset, _low_ranks(own))
        ranks = _low_ranks([one for one in self.own if one.down is not None])
        return _Rows(len(own), before, after, offset, ranks, self.layout.slots(self.places, tuple(low), device))


def _with_low_ranks(x: torch.Tensor, y: torch.Tensor, down: torch.Tensor, up: torch.Tensor, slots: Slots | None) -> Any:
    """y + up(down(x)), written into y where the dtypes are the same: each row by its own, or by that of its variant."""
    x = x.to(down.dtype)
    if slots is None:
        return y.to(down.dtype).baddbmm_(torch.bmm(x, down), up)
    own = x[slots.row].reshape(len(down), -1, x.shape[-1])
    added = torch.bmm(torch.bmm(own, down), up).reshape(len(slots.row), *y.shape[1:])
    return y.to(added.dtype).index_add(0, slots.rows, added[slots.slot])


def stacked(own: Sequence[torch.Tensor | None], neutral: float) -> torch.Tensor | None:
    """(variants, 1, features) of what each has; `neutral` where one has nothing. None if none has anything."""
    like = next((one for one in own if one is not None), None)
    if like is None:
        return None
    return torch.stack([torch.full_like(like, neutral) if one is None else one for one in own])[:, None]


def _low_ranks(own: Sequence[Own]) -> tuple[torch.Tensor, torch.Tensor]:
    """
    A as (len(own), in, rank), scaling · B as (len(own), rank, out), of the highest rank: others end in zeros, and where
    one has none, zeros are all.
    """
    there: list[Any] = [one for one in own if one.down is not None]
    rank, (_, inside), (outside, _) = max(len(one.down) for one in there), there[0].down.shape, there[0].up.shape
    down, up = there[0].down.new_zeros(len(own), inside, rank), there[0].up.new_zeros(len(own), rank, outside)
    for place, one in enumerate(own):
        if one.down is not None and one.up is not None:
            down[place, :, : len(one.down)] = one.down.t()
            up[place, : len(one.down)] = one.scaling * one.up.t()
    return down, up
