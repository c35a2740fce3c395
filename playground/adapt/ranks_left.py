"""
AdaLoRA in two other forms that compute the same.

With all its ranks: PEFT cuts what was taken away out of the tensors that it saves, and says in the config which those were.
Here they have singular values of zero, as while it is trained, so that a config means the same for every checkpoint; PEFT
scales by the initial rank in both. And as plain LoRA, whose A has taken the singular values: P (Λ Q).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import PREFIX, Adapter
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base

KIND = "ADALORA"
ALIKE = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out")  # as in LoRA
EPSILON = 1e-5  # that PEFT's layer adds to the rank it divides by
VALUES = ".lora_E"  # ends the name of a layer's singular values
SIDES = {"lora_A": 0, "lora_E": 0, "lora_B": 1}  # which side of a tensor has the ranks


def left(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, int]]:
    """By module: how many singular values are not zero, and of how many; empty for what is no AdaLoRA."""
    found = {name.removesuffix(VALUES).removeprefix(PREFIX): one for name, one in tensors.items() if name.endswith(VALUES)}
    return {module: (int(one.count_nonzero()), one.numel()) for module, one in found.items()}


def with_all_ranks(
    base: Base, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A checked config of AdaLoRA without its pattern, and whole tensors. Raises PlaygroundError where they disagree."""
    found = dict(tensors)
    for name, kept in config["rank_pattern"].items():
        module = PREFIX + name.removesuffix(".default").removesuffix(VALUES)
        places = [place for place, stays in enumerate(kept) if stays]
        for part, side in SIDES.items():
            cut = tensors.get(f"{module}.{part}")
            fits = len(kept) == config.get("init_r") and cut is not None and cut.dim() == 2
            if cut is None or not fits or cut.shape[side] != len(places):
                raise PlaygroundError("does_not_fit", base=base.spec.name, reason=f"rank_pattern: {module}.{part}")
            shape = list(cut.shape)
            shape[side] = len(kept)
            whole = cut.new_zeros(shape)
            whole[(slice(None),) * side + (places,)] = cut
            found[f"{module}.{part}"] = whole
    return {name: value for name, value in config.items() if name != "rank_pattern"}, found


def as_lora(adapter: Adapter) -> Adapter:
    """The same as plain LoRA of its initial rank; what is no AdaLoRA stays as it is."""
    config = adapter.config or {}
    if config.get("peft_type") != KIND:
        return adapter
    rank, found = config["init_r"], dict[str, Any]()
    alpha = config["lora_alpha"] if config["lora_alpha"] > 0 else rank  # as PEFT's layer
    for module in (name.removesuffix(VALUES) for name in adapter.tensors if name.endswith(VALUES)):
        values, a, b = (adapter.tensors[f"{module}.{part}"] for part in ("lora_E", "lora_A", "lora_B"))
        found |= {f"{module}.lora_A.weight": values * a, f"{module}.lora_B.weight": b}
    plain = {name: value for name, value in config.items() if name in (*ALIKE, "task_type", "base_model_name_or_path")}
    plain |= {"peft_type": "LORA", "r": rank, "lora_alpha": alpha * rank / (rank + EPSILON)}
    return replace(adapter, config=plain | {"inference_mode": True}, loaded=found, folder=None, checkpoints=())
