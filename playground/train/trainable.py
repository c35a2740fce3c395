"""
A method and a base in, a private model whose parameters of the method are trained out.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from peft import get_peft_model_state_dict
from torch import nn

from playground.adapt import adapters
from playground.adapt.attach import wrapped
from playground.adapt.fitting import check_fits
from playground.adapt.methods import Method
from playground.errors import PlaygroundError
from playground.model.bases import Base


def wrap(base: Base, chosen: Method, values: dict[str, Any]) -> tuple[nn.Module, dict[str, Any] | None]:
    """
    A private trainable model over the base, and its PEFT config as JSON. Full fine-tuning clones the weights instead, in
    float32, and has no config. Raises PlaygroundError if full fine-tuning would not fit, or PEFT cannot adapt such a base.
    """
    if chosen.config is None:
        check_fits(chosen, base.id, base.architecture)
        return deepcopy(base.model).float().requires_grad_(True), None  # a step is too small for 16 bits to hold
    config = chosen.config(base, values)
    try:
        model = wrapped(base, config)
    except (ValueError, TypeError, AttributeError, LookupError, NotImplementedError) as error:  # PEFT's own
        reason = str(error)[:200]
        raise PlaygroundError("method_does_not_fit", method=chosen.id, base=base.spec.name, reason=reason) from error
    if hasattr(config, "init_lora_weights"):
        config.init_lora_weights = True  # whoever loads it has its tensors, and nothing to draw
    return model, adapters.config_json(config, base.spec.repository)


def held_tensors(model: Any, config: dict[str, Any] | None) -> dict[str, torch.Tensor]:
    """A copy on the CPU of what was trained, under the names that PEFT saves."""
    state: Any = dict(model.named_parameters())
    if config is not None:
        state = get_peft_model_state_dict(model, save_embedding_layers=False)  # else PEFT asks the hub
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}
