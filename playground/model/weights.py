"""
The weights of a loaded model: every tensor that it holds, the bytes of them, and one weight read back as float32.

Imports no torch before it has work to do. Knows nothing about bases or adapters.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from playground.model.modules import upright

if TYPE_CHECKING:
    import torch
    from torch import nn

Model = TypeVar("Model", bound="nn.Module")


def is_quantized(parameter: torch.Tensor) -> bool:
    """Whether bitsandbytes holds it as codes."""
    return type(parameter).__name__ in ("Params4bit", "Int8Params")


def tensors_of(model: nn.Module) -> list[torch.Tensor]:
    """Every tensor of the tree: parameters, buffers, and what bitsandbytes' int8 layers keep beside their weight."""
    return [*model.parameters(), *model.buffers(), *_int8_states(model)]


def view_of(model: Model) -> Model:
    """A copy of the module tree over the same tensors: who puts others into it leaves the model as it is."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors_of(model)})


def held_tensors(model: nn.Module) -> list[torch.Tensor]:
    """The weights as they are held: parameters, and the scales and tables that bitsandbytes keeps to read them back."""
    import torch

    found = [*model.parameters(), *_int8_states(model)]
    for parameter in model.parameters():
        state: Any = getattr(parameter, "quant_state", None)  # bitsandbytes.nn.Params4bit
        for part in (state, getattr(state, "state2", None)):
            found += [value for value in vars(part).values() if torch.is_tensor(value)] if part is not None else []
        scales = getattr(parameter, "SCB", None)  # bitsandbytes.nn.Int8Params
        found += [] if scales is None else [scales]
    return found


def _int8_states(model: nn.Module) -> list[torch.Tensor]:
    import torch

    states = [getattr(module, "state", None) for module in model.modules()]  # bitsandbytes.nn.Linear8bitLt
    return [value for one in states if hasattr(one, "CB") for value in vars(one).values() if torch.is_tensor(value)]


def stored_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """The bytes of their storage; what several of them share counts once."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def held_bytes(model: nn.Module) -> int:
    """What a loaded model's weights take in memory, with the scales and tables of quantized ones."""
    return stored_bytes(held_tensors(model))


def own_bytes(model: nn.Module, *others: nn.Module, beside: Iterable[torch.Tensor] = ()) -> int:
    """What a model holds beyond the tensors that it shares with `others` and with those `beside`."""
    shared = [tensor for other in others for tensor in (*held_tensors(other), *other.buffers())]
    storages = {tensor.untyped_storage().data_ptr() for tensor in (*shared, *beside)}
    return stored_bytes(one for one in held_tensors(model) if one.untyped_storage().data_ptr() not in storages)


def weight_of(model: nn.Module, module: str) -> torch.Tensor:
    """
    W (out, in) of a module, float32 on the CPU: turned where the layer holds it the other way round, read back from its
    codes where it is quantized.
    """
    from peft.utils.integrations import dequantize_bnb_weight

    layer: Any = model.get_submodule(module)
    weight: torch.Tensor = layer.weight
    if is_quantized(weight):  # PEFT's dequantize_module_weight would write to the layer
        weight = dequantize_bnb_weight(layer.weight, state=getattr(layer, "state", None))
    return upright(layer, weight).detach().float().cpu()
