"""
Attaching: an adapter and a base in, a private model that answers as the adapter says out.

PEFT does the work on a view, so the base never notices. Knows nothing about sessions or the page.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import peft_config
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.model.architecture import cache_entries
from playground.model.memory import STORE
from playground.model.weights import is_quantized, own_bytes

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from playground.adapt.adapters import Adapter, Record
    from playground.model.bases import Base


PROMPT = "prompt_embeddings"  # PEFT's name for a soft prompt
UNREAD = ("LORA", "IA3")  # types whose layers PEFT makes without a look at the weights
FEW_SHOT = "few_shot"  # nothing is attached: its examples stand in the prompt


@dataclass(frozen=True, eq=False)
class Attached:
    """A private model that answers as a variant says, in eval mode, and the record of what it has of the adapter."""

    model: PreTrainedModel
    record: Record | None


def attached(base: Base, variant: Variant) -> Attached:
    """`attach`, kept within the store's budget: with it go the base and the adapter, as long as they are there."""
    adapter = variant.adapter
    if adapter is not None and adapter.record.method == FEW_SHOT:
        return Attached(attached(base, Variant(variant.base)).model, adapter.record)
    key = (base, variant)
    found: Attached | None = STORE.find(key)
    if found is None:
        found = attach(base, variant)
        beside = adapter.tensors.values() if adapter else ()
        size = own_bytes(found.model, base.model, beside=beside)
        STORE.keep(key, found, size, of=(base, *([adapter] if adapter else [])))
    return found


def attach(base: Base, variant: Variant) -> Attached:
    """
    A view of the base with PEFT around it. Without an adapter, or for few-shot, the plain view. Full fine-tuning, and other
    selective methods that PEFT does not know: a view some of whose parameters are the trained ones. Merged: a plain tree
    with what PEFT's `merge_and_unload` writes into the weights, rounded again where they are quantized.

    Raises PlaygroundError if the adapter's tensors do not fit the base, or if the edit makes no sense for it.
    """
    adapter = variant.adapter
    if adapter is None or adapter.record.method == FEW_SHOT:
        return Attached(base.view().eval(), adapter.record if adapter else None)
    if variant.edit:
        adapter = variant.edit.applied(base, adapter)
    if adapter.config is None:
        return Attached(_with_parameters(base.view(), adapter.tensors).eval(), adapter.record)
    model = _with_adapter(base, adapter)
    model = _merged(model, variant.method) if variant.merged else model
    return Attached(model.requires_grad_(False).eval(), adapter.record)


def _with_adapter(base: Base, adapter: Adapter) -> Any:
    """PEFT around a view, with the adapter's tensors. Raises PlaygroundError if they do not fit."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    found = {name: tuple(tensor.shape) for name, tensor in adapter.tensors.items()}
    try:
        model = _unfilled(base, peft_config(adapter.config or {}), found)
    except (TypeError, ValueError) as error:
        if isinstance(error, PlaygroundError):
            raise
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=str(error)[:200]) from error
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    _check_shapes(base, {name: tuple(tensor.shape) for name, tensor in state.items()}, found)
    _fill(model, base.model.device)
    set_peft_model_state_dict(model, dict(adapter.tensors))
    return model


def _unfilled(base: Base, config: Any, found: Mapping[str, tuple[int, ...]]) -> Any:
    """
    PEFT around a view, before anything is loaded. Nothing is drawn from the generators that a training beside this draws
    from. LoRA's and IA3's layers lie on the meta device, and take no memory before it is known that they fit. A soft prompt
    cannot, as PEFT moves it; nor can what lies over quantized weights, which PEFT reads (DoRA's norms) or copies, nor the
    many methods that begin with something computed from the weights, or drawn with a seed of their own.
    """
    import torch

    if config.is_prompt_learning:
        _check_prompt(base, config, found)
    quantized = any(is_quantized(parameter) for parameter in base.model.parameters())
    light = config.peft_type in UNREAD and not quantized
    with torch.device("meta") if light else drawn_apart():
        return wrapped(base, config)


def _check_prompt(base: Base, config: Any, found: Mapping[str, tuple[int, ...]]) -> None:
    """Raises PlaygroundError unless the virtual tokens are as many and as wide as the config says and the base needs."""
    if config.peft_type == "PREFIX_TUNING":
        _check_shapes(base, {PROMPT: (config.num_virtual_tokens, cache_entries(base.architecture))}, found)
        return
    width = base.architecture.hidden_size
    expected = {PROMPT: (config.num_virtual_tokens, width)}
    for shapes in (found, {PROMPT: (config.num_virtual_tokens, config.token_dim or width)}):
        _check_shapes(base, expected, shapes)
    config.token_dim = width  # PEFT takes the hidden size, which is not every model's embeddings' width


def _check_shapes(base: Base, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    if expected != found:
        name = sorted(set(expected.items()) ^ set(found.items()))[0][0]
        raise PlaygroundError(
            "does_not_fit", base=base.spec.name, reason=f"{name}: {found.get(name)} ≠ {expected.get(name)}"
        )


def _fill(model: Any, device: torch.device) -> None:
    """Room for what lies on the meta device."""
    import torch

    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.is_meta:
                room = torch.empty_like(parameter, device=device)
                module._parameters[name] = torch.nn.Parameter(room, requires_grad=False)


def drawn_apart() -> Any:
    """A context, of this thread alone, in which what is drawn comes from a generator of its own, with a seed of its own."""
    import torch
    from torch.overrides import TorchFunctionMode

    init, tensor = torch.nn.init, torch.Tensor
    new = (torch.randn, torch.rand, torch.randint, torch.randperm)
    filled = (init.normal_, init.uniform_, init.kaiming_uniform_, init.xavier_uniform_, tensor.normal_, tensor.uniform_)
    like = {torch.randn_like: tensor.normal_, torch.rand_like: tensor.uniform_}
    generator = torch.Generator().manual_seed(0)

    class Apart(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if function in like:
                made = torch.empty_like(
                    *args, device="cpu", **{name: one for name, one in kwargs.items() if name != "device"}
                )
                return like[function](made, generator=generator).to(args[0].device)
            if function in filled and (args[0] if args else kwargs["tensor"]).device.type != "cpu":
                return args[0] if args else kwargs["tensor"]  # the tensors that are loaded take its place
            own = function in (*new, *filled) and kwargs.get("generator") is None
            return function(*args, **(kwargs | {"generator": generator} if own else kwargs))

    return Apart()


def _merged(model: Any, method: str) -> PreTrainedModel:
    """
    PEFT's own merge. It adds to a float weight in place, scales biases (IA3), and marks a 4-bit weight and the layer that
    it belongs to; a view shares all of these with the base, so what it writes to becomes the view's own first. An int8
    weight it replaces. Raises PlaygroundError for a method that it does not write into packed weights.
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
            if getattr(layer, "bias", None) is not None:
                layer.bias = torch.nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
    try:
        merged: PreTrainedModel = model.merge_and_unload()
    except NotImplementedError as error:  # AdaLoRA's layers over packed weights
        raise PlaygroundError("not_mergeable", method=method) from error
    return merged


def wrapped(base: Base, config: PeftConfig) -> Any:
    """
    PEFT around a private view of the base. Where PEFT would train or load biases of the base itself, the view gets its
    own copies of them first: a view shares its tensors with everybody. Raises ValueError for what PEFT cannot adapt.
    """
    import torch
    from peft import PeftType, get_peft_model

    from playground.model import kernels

    view = base.view()
    if config.peft_type == PeftType.GLORA:  # it reads the weights itself, and wants torch's class by its identity
        kernels.plain(view.modules())
    if getattr(config, "use_dora", False) and any(type(one).__name__ == "Int8Params" for one in view.parameters()):
        raise ValueError("PEFT loses the scales of an int8 layer when DoRA reads it")
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
        held = model.get_parameter(name)
        parameter = torch.nn.Parameter(tensor.to(held.device, held.dtype), requires_grad=False)
        setattr(model.get_submodule(path), leaf, parameter)
    model.tie_weights()
    return model
