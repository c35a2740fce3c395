"""
A method and a base in, a private model whose parameters of the method are trained out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from peft import get_peft_model_state_dict
from torch import nn

from playground.adapt import adapters
from playground.adapt.attach import wrapped
from playground.adapt.fitting import check_fits, check_form
from playground.adapt.methods import Method
from playground.errors import PlaygroundError, memory_is_out
from playground.model.bases import Base


def wrap(
    base: Base, chosen: Method, values: dict[str, Any], steps: int | None = None
) -> tuple[nn.Module, dict[str, Any] | None]:
    """
    A private trainable model over the base, and its PEFT config as JSON, for a run of so many `steps` (or the usual ones).
    What trains the base's own parameters clones them instead, in float32, and has no config. Raises PlaygroundError if that
    would not fit, or PEFT cannot adapt such a base, or would train something else of it than what was counted.
    """
    if chosen.config is None:
        check_fits(chosen, base.id, base.architecture)
        model = deepcopy(base.model).float()  # a step is too small for 16 bits to hold
        for name in dict(model.named_parameters()) if chosen.chosen is None else chosen.chosen(base, values):
            model.get_parameter(name).requires_grad_(True)
        return model, None
    check_form(chosen, base.id)
    config: Any = chosen.planned(base, values, steps or chosen.steps)
    with fitting(chosen, base):
        model = wrapped(base, config)
    trained, counts = trainable_in(model), chosen.counts(base.architecture, values)
    if counts["bytes"] != 4 * (trained + chosen.beside(base.architecture, values)):  # PEFT sees both halves of PiSSA's
        counted = counts["trainable_parameters"]
        raise PlaygroundError(
            "method_counted_otherwise", method=chosen.id, base=base.spec.name, trained=trained, counted=counted
        )
    if hasattr(config, "init_lora_weights"):
        config.init_lora_weights = True  # whoever loads it has its tensors, and nothing to draw
    return model, adapters.config_json(config, base.spec.repository)


def trainable_in(model: nn.Module) -> int:
    return sum(one.numel() for one in model.parameters() if one.requires_grad)


@contextmanager
def fitting(chosen: Method, base: Base) -> Iterator[None]:
    """
    What PEFT raises inside means that it cannot adapt such a base: when it wraps it, or with the first batch (a prefix that
    does not fit the cache, a layer of experts to which no token was sent). Raises PlaygroundError for it; what says itself
    why it fails, memory that is out, and a method without PEFT raise what they raise.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError, RuntimeError) as error:
        if chosen.config is None or isinstance(error, PlaygroundError) or memory_is_out(error):
            raise
        reason = str(error)[:200]
        raise PlaygroundError("method_does_not_fit", method=chosen.id, base=base.spec.name, reason=reason) from error


def held_tensors(model: Any, config: dict[str, Any] | None, former: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """
    A copy on the CPU of what was trained, under the names that PEFT saves. What is equal to the `former` copy is that one:
    an adapter may hold many numbers that are drawn once and never change.
    """
    state: Any = {name: one for name, one in model.named_parameters() if one.requires_grad}
    if config is not None:
        state = get_peft_model_state_dict(model, save_embedding_layers=False)  # else PEFT asks the hub
    return {name: _copied(tensor.detach(), former.get(name)) for name, tensor in state.items()}


def _copied(tensor: torch.Tensor, former: torch.Tensor | None) -> torch.Tensor:
    if former is not None and torch.equal(former, tensor.cpu()):
        return former
    return tensor.to("cpu", copy=True).contiguous()


def optimizer_of(model: Any, values: dict[str, Any]) -> torch.optim.Optimizer:
    """AdamW over what is trained; with LoRA+ (Hayou et al. 2024, arXiv 2402.12354) as PEFT makes it: B learns faster."""
    rate, ratio = values["learning_rate"], values.get("rate_ratio", 1.0)
    if ratio == 1:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    from peft.optimizers import create_loraplus_optimizer

    made: torch.optim.Optimizer = create_loraplus_optimizer(
        model=model, optimizer_cls=torch.optim.AdamW, lr=rate, loraplus_lr_ratio=ratio
    )
    return made
