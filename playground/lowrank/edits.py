"""
The same adapter with less of it: cut in rank, weakened or turned around, switched off in places.

What comes out is again an Adapter, so that whatever can show, measure or compare adapters can do so with it. Knows
nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from playground.adapt.adapters import Adapter
from playground.adapt.ranks_left import as_lora
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.lowrank.updates import IN_FACTORS, WEIGHTLESS, kinds_of, layers_of, rank_of, split, update_of
from playground.model.bases import Base
from playground.model.modules import kind_of, layer_of
from playground.model.weights import weight_of

STRENGTH = Bound("strength", 1.0, -1.0, 2.0)


@dataclass(frozen=True)
class Edit:
    """
    How much of an adapter is left: at most `rank` directions of every update (None: all), times `strength`, and only in
    the layers from `layers[0]` to `layers[1]` and in the `kinds` of modules (None: everywhere).
    """

    rank: int | None = None
    strength: float = 1.0
    layers: tuple[int, int] | None = None
    kinds: tuple[str, ...] | None = None

    def keeps(self, module: str) -> bool:
        layer, kind = layer_of(module), kind_of(module)
        inside = self.layers is None or (layer is not None and self.layers[0] <= layer <= self.layers[1])
        return inside and (self.kinds is None or kind in self.kinds)

    def applied(self, base: Base, adapter: Adapter) -> Adapter:
        """The adapter with only what this leaves of it. Raises PlaygroundError if it makes no sense for the adapter."""
        return _edited(base, adapter, self.checked(adapter))

    def checked(self, adapter: Adapter) -> Edit:
        """The same with checked values. Raises PlaygroundError if it makes no sense for this adapter."""
        if adapter.record.method in WEIGHTLESS:
            raise PlaygroundError("no_update", method=adapter.record.method)
        if adapter.config and adapter.config.get("peft_type") not in IN_FACTORS:
            raise PlaygroundError("no_edit", method=adapter.record.method)
        rank, layers, kinds = self.rank, self.layers, self.kinds
        if rank is not None:
            rank = Bound("rank", 0, 0, rank_of(adapter)).check(rank)
        if layers is not None:
            last = layers_of(adapter) - 1
            given = layers if isinstance(layers, list | tuple) else []
            ends = [end for end in given if isinstance(end, int) and not isinstance(end, bool)]
            if len(ends) == 2 == len(layers) and 0 <= ends[1] < ends[0] <= last:
                raise PlaygroundError("layers_turned", first=ends[0], last=ends[1])
            if len(ends) != 2 or len(ends) != len(layers) or not 0 <= ends[0] <= ends[1] <= last:
                raise PlaygroundError("unknown_layers", layers=str(layers)[:60], maximum=last)
            layers = None if ends == [0, last] else (ends[0], ends[1])  # all of them: also what lies outside of layers
        if kinds is not None:
            known = kinds_of(adapter)
            listed = kinds if isinstance(kinds, list | tuple) else (kinds,)
            kinds = tuple(Bound("kinds", known[0], choices=known).check(kind) for kind in listed)
        return Edit(rank, STRENGTH.check(self.strength), layers, kinds)


def _edited(base: Base, adapter: Adapter, edit: Edit) -> Adapter:
    """
    The adapter with only what `edit` leaves of it. Strength goes from the base (0) to the adapter (1) in every tensor,
    so that 0 is the base for DoRA and biases too; a cut in rank concerns the product of the factors alone.

    Raises PlaygroundError if the edit makes no sense for this adapter.
    """
    plain = as_lora(adapter)
    tensors, count = dict(plain.tensors), 0
    if edit.rank is not None:
        for name in plain.tensors:
            module, part = split(name)
            if part == "lora_A":
                cut = update_of(base, adapter, module).factors.truncated(edit.rank)  # type: ignore[union-attr]
                tensors |= {name: cut.a, name.replace("lora_A", "lora_B"): cut.b}
    for name, tensor in tensors.items():
        module, part = split(name)
        strength = edit.strength if edit.keeps(module) else 0.0
        count += _left(tensor, part, edit.rank) if strength else 0
        if part == "lora_A" and strength and plain is not adapter:  # AdaLoRA has a singular value for each of its rows
            count += _left(tensor[:, :1], part, edit.rank)
        if part != "lora_A" and strength != 1.0:  # A stays: the product is scaled once
            start = START[part](base, module, tensor)
            tensors[name] = start + strength * (tensor - start) if strength else start.clone()
    record = replace(adapter.record, trainable_parameters=count, bytes=4 * count)
    return replace(plain, record=record, loaded=tensors, folder=None, checkpoints=())


def _left(tensor: torch.Tensor, part: str, rank: int | None) -> int:
    """How many numbers of a tensor a cut leaves."""
    along = {"lora_A": 0, "lora_B": 1}.get(part)
    if along is None or rank is None:
        return tensor.numel()
    return tensor.numel() // tensor.shape[along] * min(rank, tensor.shape[along])


# What a tensor of each part is in an adapter that changes nothing
START: Mapping[str, Callable[[Base, str, torch.Tensor], torch.Tensor]] = {
    "lora_B": lambda base, module, tensor: torch.zeros_like(tensor),
    "lora_magnitude_vector": lambda base, module, tensor: torch.linalg.norm(weight_of(base.model, module), dim=1),
    "ia3_l": lambda base, module, tensor: torch.ones_like(tensor),
    "weight": lambda base, module, tensor: base.model.get_parameter(f"{module}.weight").detach().cpu(),
    "bias": lambda base, module, tensor: base.model.get_parameter(f"{module}.bias").detach().cpu(),
}
