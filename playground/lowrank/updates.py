"""
What an adapter changed in its base, module by module.

Reads the updates from the adapter's tensors, as PEFT computes with them, and the weights that they change. Knows nothing
about soft prompts, which change no weight, nor about the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import torch

from playground.adapt.adapters import PREFIX, Adapter, peft_config, scaling
from playground.adapt.attach import attach
from playground.adapt.methods import METHODS
from playground.adapt.ranks_left import as_lora
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.lowrank.factors import Factors
from playground.model.bases import Base
from playground.model.modules import is_linear, kind_of, layer_of, linear_layers, sides, upright

WEIGHTLESS = tuple(one.id for one in METHODS.values() if not one.changes_weights)
IN_FACTORS = ("LORA", "IA3", "ADALORA")  # types whose tensors say themselves what the update is
LATEST = 8  # adapters a base remembers what was computed of
# PEFT's names: base_model.model.<module>.lora_A.weight, <module>.base_layer.bias, <module>.ia3_l; ours: <module>.weight
TENSOR = re.compile(
    r"(?:base_model\.model\.)?(.+?)(?:\.base_layer)?\.(lora_A|lora_B|lora_E|lora_magnitude_vector|ia3_l|weight|bias)(?:\.weight)?"
)


@dataclass(frozen=True, eq=False)
class Update:
    """
    What an adapter does to one module's weight W (out, in). LoRA and its variants have `factors`, DoRA also the new
    length of every row, `magnitude` (out,); IA3 has a `vector` (out, 1) or (1, in); full fine-tuning the new `weight`.
    """

    module: str  # its path in the base
    factors: Factors | None = None
    magnitude: torch.Tensor | None = None
    vector: torch.Tensor | None = None
    weight: torch.Tensor | None = None

    @property
    def kind(self) -> str:
        """The module's own name, such as q_proj."""
        return kind_of(self.module)

    @property
    def layer(self) -> int | None:
        return layer_of(self.module)

    @property
    def low_rank(self) -> bool:
        """Whether the whole update is the product of its factors (DoRA's is not: it also sets lengths)."""
        return self.factors is not None and self.magnitude is None

    def delta(self, weight: torch.Tensor) -> torch.Tensor:
        """
        ΔW (out, in), float32: the weight that the adapter computes with, less the base's. Raises PlaygroundError if it
        overflows.
        """
        found = self._delta(weight)
        if not bool(found.isfinite().all()):
            raise PlaygroundError("update_overflows", module=self.module)
        return found

    def _delta(self, weight: torch.Tensor) -> torch.Tensor:
        if self.weight is not None:
            return self.weight - weight
        if self.vector is not None:
            return weight * self.vector - weight
        assert self.factors is not None
        product = self.factors.product()
        if self.magnitude is None:
            return product
        turned = weight + product  # DoRA, Liu et al. 2024, equation 5: a direction, and a length for every row
        lengths: torch.Tensor = torch.linalg.norm(turned.double(), dim=1, keepdim=True).float()
        return self.magnitude[:, None] * turned / lengths - weight

    def norm(self, weight: torch.Tensor) -> float:
        """‖ΔW‖_F."""
        if self.low_rank:
            return float(torch.linalg.norm(self.factors.svd.s))  # type: ignore[union-attr]
        return float(torch.linalg.norm(self.delta(weight).double()))


def split(name: str) -> tuple[str, str]:
    """A tensor's module and part: `…layers.3.self_attn.q_proj.lora_A.weight` → (`…layers.3.self_attn.q_proj`, `lora_A`)."""
    found = TENSOR.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


@cache
def _of_other_types() -> re.Pattern[str]:
    """Where in a tensor's name what belongs to PEFT begins, for the types whose tensors `split` does not tell apart."""
    from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

    prefixes = "|".join(re.escape(one) for one in PEFT_TYPE_TO_PREFIX_MAPPING.values())
    return re.compile(rf"\.(?:{prefixes}|p?vera_)")


def modules_of(adapter: Adapter) -> list[str]:
    """The modules that an adapter holds tensors for; where all of them share everything (Uni-LoRA), their kinds."""
    config = adapter.config or {}
    if adapter.config is None or config.get("peft_type") in IN_FACTORS:
        return [split(name)[0] for name in adapter.tensors]
    cut = [_of_other_types().split(name, maxsplit=1)[0] for name in adapter.tensors]
    return [one.removeprefix(PREFIX) for one in cut if one.startswith(PREFIX)] or list(config.get("target_modules") or ())


def kinds_of(adapter: Adapter) -> tuple[str, ...]:
    """The kinds of modules that an adapter holds tensors for, in the order in which they stand in a layer."""
    return tuple(dict.fromkeys(map(kind_of, modules_of(adapter))))


def layers_of(adapter: Adapter) -> int:
    """How many layers the adapter reaches into, from the first."""
    return 1 + max((layer_of(module) or 0 for module in modules_of(adapter)), default=0)


def rank_of(adapter: Adapter) -> int:
    """The largest rank of its factors. Raises PlaygroundError if it has none."""
    ranks = [tensor.shape[0] for name, tensor in adapter.tensors.items() if split(name)[1] == "lora_A"]
    if not ranks:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    return max(ranks)


_READ: WeakKeyDictionary[Base, WeakKeyDictionary[Adapter, dict[str, Update]]] = WeakKeyDictionary()


def updates(base: Base, adapter: Adapter) -> dict[str, Update]:
    """
    Every adapted module by its path, in the order of the layers; of the latest few adapters they are remembered.

    Raises PlaygroundError for methods that change no weight (prompt tuning, few-shot), and for one that does not fit.
    """
    read = _READ.setdefault(base, WeakKeyDictionary())
    found = read.get(adapter)
    if found is None:
        if adapter.record.method in WEIGHTLESS:
            raise PlaygroundError("no_update", method=adapter.record.method)
        if not all(bool(tensor.isfinite().all()) for tensor in adapter.tensors.values()):
            raise PlaygroundError("not_finite")
        of_peft = _peft if (adapter.config or {}).get("peft_type") in IN_FACTORS else _merged
        found = read[adapter] = _full(base, adapter) if adapter.config is None else of_peft(base, adapter)
        forget(read)
    return found  # not read[adapter]: another thread may have pushed it out


def forget(remembered: WeakKeyDictionary[Adapter, Any]) -> None:
    """Keep only the latest few adapters."""
    for adapter in list(remembered.keys())[:-LATEST]:
        remembered.pop(adapter, None)


def _peft(base: Base, adapter: Adapter) -> dict[str, Update]:
    """From the tensors alone: wrapping a model would draw from the generator that a training beside this has seeded."""
    adapter = as_lora(adapter)
    config: Any = peft_config(adapter.config or {})
    modules: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in adapter.tensors.items():
        module, part = split(name)
        modules.setdefault(module, {})[part] = tensor
    found = {}
    for module, parts in modules.items():
        if "lora_A" in parts:
            a, b = parts["lora_A"].float(), parts["lora_B"].float()
            factors = Factors(a, b, scaling(config, module, len(a)))
            found[module] = Update(module, factors, parts.get("lora_magnitude_vector"))
            _fits(base, module, factors.shape)
        elif "ia3_l" in parts:
            vector = parts["ia3_l"].float()
            found[module] = Update(module, vector=vector)
            _fits(base, module, (vector.shape[0], vector.shape[1]), one=True)
    return found


def _merged(base: Base, adapter: Adapter) -> dict[str, Update]:
    """Of a method whose update is no product of two factors: the weights that PEFT's own merge writes."""
    model, found = attach(base, Variant.of(base.id, adapter, merged=True)).model, {}
    before, after = linear_layers(base.model), linear_layers(model)
    for module, layer in before.items():
        if after[module].weight is not layer.weight:
            found[module] = Update(module, weight=upright(layer, after[module].weight.detach()))
    return found


def _fits(base: Base, module: str, shape: tuple[int, int], one: bool = False) -> None:
    """Raises PlaygroundError unless the base has such a module of this shape (out, in); `one`: a side may be 1."""
    layer: Any = dict(base.model.named_modules()).get(module)
    found = sides(layer)[::-1] if is_linear(layer) else None
    alike = found and all(size == wanted or (one and size == 1) for size, wanted in zip(shape, found, strict=True))
    if not alike:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=f"{module}: {shape} ≠ {found}")


def _full(base: Base, adapter: Adapter) -> dict[str, Update]:
    """The linear layers of a fully fine-tuned model; embeddings and norms were trained too, but are not shown."""
    linear = linear_layers(base.model)
    modules = {name.removesuffix(".weight"): tensor for name, tensor in adapter.tensors.items() if tensor.dim() == 2}
    return {one: Update(one, weight=upright(linear[one], tensor)) for one, tensor in modules.items() if one in linear}


def update_of(base: Base, adapter: Adapter, module: str) -> Update:
    """Raises PlaygroundError if the adapter did not change such a module."""
    found = updates(base, adapter)
    update = found.get(module) if isinstance(module, str) else None
    if update is None:
        kinds = ", ".join(sorted({one.kind for one in found.values()}))
        raise PlaygroundError("unknown_module", module=str(module)[:80], known=kinds)
    return update
