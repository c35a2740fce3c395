"""
What an adapter changed in its base, module by module.

Reads the updates from PEFT's own layers. What is known of a base or an adapter is computed once and goes with it. Knows
nothing about soft prompts, which change no weight, nor about the page.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from peft.utils.integrations import dequantize_bnb_weight
from peft.utils.other import get_pattern_key

from playground.adapters import Adapter, peft_config
from playground.bases import Base
from playground.errors import PlaygroundError
from playground.lowrank import Factors, effective_rank, energy, gram_spectrum, within, within_random

WEIGHTLESS = ("prompt_tuning", "few_shot")  # methods that change no weight
LATEST = 8  # adapters a base remembers what was computed of
# PEFT's names: base_model.model.<module>.lora_A.weight, <module>.base_layer.bias, <module>.ia3_l; ours: <module>.weight
TENSOR = re.compile(
    r"(?:base_model\.model\.)?(.+?)(?:\.base_layer)?\.(lora_A|lora_B|lora_magnitude_vector|ia3_l|weight|bias)(?:\.weight)?"
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


def split(name: str) -> tuple[str, str]:
    """A tensor's module and part: `…layers.3.self_attn.q_proj.lora_A.weight` → (`…layers.3.self_attn.q_proj`, `lora_A`)."""
    found = TENSOR.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def kinds_of(adapter: Adapter) -> tuple[str, ...]:
    """The kinds of modules that an adapter holds tensors for, in the order in which they stand in a layer."""
    return tuple(dict.fromkeys(kind_of(module) for module, _ in map(split, adapter.tensors)))


def layers_of(adapter: Adapter) -> int:
    """How many layers the adapter reaches into, from the first."""
    return 1 + max((layer_of(module) or 0 for module, _ in map(split, adapter.tensors)), default=0)


def rank_of(adapter: Adapter) -> int:
    """The largest rank of its factors. Raises PlaygroundError if it has none."""
    ranks = [tensor.shape[0] for name, tensor in adapter.tensors.items() if split(name)[1] == "lora_A"]
    if not ranks:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    return max(ranks)


class _Known:
    """What has been computed about one base: its weights' norms and spectra, and what adapters changed."""

    def __init__(self) -> None:
        self.norms: dict[str, float] = {}
        self.spectra: dict[str, torch.Tensor] = {}
        self.adapters: WeakKeyDictionary[Adapter, _Examined] = WeakKeyDictionary()

    def of(self, adapter: Adapter) -> _Examined:
        """What is known of an adapter; of many only the latest few are remembered."""
        found = self.adapters.pop(adapter, None) or _Examined()
        self.adapters[adapter] = found
        while len(self.adapters) > LATEST:
            self.adapters.pop(next(iter(self.adapters.keys())))
        return found


class _Examined:
    """What has been computed of one adapter."""

    def __init__(self) -> None:
        self.updates: dict[str, Update] | None = None
        self.network: tuple[Cell, ...] | None = None
        self.reports: dict[str, ModuleReport] = {}
        self.spectra: dict[str, torch.Tensor] = {}


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
    """All singular values of W, descending, computed once."""
    spectra = _known(base).spectra
    if module not in spectra:
        spectra[module] = gram_spectrum(weight_of(base, module))
    return spectra[module]


def updates(base: Base, adapter: Adapter) -> dict[str, Update]:
    """
    Every adapted module by its path, in the order of the layers; read from PEFT's own layers.

    Raises PlaygroundError for methods that change no weight (prompt tuning, few-shot).
    """
    known = _known(base).of(adapter)
    if known.updates is None:
        if adapter.record.method in WEIGHTLESS:
            raise PlaygroundError("no_update", method=adapter.record.method)
        if not all(bool(tensor.isfinite().all()) for tensor in adapter.tensors.values()):
            raise PlaygroundError("not_finite")
        known.updates = _full(base, adapter) if adapter.config is None else _peft(base, adapter)
    return known.updates


def _peft(base: Base, adapter: Adapter) -> dict[str, Update]:
    """From the tensors alone: wrapping a model would draw from the generator that a training beside this has seeded."""
    config: Any = peft_config(adapter.config or {})
    modules: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in adapter.tensors.items():
        module, part = split(name)
        modules.setdefault(module, {})[part] = tensor
    found = {}
    for module, parts in modules.items():
        if "lora_A" in parts:
            a, b = parts["lora_A"].float(), parts["lora_B"].float()
            factors = Factors(a, b, _scaling(config, module, len(a)))
            found[module] = Update(module, factors, parts.get("lora_magnitude_vector"))
            _fits(base, module, factors.shape)
        elif "ia3_l" in parts:
            vector = parts["ia3_l"].float()
            found[module] = Update(module, vector=vector)
            _fits(base, module, (vector.shape[0], vector.shape[1]), one=True)
    return found


def _scaling(config: Any, module: str, rank: int) -> float:
    """alpha / r, or alpha / √r for rsLoRA, with the alpha that PEFT's config gives this module."""
    alpha = config.alpha_pattern.get(get_pattern_key(config.alpha_pattern, module), config.lora_alpha)
    return alpha / (math.sqrt(rank) if config.use_rslora else rank)


def _fits(base: Base, module: str, shape: tuple[int, int], one: bool = False) -> None:
    """Raises PlaygroundError unless the base has such a module of this shape (out, in); `one`: a side may be 1."""
    layers: dict[str, Any] = dict(base.model.named_modules())
    found = (layers[module].out_features, layers[module].in_features) if module in layers else None
    alike = found and all(size == wanted or (one and size == 1) for size, wanted in zip(shape, found, strict=True))
    if not alike:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=f"{module}: {shape} ≠ {found}")


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
    known = _known(base).of(adapter)
    if known.network is None:
        known.network = tuple(
            Cell(
                update.module, update.kind, update.layer,
                update.norm(weight_of(base, update.module) if not update.low_rank else torch.empty(0))
                / weight_norm(base, update.module),
                effective_rank(update.factors.svd.s) if update.factors else None,
            )
            for update in updates(base, adapter).values()
        )  # fmt: skip
    return known.network


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
    spectrum and amplification are those of s · B A; ‖ΔW‖ is that of the whole change, lengths included.

    Raises PlaygroundError if the adapter has no such module, or nothing of low rank.
    """
    module = module or most_changed(base, adapter)
    known = _known(base).of(adapter).reports
    if module not in known:
        known[module] = _report(base, adapter, update_of(base, adapter, module))
    return known[module]


def _report(base: Base, adapter: Adapter, update: Update) -> ModuleReport:
    module = update.module
    if update.factors is None:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    svd, strong, shape = update.factors.svd, update.factors.svd.strong, update.factors.shape
    weight, norm, count = weight_of(base, module), weight_norm(base, module), len(strong.s)
    change, inside = update.norm(weight), within(weight, strong)
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
        amplification=float(torch.linalg.norm(strong.s)) / inside if count else None,
    )


def directions(base: Base, adapter: Adapter, module: str, side: str = "input") -> torch.Tensor:
    """
    The update's singular directions, strongest first, as orthonormal columns: (in, n) of what it reads ("input", as in
    Hu et al. 2021, section 7.2) or (out, n) of what it writes ("output"). Raises PlaygroundError if it has no factors.
    """
    update = update_of(base, adapter, module)
    if update.factors is None:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    svd = update.factors.svd.strong
    if not len(svd.s):
        raise PlaygroundError("nothing_changed")
    return svd.v if side == "input" else svd.u


def spectrum(base: Base, adapter: Adapter, module: str) -> torch.Tensor:
    """The singular values of one module's dense ΔW, descending, computed once. Raises PlaygroundError as `update_of`."""
    known = _known(base).of(adapter).spectra
    if module not in known:
        known[module] = gram_spectrum(update_of(base, adapter, module).delta(weight_of(base, module)))
    return known[module]


def vectors(base: Base, adapter: Adapter) -> dict[str, torch.Tensor]:
    """IA3's l − 1 by kind of module, (layers, entries), in the order of the layers."""
    found: dict[str, list[torch.Tensor]] = {}
    for update in updates(base, adapter).values():
        if update.vector is not None:
            found.setdefault(update.kind, []).append(update.vector.flatten() - 1)
    return {kind: torch.stack(rows) for kind, rows in found.items()}


def update_of(base: Base, adapter: Adapter, module: str) -> Update:
    """Raises PlaygroundError if the adapter did not change such a module."""
    found = updates(base, adapter)
    update = found.get(module) if isinstance(module, str) else None
    if update is None:
        kinds = ", ".join(sorted({one.kind for one in found.values()}))
        raise PlaygroundError("unknown_module", module=str(module)[:80], known=kinds)
    return update
