"""
Intruder dimensions: strong directions of a tuned weight that match none of the base's, and scaling them down.

    W + ΔW = Σ σᵢ yᵢ zᵢᵀ,  W = Σ … xⱼ …   yᵢ (i ≤ k) intrudes if maxⱼ |cos(yᵢ, xⱼ)| < ε

after Shuttleworth et al. 2024, arXiv 2410.21228, algorithm 1; the reducing is PEFT's `reduce_intruder_dimension`, which
multiplies what intruders hold of W + ΔW by λ and keeps the rank. Knows nothing about the page.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from peft import get_peft_model_state_dict
from peft.tuners.lora.intruders import reduce_intruder_dimension

from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach, drawn_apart
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.lowrank.settings import EPSILON, LAMBDA, TOP_K
from playground.lowrank.updates import forget, update_of, updates
from playground.model.bases import Base
from playground.model.modules import is_transposed
from playground.model.weights import is_quantized, weight_of
from playground.train.pauses import finished

OLD, NEW = "default", "intruder_reduced"  # names of adapters inside PEFT


@dataclass(frozen=True, eq=False)
class Directions:
    """
    The singular values of one W + ΔW (n,), descending, and the largest |cosine| (n,) of each left singular vector with
    those of W.
    """

    values: torch.Tensor
    cosines: torch.Tensor

    def intruders(self, top_k: int, epsilon: float) -> list[int]:
        """Places, from 0, of those among the first `top_k` whose cosine is below `epsilon`."""
        return [int(place) for place in torch.where(self.cosines[:top_k] < epsilon)[0]]


_KNOWN: WeakKeyDictionary[Base, WeakKeyDictionary[Adapter, dict[str, Directions]]] = WeakKeyDictionary()
_REPAIRED: WeakKeyDictionary[Base, WeakKeyDictionary[Adapter, dict[Repair, Adapter]]] = WeakKeyDictionary()


def directions(base: Base, adapter: Adapter, module: str) -> Directions:
    """
    Of one module, two dense SVDs, computed once. A layer that holds its weight as (inputs, outputs), as GPT-2's do, is
    decomposed as it is held, which is what PEFT does. Raises PlaygroundError as `update_of`.
    """
    known = _KNOWN.setdefault(base, WeakKeyDictionary())
    found = known.setdefault(adapter, {})
    forget(known)
    if module not in found:
        weight = weight_of(base.model, module)
        tuned = weight + update_of(base, adapter, module).delta(weight)
        if is_transposed(base.model.get_submodule(module)):
            weight, tuned = weight.T, tuned.T
        before = torch.linalg.svd(weight, full_matrices=False)[0]
        after, values, _ = torch.linalg.svd(tuned, full_matrices=False)
        found[module] = Directions(values, (after.T @ before).abs().max(dim=1).values)
    return found[module]


@dataclass(frozen=True)
class Repair:
    """
    An edit of a variant: what the intruders among the `top_k` strongest directions, those below `threshold_epsilon`, hold
    of each tuned weight is multiplied by `mitigation_lambda`. 1 leaves the adapter as it is.
    """

    top_k: int = TOP_K.default
    threshold_epsilon: float = EPSILON.default
    mitigation_lambda: float = LAMBDA.default

    def checked(self, base: Base, adapter: Adapter) -> Repair:
        """
        The same with checked values. Raises PlaygroundError for what PEFT does not repair: anything but plain LoRA on
        weights that are numbers, not codes.
        """
        config = adapter.config or {}
        plain = adapter.record.method == "lora" and not config.get("use_dora") and config.get("bias", "none") == "none"
        if not plain or any(is_quantized(one) for one in base.model.parameters()):
            raise PlaygroundError("not_repairable")
        return Repair(TOP_K.check(self.top_k), EPSILON.check(self.threshold_epsilon), LAMBDA.check(self.mitigation_lambda))

    def applied(self, base: Base, adapter: Adapter) -> Adapter:
        """The repaired adapter; remembered. Raises PlaygroundError as `checked`."""
        return finished(repaired(base, adapter, self))


def repaired(base: Base, adapter: Adapter, repair: Repair) -> Generator[None, None, Adapter]:
    """
    The adapter as PEFT's `reduce_intruder_dimension` leaves it, the same shapes; pauses after every module. Computed once
    for an adapter and a repair. Raises PlaygroundError as `Repair.checked`.
    """
    repair = repair.checked(base, adapter)
    known = _REPAIRED.setdefault(base, WeakKeyDictionary())
    found = known.setdefault(adapter, {})
    forget(known)
    if repair not in found:
        tensors = yield from _reduced(base, adapter, repair)
        found[repair] = replace(adapter, loaded=tensors, folder=None, checkpoints=())
    return found[repair]


@dataclass(frozen=True)
class Alone:
    """One layer of a PEFT model, as much of a model as PEFT's reducing and converting ask for: they work layer by layer."""

    name: str
    layer: Any
    peft_config: Any
    peft_type: str = "LORA"

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        yield self.name, self.layer

    def modules(self) -> Iterator[Any]:
        yield self.layer

    def add_adapter(self, *_: Any) -> None:
        """It has been added to all layers."""

    def set_adapter(self, *_: Any) -> None:
        """Nothing answers with this model."""


def _reduced(base: Base, adapter: Adapter, repair: Repair) -> Generator[None, None, dict[str, torch.Tensor]]:
    from peft.tuners.lora import LoraLayer

    model: Any = attach(base, Variant(base.id, adapter)).model
    plain = copy.copy(model.peft_config[OLD])
    plain.init_lora_weights = True  # PiSSA's would take its part out of the base's weights once more
    with drawn_apart():
        model.add_adapter(NEW, plain)
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            with torch.no_grad():
                alone: Any = Alone(name, layer, model.peft_config)
                reduce_intruder_dimension(alone, OLD, NEW, **vars(repair), logging_sink=None)
            yield
    state = get_peft_model_state_dict(model, adapter_name=NEW, save_embedding_layers=False)
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}


@dataclass(frozen=True)
class Found:
    """How many intruders each module has that was looked at so far, of so many modules."""

    counts: dict[str, int] = field(default_factory=dict)
    modules: int = 0

    @property
    def intruded(self) -> int:
        """Modules that have any."""
        return sum(count > 0 for count in self.counts.values())

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def survey(base: Base, adapter: Adapter, repair: Repair) -> Iterator[Found]:
    """The intruders of all modules, one module after the other. Raises PlaygroundError as `updates`."""
    found = Found(modules=len(updates(base, adapter)))
    for module in updates(base, adapter):
        count = len(directions(base, adapter, module).intruders(repair.top_k, repair.threshold_epsilon))
        found = replace(found, counts={**found.counts, module: count})
        yield found
