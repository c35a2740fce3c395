"""
AdaLoRA's own part of a step (Zhang et al. 2023, arXiv 2303.10512): a penalty that keeps P and Q orthogonal, and singular
values that are taken away by their importance. For the models of all other methods these functions do nothing.

PEFT's allocator decides what goes. The penalty PEFT adds to the loss of its own forward pass; a pass here computes the loss
itself, and has to be told. What is taken away stays, with a singular value of zero, so every checkpoint of a run has the
same shapes and one config; PEFT computes the same with it as without (it keeps the scaling of the initial rank).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft.tuners.adalora import AdaLoraModel

ADAPTER = "default"
KEPT = ("ipt", "exp_avg_ipt", "exp_avg_unc", "pattern")  # what PEFT's allocator knows, and the ranks that it left last


def _tuner(model: Any) -> Any:
    """PEFT's model of AdaLoRA, or None."""
    found = getattr(model, "base_model", None)
    return found if isinstance(found, AdaLoraModel) else None


def penalty(model: Any) -> torch.Tensor | None:
    """
    The mean over all P and Q of ‖PᵀP − I‖ and ‖QQᵀ − I‖ (equation 4, whose squares PEFT leaves out), times its weight; PEFT
    calls them lora_B (out, r) and lora_A (r, in).
    """
    tuner = _tuner(model)
    if tuner is None:
        return None
    factors = [
        one if ".lora_A." in name else one.T
        for name, one in model.named_parameters()
        if ".lora_A." in name or ".lora_B." in name
    ]
    apart = [torch.linalg.norm(one @ one.T - torch.eye(len(one), device=one.device)) for one in factors]
    found: torch.Tensor = tuner.peft_config[ADAPTER].orth_reg_weight * torch.stack(apart).mean()
    return found


def penalize(model: Any) -> None:
    """Add the penalty's gradients, once a step."""
    found = penalty(model)
    if found is not None:
        found.backward()


def allocate(model: Any, step: int) -> None:
    """Take singular values away after an optimizer's `step`, while its gradients are there."""
    tuner = _tuner(model)
    if tuner is None:
        return
    config, allocator = tuner.peft_config[ADAPTER], tuner.rankallocator
    config.rank_pattern = getattr(allocator, "pattern", None)
    last = config.total_step - config.tfinal
    if step > last and config.rank_pattern is None:  # each step in which ranks go had gradients that were no numbers
        return
    tuner.update_and_allocate(step)
    allocator.pattern, config.rank_pattern = config.rank_pattern, None  # else PEFT would cut what it saves


def numbers(model: Any) -> int:
    """How many the allocator knows at most: each trained one's importance, its mean and its uncertainty."""
    return 0 if _tuner(model) is None else 3 * sum(one.numel() for one in model.parameters() if one.requires_grad)


def kept(model: Any) -> dict[str, Any]:
    """What the allocator knows, for a run that another process goes on with."""
    tuner = _tuner(model)
    return {} if tuner is None else {name: getattr(tuner.rankallocator, name, None) for name in KEPT}


def put_back(model: Any, known: Mapping[str, Any]) -> None:
    """The same, in a model that was made for the same job; what is `known` lies where the model does, and is its own."""
    if known:
        vars(_tuner(model).rankallocator).update(known)
