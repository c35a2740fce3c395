"""
A whole base that writes in each form whose layers have kernels here: the same number of tokens one after another, the forms
in turn, again and again, so that what disturbs a machine meets all of them.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from playground.learn.products import GROUP, codes, grouped
from playground.learn.writing import FORMS, Written
from playground.model import kernels
from playground.model.bases import Base
from playground.model.modules import linear_layers

TOKENS, ROUNDS = 16, 11  # of a repetition, and how often each form has its turn
GetBase = Callable[[str], Base]


@dataclass(frozen=True)
class Held:
    """A base in a form; `kept` has to live for as long as the model is run."""

    model: Any
    kept: tuple[torch.Tensor, ...] = ()


def written(base: Base, get_base: GetBase, tokens: int = TOKENS, rounds: int = ROUNDS) -> tuple[Written, ...]:
    """Each of FORMS with its rates. All of them are in memory together."""
    held = {form: _held(form, base, get_base) for form in FORMS}
    rates: dict[str, list[float]] = {form: [] for form in FORMS}
    for _ in range(rounds):
        for form, one in held.items():
            if one is not None:
                rates[form].append(tokens / seconds(one.model, tokens))
    return tuple(Written(form, tuple(rates[form]), held_bytes(one) if one else 0) for form, one in held.items())


def _held(form: str, base: Base, get_base: GetBase) -> Held | None:
    """None where torch has no such kernels, or none for this base's widths."""
    try:
        made = MAKERS[form](base, get_base)
        seconds(made.model, 2)  # the first time prepares
    except (RuntimeError, NotImplementedError):
        return None
    return made


@torch.inference_mode()
def seconds(model: Any, tokens: int) -> float:
    """To write so many after one that was read."""
    out = model(input_ids=torch.tensor([[1]]), use_cache=True)
    began = time.perf_counter()
    for _ in range(tokens):
        ids = out.logits[:, -1:].argmax(-1)
        out = model(input_ids=ids, past_key_values=out.past_key_values, use_cache=True)
    return time.perf_counter() - began


def held_bytes(one: Held) -> int:
    """All weights as they are held, copies included; what two layers share counts once."""
    dynamic = [module for module in one.model.modules() if isinstance(getattr(module, "_packed_params", None), nn.Module)]
    whole: list[torch.Tensor] = [*one.model.parameters(), *one.model.buffers(), *(module.weight() for module in dynamic)]
    return sum(held.nbytes for held in whole) + sum(4 * packed.numel() for packed in one.kept)


# Forms


class Codes(nn.Module):
    """A linear layer without a bias that a kernel multiplies by the codes that it holds: bfloat16 (…, in) to (…, out)."""

    def __init__(self, kernel: Callable[..., torch.Tensor], held: tuple[torch.Tensor, ...]) -> None:
        super().__init__()
        self.kernel = kernel
        for place, one in enumerate(held):
            self.register_buffer(f"held{place}", one)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = self.kernel(x.reshape(-1, x.shape[-1]), *self.buffers())
        return product.view(*x.shape[:-1], -1)


def int8_codes(weight: torch.Tensor) -> Codes:
    held, scales = codes(weight)
    return Codes(torch.ops.aten._weight_int8pack_mm, (held, scales.flatten().bfloat16()))


def int4_codes(weight: torch.Tensor) -> Codes:
    aten: Any = torch.ops.aten
    found, both = grouped(weight)
    packed = aten._convert_weight_to_int4pack_for_cpu(found, 1)
    return Codes(lambda x, packed, both: aten._weight_int4pack_mm_for_cpu(x, packed, GROUP, both), (packed, both))


def _plain(base: Base, get_base: GetBase) -> Held:
    """torch's own product."""
    model = base.view()
    kernels.plain(model.modules())
    return Held(model)


def _packed(base: Base, get_base: GetBase) -> Held:
    """oneDNN's product with its own copy of each weight."""
    model = _plain(base, get_base).model
    for layer in model.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = kernels.Linear
            layer.choice = kernels.Choice(0)  # type: ignore[assignment]
    return Held(model, tuple(kernels.pack(model)))


def _bfloat16(base: Base, get_base: GetBase) -> Held:
    return Held(copy.deepcopy(_plain(base, get_base).model).to(torch.bfloat16))


def _dynamic(base: Base, get_base: GetBase) -> Held:
    """int8 weights, what they read rounded for each product, sums in int32; the output head as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.13 would have another package do it
        from torch.ao.quantization import quantize_dynamic

        return Held(quantize_dynamic(_plain(base, get_base).model, {nn.Linear}, dtype=torch.qint8))


def _of_codes(made: Callable[[torch.Tensor], Codes]) -> Callable[[Base, GetBase], Held]:
    """In bfloat16, but for the layers; the output head is none of them."""

    def make(base: Base, get_base: GetBase) -> Held:
        model = _bfloat16(base, get_base).model
        for path, layer in linear_layers(base.model).items():
            model.set_submodule(path, made(layer.weight.float()))
        return Held(model)

    return make


def _bitsandbytes(form: str) -> Callable[[Base, GetBase], Held]:
    return lambda base, get_base: Held(get_base(f"{base.id}:{form}").model)


MAKERS: dict[str, Callable[[Base, GetBase], Held]] = {
    "float32": _plain,
    "packed": _packed,
    "bfloat16": _bfloat16,
    "int8_dynamic": _dynamic,
    "int8_weights": _of_codes(int8_codes),
    "int4_weights": _of_codes(int4_codes),
    "int8_vectorwise": _bitsandbytes("int8_vectorwise"),
    "nf4": _bitsandbytes("nf4"),
}
