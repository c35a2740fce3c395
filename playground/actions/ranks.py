"""
A race of the ranks that an adapter's updates suggest against the uniform rank that trains about as many parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from playground.actions.adapters import examined, held_out_task
from playground.actions.race import Racer, race_of, start_race
from playground.adapt import initialization, ranks
from playground.adapt.methods import method
from playground.adapt.targets import targeted
from playground.errors import PlaygroundError
from playground.model.modules import kind_of, layer_of
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.lowrank.ranks import Ranks
    from playground.model.architecture import Architecture

RACED = "ranks-race"  # among the session's forms: which adapter's ranks race, and the race


def start_ranks(key: str, adapter_id: str) -> list[Run]:
    """
    Queue both on the task of an adapter, with its settings, steps and seed: the suggested ranks, then the uniform one. Those
    of AdaLoRA, which has no ranks of a visitor's, are raced by LoRA with its usual settings. Raises PlaygroundError at once.
    """
    from playground.lowrank.findings import ranks_of

    base, adapter = examined(key, adapter_id)
    record, task = adapter.record, held_out_task(adapter)
    if task is None:
        raise PlaygroundError("no_held_out")
    layered = ranks.RANKS in method(record.method).hyperparameters
    told = (record.method, record.hyperparameters) if layered else ("lora", {})
    racers = contenders(base.architecture, *told, ranks_of(base, adapter))
    steps = record.planned_steps or record.steps or None
    runs = start_race(key, record.base, task, racers, steps=steps, seed=record.seed)
    SESSIONS.get(key).forms[RACED] = (adapter_id, runs)
    return runs


def ranks_race(key: str, adapter_id: str) -> list[Run]:
    """The session's latest race, if it is one of this adapter's ranks; else none."""
    about, runs = SESSIONS.get(key).forms.get(RACED, ("", []))
    return runs if about == adapter_id and runs == race_of(key) else []


def contenders(
    architecture: Architecture, method_id: str, values: Mapping[str, Any], found: Mapping[str, Ranks]
) -> tuple[Racer, Racer]:
    """
    The settings of both, which differ in `ranks` alone: those of the adapter, with the uniform rank and an alpha that scales
    as its own does, and factors that begin as noise. Raises PlaygroundError where all suggested ranks are the same, or
    where none of the choices of targets means the adapter's modules.
    """
    from playground.lowrank.ranks import suggestion

    told = {(kind_of(module), layer_of(module)): one.suggested for module, one in found.items()}
    if len(set(told.values())) == 1:
        raise PlaygroundError("ranks_alike", rank=next(iter(told.values())))
    chosen = method(method_id)
    known = {bound.name for bound in chosen.hyperparameters}
    usual = chosen.complete({name: value for name, value in values.items() if name in known})
    rank = suggestion(list(found.values())).uniform
    alpha = max(1, round(ranks.alike(usual, rank)))
    even = usual | {"rank": rank, "alpha": alpha, "targets": _targets(architecture, told), "ranks": ""}
    even |= {"initialization": initialization.RANDOM}
    return Racer(method_id, even | {"ranks": ranks.written(told)}), Racer(method_id, even)


def _targets(architecture: Architecture, modules: Mapping[ranks.Module, int]) -> str:
    """The choice that means exactly these modules. Raises PlaygroundError if none does."""
    choices = next(bound.choices for bound in method("lora").hyperparameters if bound.name == "targets")
    for choice in choices:
        try:
            meant = {(one.name, place) for one in targeted(architecture, choice) for place in one.places}
        except PlaygroundError:  # the base has no such layers
            continue
        if meant == modules.keys():
            return str(choice)
    raise PlaygroundError("ranks_elsewhere", names=", ".join(sorted({name for name, _ in modules})))
