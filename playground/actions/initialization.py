"""
Asking where LoRA's factors begin, and for a race from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.actions.catalogue import have
from playground.actions.lanes import LAB, MEASURE
from playground.adapt.initialization import LORA, QLORA
from playground.adapt.methods import method
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.modules import linear_layers
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.lowrank.initialization import Map

MAP, RACE = "initialization-map", "initialization-race"  # places of the session's runs
KINDS = (*LORA, *(one for one in QLORA if one not in LORA))


@dataclass(frozen=True)
class Asked:
    """What a run is about."""

    base: str
    module: str = ""
    initialization: str = ""
    rate: float = 0.0


def modules(base_id: str) -> list[str]:
    """Those that LoRA adapts with its defaults, by their paths; none before the base is loaded."""
    from playground.adapt.targets import targeted

    if not BASES.is_loaded(base_id):
        return []
    base = BASES.get(base_id)
    names = {one.name for one in targeted(base.architecture, method("lora").complete({})["targets"])}
    return [path for path in linear_layers(base.model) if path.rpartition(".")[2] in names]


def start_map(key: str, asked: Asked) -> Run:
    """Queue the map of one module's A at its start against W (None: a pause). Raises PlaygroundError at once."""
    from playground.lowrank.initialization import Start, begun

    have(asked.base)
    start = Start("lora" if asked.initialization in LORA else "qlora", asked.initialization)

    def events(stop: Any) -> Iterator[Map | None]:
        if asked.module not in modules(asked.base):
            raise PlaygroundError("no_such_module", module=asked.module)
        yield (yield from begun(asked.base, start, asked.module, BASES.get))

    return SESSIONS.submit(key, LAB, events, asked, MAP)


def start_race(key: str, base_id: str, rate: float) -> Run:
    """Queue the first steps from every initialization, three seeds each. Raises PlaygroundError at once."""
    from playground.lowrank.initialization import race

    have(base_id)
    return SESSIONS.submit(key, MEASURE, lambda stop: race(base_id, rate, BASES.get, stop), Asked(base_id, rate=rate), RACE)


def race_of(key: str, rate: float) -> Run | None:
    """The session's latest race, if it is at this learning rate."""
    run = SESSIONS.get(key).runs.get(RACE)
    return run if run and run.job.rate == rate else None
