"""
How much of a mix is the luck of what DARE drops: the held-out losses of the same mix from three seeds, beside those of the
exact sum, which draws nothing. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING

from playground.adapt.variant import Variant
from playground.bounds import SEED
from playground.lowrank.mix import Mix
from playground.lowrank.mixing import mixing
from playground.model.memory import STORE
from playground.train.pauses import between
from playground.train.scoring import held_out_loss

if TYPE_CHECKING:
    from playground.adapt.tasks import Task
    from playground.model.bases import Base

COUNT = 3
EXACT = "cat"


@dataclass(frozen=True)
class SpreadJob:
    """A checked mix whose rule draws, and the tasks that it is measured on."""

    mix: Mix
    tasks: tuple[Task, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The mix's own and the next ones."""
        first = min(self.mix.seed, int(SEED.maximum or 0) - COUNT + 1)
        return tuple(range(first, first + COUNT))


@dataclass(frozen=True)
class Spread:
    """What is known so far: by task the held-out losses in nats a token, of each of the `seeds`, then of the exact sum."""

    seeds: tuple[int, ...]
    losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return sum(map(len, self.losses.values()))

    def verdicts(self) -> dict[str, Verdict]:
        """Of the tasks that are measured to the end."""
        count = len(self.seeds)
        whole = {task: found for task, found in self.losses.items() if len(found) > count}
        return {task: Verdict(found[:count], found[count]) for task, found in whole.items()}


@dataclass(frozen=True)
class Verdict:
    """One task: the losses of the seeds, and that of the exact sum."""

    seeds: tuple[float, ...]
    exact: float

    @property
    def spread(self) -> float:
        """From the lowest to the highest seed."""
        return max(self.seeds) - min(self.seeds)

    @property
    def difference(self) -> float:
        """What the rule costs: the seeds' mean above the exact sum."""
        return fmean(self.seeds) - self.exact

    @property
    def differs(self) -> bool:
        """Whether the rules lie farther apart than the seeds of one do."""
        return abs(self.difference) > self.spread


def spread(base: Base, job: SpreadJob) -> Iterator[Spread]:
    """What is known, again and again, also where it has only paused. Raises PlaygroundError as `mixing`."""
    done = Spread(job.seeds)
    for mix in (*(replace(job.mix, seed=seed) for seed in job.seeds), replace(job.mix, rule=EXACT)):
        losses = yield from between(_losses(base, mix, job.tasks), done)
        known = {task: (*done.losses.get(task, ()), loss) for task, loss in losses.items()}
        done = replace(done, losses=known)
        yield done


def _losses(base: Base, mix: Mix, tasks: tuple[Task, ...]) -> Generator[None, None, dict[str, float]]:
    """Of a mix that is let go afterwards, by task."""
    steps, found = mixing(base, mix), dict[str, float]()
    while (made := next(steps)) is None:
        yield
    try:
        for task in tasks:
            found[task.id] = yield from held_out_loss(base, Variant.of(made.record.base, made), task)
    finally:
        STORE.forget(made)
    return found
