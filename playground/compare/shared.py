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
from torch.nn.functional import linear, pad
from transformers.pytorch_utils import Conv1D

from playground.compare.layout import Layout
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


NARROW = 320  # rows × columns on a CPU up to which products with all variants at once are faster than batched ones


@dataclass(frozen=True)
class _ByRow:
    """What the rows of a layout take of their variants, (rows, 1, …) each, and in which columns of `down` others' lie."""

    count: int
    before: torch.Tensor | None
    after: torch.Tensor | None
    offset: torch.Tensor | None
    others: torch.Tensor | None  # None where there are too many columns for the rows


class SharedProduct(nn.Module):
    """
    Stands for linear layers that share a weight. `places` are the numbers that their variants have in the layout, which says
    at every call which row is of which.
    """

    def __init__(self, variants: Sequence[nn.Module], places: tuple[int, ...], layout: Layout) -> None:
        super().__init__()
        own = [_contained(Own.of(variant)) for variant in variants]
        self.base, self.places, self.layout = multiplier(variants[0]), places, layout
        self.before = stacked([one.before for one in own], 1.0)
        self.after = stacked([one.after for one in own], 1.0)
        self.offset = stacked([one.offset for one in own], 0.0)
        self.low = tuple(place for place, one in zip(places, own, strict=True) if one.down is not None)
        self.down, self.up = _low_ranks([one for one in own if one.down is not None])
        self._laid: tuple[tuple[int, ...], _ByRow] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, …, in) to (rows, …, out), in the dtype that the layer gives."""
        own = self._by_row(x.device)
        if len(x) != own.count:
            raise ApartError(f"an input of {len(x)} rows for {own.count}")
        flat = x.reshape(len(x), -1, x.shape[-1])
        product: torch.Tensor = self.base(flat if own.before is None else (flat * own.before).to(x.dtype))
        y = self._with_low_ranks(flat, product, own.others) if self.low else product
        y = y if own.after is None else y * own.after
        y = y if own.offset is None else y + own.offset
        return y.to(product.dtype).reshape(*x.shape[:-1], -1)

    def _by_row(self, device: torch.device) -> _ByRow:
        """Worked out anew when the layout has been set."""
        if self._laid is None or self._laid[0] is not self.layout.index:
            place = self.layout.places(self.places, device)
            parts = (None if part is None else part[place] for part in (self.before, self.after, self.offset))
            self._laid = self.layout.index, _ByRow(len(place), *parts, self._others(place))
        return self._laid[1]

    def _others(self, place: torch.Tensor) -> torch.Tensor | None:
        if not self.low or (place.device.type == "cpu" and len(place) * self.down[..., 0].numel() > NARROW):
            return None
        owner = torch.tensor([self.places.index(one) for one in self.low], device=place.device)
        return (owner.repeat_interleave(self.down.shape[1]) != place[:, None])[:, None]

    def _with_low_ranks(self, x: torch.Tensor, y: torch.Tensor, others: torch.Tensor | None) -> torch.Tensor:
        """
        y + up(down(x)) in the rows that have such, written into y where the dtypes are the same. With `others`, every row
        is multiplied with all variants, which are three kernels; else only with its own, batched by variant.
        """
        x = x.to(self.down.dtype)
        if others is not None:
            # filled, not multiplied with zeros: what another variant makes of this row may be infinite
            inner = linear(x, self.down.flatten(0, 1)).masked_fill_(others, 0.0)
            return y.to(inner.dtype).flatten(0, 1).addmm_(inner.flatten(0, 1), self.up.flatten(0, 1)).view(y.shape)
        slots = self.layout.slots(self.places, self.low, x.device)
        own = x[slots.row].reshape(len(self.low), -1, x.shape[-1])
        added = torch.bmm(torch.bmm(own, self.down.transpose(1, 2)), self.up).reshape(len(slots.row), *y.shape[1:])
        return y.to(added.dtype).index_add(0, slots.rows, added[slots.slot])


def _contained(own: Own) -> Own:
    """The same; where B is not finite, NaN outright, as zeros of other rows times such a B would be NaN in theirs."""
    if own.up is None or bool((own.scaling * own.up).isfinite().all()):
        return own
    return Own(offset=torch.full_like(own.up[:, 0], torch.nan))


def stacked(own: Sequence[torch.Tensor | None], neutral: float) -> torch.Tensor | None:
    """(variants, 1, features) of what each has; `neutral` where one has nothing. None if none has anything."""
    like = next((one for one in own if one is not None), None)
    if like is None:
        return None
    return torch.stack([torch.full_like(like, neutral) if one is None else one for one in own])[:, None]


def _low_ranks(own: Sequence[Own]) -> Any:
    """A as (variants, rank, in), scaling · B as (variants, rank, out), of the highest rank: others end in zeros."""
    if not own:
        return None, None
    pairs: list[tuple[Any, Any]] = [(one.down, one.up) for one in own]
    rank = max(len(down) for down, _ in pairs)
    down = torch.stack([pad(one, (0, 0, 0, rank - len(one))) for one, _ in pairs])
    up = torch.stack([one.scaling * pad(up, (0, rank - up.shape[1])) for one, (_, up) in zip(own, pairs, strict=True)])
    return down, up.transpose(1, 2).contiguous()
