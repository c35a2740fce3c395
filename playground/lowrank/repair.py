"""
What repairing an adapter does: the base, the adapter, and what is left of it with its intruders turned down, each on the
adapter's task and on the neutral text. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from playground.adapt.variant import Variant
from playground.lowrank.intruders import Found, Repair, repaired, survey
from playground.train.forgetting import Forgetting, forgetting
from playground.train.pauses import Stopped, between
from playground.train.scoring import Scored, ScoreJob, worth

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.adapt.tasks import Task
    from playground.model.bases import Base


@dataclass(frozen=True)
class RepairJob:
    """Repair an adapter and measure it, on the held-out examples of a task."""

    base: str  # with its form
    adapter: Adapter
    repair: Repair
    task: Task


@dataclass(frozen=True)
class Repaired:
    """
    What is known so far: the intruders, what base, adapter and repaired adapter are worth, in this order, and how the
    repaired one reads the neutral text beside the adapter. Without intruders nothing is measured of a repaired one.
    """

    repair: Repair
    task: str
    found: Found = field(default_factory=Found)
    worth: tuple[Scored, ...] = ()
    apart: Forgetting | None = None


def repair(job: RepairJob, get_base: Callable[[str], Base], stop: Callable[[], bool] = lambda: False) -> Iterator[Repaired]:
    """What is known, again and again, also where it has only paused. Raises PlaygroundError as `Repair.checked`."""
    base = get_base(job.base)
    done, whole = Repaired(job.repair.checked(base, job.adapter), job.task.id), Variant(job.base, job.adapter)
    for found in survey(base, job.adapter, done.repair):
        done = replace(done, found=found)
        yield done
    variants = [Variant(job.base), whole]
    if done.found.total:
        yield from between(repaired(base, job.adapter, done.repair), done)
        variants.append(replace(whole, edit=done.repair))
    asked = ScoreJob(job.task, tuple(variants), neutral=True)
    try:
        for variant in variants:
            scored = yield from between(worth(asked, variant, base, stop, None), done)
            done = replace(done, worth=(*done.worth, scored))
            yield done
    except Stopped:
        return
    if done.found.total:
        apart = yield from between(forgetting(base, variants[-1], whole), done)
        yield replace(done, apart=apart)
