"""
What can be said of an adapter's updates: where they are, how large, in which directions. All in numbers.

What is computed of a base or an adapter is remembered as long as it lives. Knows nothing about the page.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch

from playground.adapt.adapters import Adapter
from playground.errors import PlaygroundError
from playground.lowrank.factors import effective_rank, energy, gram_spectrum, within, within_random
from playground.lowrank.ranks import Ranks, ranks
from playground.lowrank.updates import Update, forget, update_of, updates
from playground.model.bases import Base
from playground.model.weights import weight_of


@dataclass
class _Weights:
    """What has been computed of a base's weights, by module: their norms, their singular values."""

    norms: dict[str, float] = field(default_factory=dict)
    spectra: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass
class _Examined:
    """What has been computed of one adapter."""

    network: tuple[Cell, ...] | None = None
    reports: dict[str, ModuleReport] = field(default_factory=dict)
    spectra: dict[str, torch.Tensor] = field(default_factory=dict)


_WEIGHTS: WeakKeyDictionary[Base, _Weights] = WeakKeyDictionary()
_EXAMINED: WeakKeyDictionary[Base, WeakKeyDictionary[Adapter, _Examined]] = WeakKeyDictionary()


def _examined(base: Base, adapter: Adapter) -> _Examined:
    known = _EXAMINED.setdefault(base, WeakKeyDictionary())
    found = known.setdefault(adapter, _Examined())
    forget(known)
    return found


def weight_norm(base: Base, module: str) -> float:
    """‖W‖_F, computed once."""
    norms = _WEIGHTS.setdefault(base, _Weights()).norms
    if module not in norms:
        norms[module] = float(torch.linalg.norm(weight_of(base.model, module)))
    return norms[module]


def weight_spectrum(base: Base, module: str) -> torch.Tensor:
    """All singular values of W, descending, computed once."""
    spectra = _WEIGHTS.setdefault(base, _Weights()).spectra
    if module not in spectra:
        spectra[module] = gram_spectrum(weight_of(base.model, module))
    return spectra[module]


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
    known = _examined(base, adapter)
    if known.network is None:
        known.network = tuple(
            Cell(
                update.module, update.kind, update.layer,
                update.norm(weight_of(base.model, update.module) if not update.low_rank else torch.empty(0))
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
    return tuple(_turn(update, weight_of(base.model, update.module)) for update in updates(base, adapter).values())


def _turn(update: Update, weight: torch.Tensor) -> Turn:
    new, weight = (weight + update.delta(weight)).double(), weight.double()
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
    known = _examined(base, adapter).reports
    if module not in known:
        known[module] = _report(base, adapter, update_of(base, adapter, module))
    return known[module]


def _report(base: Base, adapter: Adapter, update: Update) -> ModuleReport:
    module = update.module
    if update.factors is None:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    svd, strong, shape = update.factors.svd, update.factors.svd.strong, update.factors.shape
    weight, norm, count = weight_of(base.model, module), weight_norm(base, module), len(strong.s)
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
    known = _examined(base, adapter).spectra
    if module not in known:
        known[module] = gram_spectrum(update_of(base, adapter, module).delta(weight_of(base.model, module)))
    return known[module]


def ranks_of(base: Base, adapter: Adapter) -> dict[str, Ranks]:
    """Which rank would have been enough in every module that has factors. Raises PlaygroundError if none has."""
    found = {
        one.module: ranks(one.factors.svd.s.tolist(), one.factors.shape)
        for one in updates(base, adapter).values()
        if one.factors
    }
    if not found:
        raise PlaygroundError("no_factors", method=adapter.record.method)
    return found


def vectors(base: Base, adapter: Adapter) -> dict[str, torch.Tensor]:
    """
    IA3's l − 1 by kind of module, (layers, entries), in the order of the layers. A kind whose inputs are scaled in some
    layers and whose outputs in others, as an adapter from outside may do, has two, with their shapes in the names.
    """
    found: dict[tuple[str, tuple[int, int]], list[torch.Tensor]] = {}
    for update in updates(base, adapter).values():
        if update.vector is not None:
            rows, columns = update.vector.shape
            found.setdefault((update.kind, (rows, columns)), []).append(update.vector.flatten() - 1)
    kinds = Counter(kind for kind, _ in found)
    names = {place: place[0] if kinds[place[0]] == 1 else "{} ({} × {})".format(place[0], *place[1]) for place in found}
    return {names[place]: torch.stack(rows) for place, rows in found.items()}
