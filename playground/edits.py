"""
The same adapter with less of it: cut in rank, weakened or turned around, switched off in places.

What comes out is again an Adapter, so that whatever can show, measure or compare adapters can do so with it. Knows
nothing about the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from playground.adapters import Adapter
from playground.bases import Base
from playground.errors import PlaygroundError
from playground.lowrank import Factors
from playground.methods import Hyperparameter
from playground.updates import kind_of, layer_of, weight_of

# PEFT's names: base_model.model.<module>.lora_A.weight, <module>.base_layer.bias, <module>.ia3_l; ours: <module>.weight
TENSOR = re.compile(
    r"(?:base_model\.model\.)?(.+?)(?:\.base_layer)?\.(lora_A|lora_B|lora_magnitude_vector|ia3_l|weight|bias)(?:\.weight)?"
)
LESS = "~"  # ends the id of what is left of an adapter
STRENGTH = Hyperparameter("strength", 1.0, -1.0, 2.0)


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
        inside = self.layers is None or layer is None or self.layers[0] <= layer <= self.layers[1]
        return inside and (self.kinds is None or kind in self.kinds)

    def checked(self, adapter: Adapter) -> Edit:
        """The same with checked values. Raises PlaygroundError if it makes no sense for this adapter."""
        modules = {module for module, _ in map(split, adapter.tensors)}
        if not modules or adapter.record.method in ("prompt_tuning", "few_shot"):
            raise PlaygroundError("no_update", method=adapter.record.method)
        rank, layers = self.rank, max(layer_of(module) or 0 for module in modules)
        if rank is not None:
            rank = Hyperparameter("rank", 0, 0, rank_of(adapter)).check(rank)
        if self.layers is not None and not 0 <= self.layers[0] <= self.layers[1] <= layers:
            raise PlaygroundError("unknown_layers", first=self.layers[0], last=self.layers[1], maximum=layers)
        known = kinds_of(adapter)
        for kind in self.kinds or ():
            Hyperparameter("kinds", known[0], choices=known).check(kind)
        return replace(self, rank=rank, strength=STRENGTH.check(self.strength))


def split(name: str) -> tuple[str, str]:
    """A tensor's module and part: `…layers.3.self_attn.q_proj.lora_A.weight` → (`…layers.3.self_attn.q_proj`, `lora_A`)."""
    found = TENSOR.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def kinds_of(adapter: Adapter) -> tuple[str, ...]:
    """The kinds of modules that an adapter holds tensors for, in the order in which they stand in a layer."""
    return tuple(dict.fromkeys(kind_of(module) for module, _ in map(split, adapter.tensors)))


def layers_of(adapter: Adapter) -> int:
    """How many layers the adapter reaches into, from the first."""
    return 1 + max((layer_of(module) or 0 for module, _ in map(split, adapter.tensors)), default=0)


def rank_of(adapter: Adapter) -> int:
    """The largest rank of its factors. Raises PlaygroundError if it has none."""
    ranks = [tensor.shape[0] for name, tensor in adapter.tensors.items() if split(name)[1] == "lora_A"]
    if not ranks:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    return max(ranks)


def edited(base: Base, adapter: Adapter, edit: Edit) -> Adapter:
    """
    The adapter with only what `edit` leaves of it. Strength goes from the base (0) to the adapter (1) in every tensor,
    so that 0 is the base for DoRA and biases too; a cut in rank concerns the product of the factors alone.

    Raises PlaygroundError if the edit makes no sense for this adapter.
    """
    edit = edit.checked(adapter)
    tensors = dict(adapter.tensors)
    for name, tensor in adapter.tensors.items():
        module, part = split(name)
        if part == "lora_A" and edit.rank is not None:
            other = name.replace("lora_A", "lora_B")
            cut = Factors(tensor.float(), adapter.tensors[other].float()).truncated(edit.rank)
            tensors |= {name: cut.a, other: cut.b}
    for name, tensor in tensors.items():
        module, part = split(name)
        strength = edit.strength if edit.keeps(module) else 0.0
        if part != "lora_A" and strength != 1.0:  # A stays: the product is scaled once
            start = START[part](base, module, tensor)
            tensors[name] = start + strength * (tensor - start) if strength else start.clone()
    return replace(adapter, id=adapter.id + LESS, loaded=tensors, folder=None, checkpoints=())


# What a tensor of each part is in an adapter that changes nothing
START: Mapping[str, Callable[[Base, str, torch.Tensor], torch.Tensor]] = {
    "lora_B": lambda base, module, tensor: torch.zeros_like(tensor),
    "lora_magnitude_vector": lambda base, module, tensor: torch.linalg.norm(weight_of(base, module), dim=1),
    "ia3_l": lambda base, module, tensor: torch.ones_like(tensor),
    "weight": lambda base, module, tensor: base.model.get_parameter(f"{module}.weight").detach().cpu(),
    "bias": lambda base, module, tensor: base.model.get_parameter(f"{module}.bias").detach().cpu(),
}
