"""
AdaLoRA as PEFT saves it, with all its ranks again: PEFT cuts what was taken away out of the tensors and says in the config
which those were. Here they are zeros, as while it is trained, so that a config means the same for every checkpoint. Both
compute the same, since PEFT scales by the initial rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import PREFIX
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base

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
