"""
What an adapter changed in its base, module by module.

Reads the updates from PEFT's own layers. What is known of a base or an adapter is computed once and goes with it. Knows
nothing about soft prompts, which change no weight, nor about the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from peft.tuners.ia3 import IA3Layer
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_bnb_weight

from playground.adapters import Adapter, attach
from playground.bases import Base
from playground.errors import PlaygroundError
from playground.lowrank import Factors, Svd, effective_rank, energy, within, within_random

NOTHING = 1e-9  # of the first singular value
PREFIX = "base_model.model."  # what PEFT puts before the base's own names


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
        """ΔW (out, in), float32: the weight that the adapter computes with, less the base's."""
        if self.weight is not None:
            return self.weight - weight
        if self.vector is not None:
            return weight * self.vector - weight
        assert self.factors is not None
        product = self.factors.product()
        if self.magnitude is None:
            return product
        turned = weight + product  # DoRA, Liu et al. 2024, equation 5: a direction, and a length for every row
        return self.magnitude[:, None] * turned / torch.linalg.norm(turned, dim=1, keepdim=True) - weight

    def norm(self, weight: torch.Tensor) -> float:
        """‖ΔW‖_F."""
        if self.low_rank:
            return float(torch.linalg.norm(self.factors.svd.s))  # type: ignore[union-attr]
        return float(torch.linalg.norm(self.delta(weight)))


def kind_of(module: str) -> str:
    return module.rpartition(".")[2]


def layer_of(module: str) -> int | None:
    """The number of the layer that a module lies in; None outside of the layers."""
    found = re.search(r"\.(\d+)\.", module)
    return int(found[1]) if found else None


class _Known:
    """What has been computed about one base: its weights' norms and spectra, and the updates of adapters."""

    def __init__(self) -> None:
        self.norms: dict[str, float] = {}
        self.spectra: dict[str, torch.Tensor] = {}
        self.updates: WeakKeyDictionary[Adapter, dict[str, Update]] = WeakKeyDictionary()
        self.networks: WeakKeyDictionary[Adapter, tuple[Cell, ...]] = WeakKeyDictionary()
        self.reports: WeakKeyDictionary[Adapter, dict[str, ModuleReport]] = WeakKeyDictionary()


_KNOWN: WeakKeyDictionary[Base, _Known] = WeakKeyDictionary()


def _known(base: Base) -> _Known:
    return _KNOWN.setdefault(base, _Known())


def weight_of(base: Base, module: str) -> torch.Tensor:
    """W (out, in), float32 on the CPU; read back from its codes where the base is quantized."""
    layer: Any = base.model.get_submodule(module)
    weight = layer.weight
    if type(weight).__name__ in ("Params4bit", "Int8Params"):  # PEFT's dequantize_module_weight would write to the layer
        weight = dequantize_bnb_weight(weight, state=getattr(layer, "state", None))
    return weight.detach().float().cpu()


def weight_norm(base: Base, module: str) -> float:
    """‖W‖_F, computed once."""
    norms = _known(base).norms
    if module not in norms:
        norms[module] = float(torch.linalg.norm(weight_of(base, module)))
    return norms[module]


def weight_spectrum(base: Base, module: str) -> torch.Tensor:
    """All singular values of W, descending, float64, computed once: the roots of the smaller Gram matrix's eigenvalues."""
    spectra = _known(base).spectra
    if module not in spectra:
        weight = weight_of(base, module).double()
        gram = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
        spectra[module] = torch.linalg.eigvalsh(gram).flip(0).clamp(min=0.0).sqrt()
    return spectra[module]


def updates(base: Base, adapter: Adapter) -> dict[str, Update]:
    """
    Every adapted module by its path, in the order of the layers; read from PEFT's own layers.

    Raises PlaygroundError for methods that change no weight (prompt tuning, few-shot).
    """
    known = _known(base).updates
    if adapter not in known:
        if adapter.record.method in ("prompt_tuning", "few_shot"):
            raise PlaygroundError("no_update", method=adapter.record.method)
        known[adapter] = _full(base, adapter) if adapter.config is None else _peft(base, adapter)
    return known[adapter]


def _peft(base: Base, adapter: Adapter) -> dict[str, Update]:
    read = {LoraLayer: _lora, IA3Layer: _ia3}
    layers = [(name.removeprefix(PREFIX), layer) for name, layer in attach(base, adapter).named_modules()]
    return {module: read[kind](module, layer) for module, layer in layers for kind in read if isinstance(layer, kind)}


def _lora(module: str, layer: Any) -> Update:
    (active,) = layer.active_adapters
    a, b = (part[active].weight.detach().float().cpu() for part in (layer.lora_A, layer.lora_B))
    length = layer.lora_magnitude_vector[active].weight.detach().cpu() if layer.use_dora.get(active) else None
    return Update(module, Factors(a, b, layer.scaling[active]), length)


def _ia3(module: str, layer: Any) -> Update:
    (active,) = layer.active_adapters
    return Update(module, vector=layer.ia3_l[active].detach().float().cpu())


def _full(base: Base, adapter: Adapter) -> dict[str, Update]:
    """The linear layers of a fully fine-tuned model; embeddings and norms were trained too, but are not shown."""
    linear = {name for name, module in base.model.named_modules() if isinstance(module, torch.nn.Linear)}
    head = base.model.get_output_embeddings()
    modules = {name.removesuffix(".weight"): tensor for name, tensor in adapter.tensors.items() if tensor.dim() == 2}
    return {
        module: Update(module, weight=tensor)
        for module, tensor in modules.items()
        if module in linear and base.model.get_submodule(module) is not head
    }


@dataclass(frozen=True)
class Cell:
    """How much one module changed: `relative` is ‖ΔW‖ / ‖W‖; `effective_rank` where ΔW is a product of factors."""

    module: str
    kind: str
    layer: int | None
    relative: float
    effective_rank: float | None


def network(base: Base, adapter: Adapter) -> tuple[Cell, ...]:
    """Every adapted module's share of change, computed once for an adapter. Raises PlaygroundError as `updates`."""
    known = _known(base).networks
    if adapter not in known:
        known[adapter] = tuple(
            Cell(
                update.module, update.kind, update.layer,
                update.norm(weight_of(base, update.module) if not update.low_rank else torch.empty(0))
                / weight_norm(base, update.module),
                effective_rank(update.factors.svd.s) if update.factors else None,
            )
            for update in updates(base, adapter).values()
        )  # fmt: skip
    return known[adapter]


def most_changed(base: Base, adapter: Adapter) -> str:
    """The path of the module whose ‖ΔW‖ / ‖W‖ is largest."""
    return max(network(base, adapter), key=lambda cell: cell.relative).module


@dataclass(frozen=True)
class Turn:
    """
    How far an update moved the rows of one W apart from their length: `length` is the mean of |‖w'‖ / ‖w‖ − 1|,
    `direction` the mean of 1 − cos(w', w) (Liu et al. 2024, section 3.2, there in columns of Wᵀ).
    """

    module: str
    kind: str
    layer: int | None
    length: float
    direction: float


def turns(base: Base, adapter: Adapter) -> tuple[Turn, ...]:
    """Length and direction of every adapted module. Raises PlaygroundError as `updates`."""
    return tuple(_turn(update, weight_of(base, update.module)) for update in updates(base, adapter).values())


def _turn(update: Update, weight: torch.Tensor) -> Turn:
    new = weight + update.delta(weight)
    lengths = torch.linalg.norm(new, dim=1) / torch.linalg.norm(weight, dim=1)
    cosines = torch.nn.functional.cosine_similarity(new, weight, dim=1)
    length, direction = float((lengths - 1).abs().mean()), float((1 - cosines).clamp(min=0).mean())
    return Turn(update.module, update.kind, update.layer, length, direction)


@dataclass(frozen=True)
class ModuleReport:
    """
    One module's update in numbers. `within` is ‖Uᵀ W V‖ for the update's own directions, `within_own` for W's strongest
    ones, `within_random` for random ones; `amplification` is ‖ΔW‖ / `within` (Hu et al. 2021, table 7).
    """

    adapter: str
    module: str
    shape: tuple[int, int]  # (out, in)
    rank: int
    scaling: float
    singular_values: tuple[float, ...]
    energy: tuple[float, ...]
    effective_rank: float
    frobenius_weight: float
    frobenius_update: float
    relative: float
    within: float
    within_own: float
    within_random: float
    amplification: float | None  # None while the update is zero


def report(base: Base, adapter: Adapter, module: str = "") -> ModuleReport:
    """
    The spectrum and the norms of one module's update, computed once; without a module, of the most changed one. Of DoRA
    it is the low-rank part.

    Raises PlaygroundError if the adapter has no such module, or nothing of low rank.
    """
    module = module or most_changed(base, adapter)
    known = _known(base).reports.setdefault(adapter, {})
    if module not in known:
        known[module] = _report(base, adapter, update_of(base, adapter, module))
    return known[module]


def _report(base: Base, adapter: Adapter, update: Update) -> ModuleReport:
    module = update.module
    if update.factors is None:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    svd, shape = update.factors.svd, update.factors.shape
    weight, norm = weight_of(base, module), weight_norm(base, module)
    count = int((svd.s > NOTHING * svd.s[0]).sum())  # a direction that holds nothing is no direction
    change, inside = float(torch.linalg.norm(svd.s)), within(weight, Svd(svd.u[:, :count], svd.s[:count], svd.v[:, :count]))
    return ModuleReport(
        adapter=adapter.id,
        module=module,
        shape=shape,
        rank=update.factors.rank,
        scaling=update.factors.scaling,
        singular_values=tuple(svd.s.tolist()),
        energy=tuple(energy(svd.s).tolist()),
        effective_rank=effective_rank(svd.s),
        frobenius_weight=norm,
        frobenius_update=change,
        relative=change / norm,
        within=inside,
        within_own=float(torch.linalg.norm(weight_spectrum(base, module)[:count])),
        within_random=within_random(norm, shape, count),
        amplification=change / inside if change else None,
    )


def directions(base: Base, adapter: Adapter, module: str, side: str = "input") -> torch.Tensor:
    """
    The update's singular directions, strongest first, as orthonormal columns: (in, n) of what it reads ("input", as in
    Hu et al. 2021, section 7.2) or (out, n) of what it writes ("output"). Raises PlaygroundError if it has no factors.
    """
    update = update_of(base, adapter, module)
    if update.factors is None:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    svd = update.factors.svd
    return svd.v if side == "input" else svd.u


def update_of(base: Base, adapter: Adapter, module: str) -> Update:
    """Raises PlaygroundError if the adapter did not change such a module."""
    found = updates(base, adapter)
    if module not in found:
        raise PlaygroundError(
            "unknown_module", module=module[:80], known=", ".join(sorted({one.kind for one in found.values()}))
        )
    return found[module]
