"""
Attaching: an adapter and a base in, a private model that answers as the adapter says out.

PEFT does the work on a view, so the base never notices. Knows nothing about sessions or the page.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from playground import settings
from playground.adapt.adapters import LESS, MERGEABLE, WITHOUT_TENSORS, peft_config
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from playground.adapt.adapters import Adapter
    from playground.model.bases import Base


def attach(base: Base, adapter: Adapter | None) -> PreTrainedModel:
    """
    A private model that answers as `adapter` says, in eval mode: a view of the base with PEFT around it. None or
    few-shot: the plain view. Full fine-tuning: a view whose parameters are the trained ones. One to be merged: a plain
    tree with what PEFT's `merge_and_unload` writes into the weights, rounded again where they are quantized.

    Raises PlaygroundError if the tensors do not fit the base, or if a method that changes no weight is to be merged.
    """
    if adapter is not None and adapter.merged and adapter.record.method not in MERGEABLE:
        raise PlaygroundError("not_mergeable", method=adapter.record.method)
    if adapter is None or adapter.record.method in WITHOUT_TENSORS:
        return base.view().eval()
    if adapter.config is None:
        return _with_parameters(base.view(), adapter.tensors).eval()
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    try:
        model = wrapped(base, peft_config(adapter.config))
    except ValueError as error:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=str(error)[:200]) from error
    expected = {
        name: tuple(tensor.shape) for name, tensor in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }
    found = {name: tuple(tensor.shape) for name, tensor in adapter.tensors.items()}
    if expected != found:
        name = sorted(set(expected.items()) ^ set(found.items()))[0][0]
        raise PlaygroundError(
            "does_not_fit", base=base.spec.name, reason=f"{name}: {found.get(name)} ≠ {expected.get(name)}"
        )
    set_peft_model_state_dict(model, dict(adapter.tensors))
    return (_merged(model) if adapter.merged else model).requires_grad_(False).eval()


def _merged(model: Any) -> PreTrainedModel:
    """
    PEFT's own merge. It adds to a float weight in place, and marks a 4-bit one and the layer that it belongs to; a view
    shares both with the base, so what it writes to becomes the view's own first. An int8 weight it replaces.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            layer: Any = module.get_base_layer()
            if type(layer.weight).__name__ == "Params4bit":
                layer.weight = copy.copy(layer.weight)  # over the same packed numbers, which PEFT replaces
                layer.weight.module = layer
            elif type(layer.weight).__name__ != "Int8Params":
                layer.weight = torch.nn.Parameter(layer.weight.detach().clone(), requires_grad=False)
    return model.merge_and_unload()


_ATTACHED: WeakKeyDictionary[Base, OrderedDict[Adapter | None, PreTrainedModel]] = WeakKeyDictionary()


def attached(base: Base, adapter: Adapter | None) -> PreTrainedModel:
    """
    `attach`, remembering the latest few per base; both are immutable values, told apart by identity. What is left of a
    cut adapter is used once.
    """
    if adapter is not None and adapter.id.endswith(LESS):
        return attach(base, adapter)
    if adapter is not None and adapter.record.method in WITHOUT_TENSORS:
        adapter = None
    models = _ATTACHED.setdefault(base, OrderedDict())
    if adapter not in models:
        models[adapter] = attach(base, adapter)
    models.move_to_end(adapter)
    while len(models) > settings.MAX_ATTACHED:
        models.popitem(last=False)
    return models[adapter]


def wrapped(base: Base, config: PeftConfig) -> Any:
    """
    PEFT around a private view of the base. Where PEFT would train or load biases of the base itself, the view gets its
    own copies of them first: a view shares its tensors with everybody.
    """
    import torch
    from peft import get_peft_model

    view = base.view()
    if getattr(config, "bias", "none") != "none":
        for module in view.modules():
            bias = getattr(module, "bias", None)
            if isinstance(bias, torch.nn.Parameter):
                module.bias = torch.nn.Parameter(bias.detach().clone(), requires_grad=False)
    return get_peft_model(view, config)


def _with_parameters(model: PreTrainedModel, tensors: Mapping[str, torch.Tensor]) -> PreTrainedModel:
    import torch

    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        parameter = torch.nn.Parameter(tensor.to(model.device), requires_grad=False)
        setattr(model.get_submodule(path), leaf, parameter)
    model.tie_weights()
    return model
