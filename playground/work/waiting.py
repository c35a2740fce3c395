"""
How long a run that waits still has to: from what the runs of its lane have taken, and from what those that go on tell.

A run's seconds are the worker's: those of its own parts of the turns, and its share of what the runs do in common. Those
that go on together share the lane's time, and all of it takes longer while other lanes have their turns. Knows nothing
about threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground.work.jobs import Run

LATEST = 8  # runs of a lane, and turns of it, whose mean is what is expected
LEAST = 0.1  # of what a run was expected to take, that it has left when it has taken more already


@dataclass
class Spent:
    """Seconds that a run has taken so far, and how many it had when its events told which share of its work was left."""

    seconds: float = 0.0
    first: tuple[float, float] | None = None  # seconds, share
    last: tuple[float, float] | None = None

    def add(self, seconds: float, event: Any) -> None:
        """What a turn took, and its event. Where the share grows again, other work has begun: that before is no measure."""
        self.seconds += seconds
        left = getattr(event, "left", None)
        if left is not None:
            self.first = (self.seconds, left) if self.first is None or left > self.first[1] else self.first
            self.last = self.seconds, left

    @property
    def left(self) -> float | None:
        """Seconds that are still to come, as two of its events tell; None where they do not."""
        if self.first is None or self.last is None or self.first[1] <= self.last[1]:
            return None
        (begun, most), (told, least) = self.first, self.last
        return _rest((told - begun) * least / (most - least), self.seconds - told)


def _rest(whole: float, done: float) -> float:
    return max(whole - done, LEAST * whole)


@dataclass
class Pace:
    """What the latest turns of a lane took, and its latest runs."""

    turns: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=LATEST))  # seconds: with the others', own
    past: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))  # seconds a unit of length
    turned_at: float | None = None

    @property
    def turn_takes(self) -> float:
        """Seconds of a turn."""
        return mean(own for _, own in self.turns) if self.turns else 0.0

    def turn(self, began: float, ended: float) -> None:
        """A turn has ended."""
        if self.turned_at is not None:
            self.turns.append((ended - self.turned_at, ended - began))
        self.turned_at = ended

    @property
    def stretched(self) -> float:
        """How much longer everything takes while other lanes have their turns."""
        own = sum(own for _, own in self.turns)
        return sum(whole for whole, _ in self.turns) / own if own else 1.0

    def end(self, run: Run, idle: bool) -> None:
        """A run has ended; `idle` where nothing is left to do in the lane."""
        if run.state == "finished":
            self.past.append(run.spent.seconds / run.length)
        self.turned_at = None if idle else self.turned_at

    def typical(self, going: Sequence[Run]) -> float | None:
        """
        Seconds that a run takes a unit of length: as the latest ones have, or, while none has ended, those that go on will
        have. None where nothing tells.
        """
        told = [(run.spent.seconds + run.spent.left) / run.length for run in going if run.spent.left is not None]
        known = self.past or told
        return mean(known) if known else None


def begins_in(
    run: Run, ahead: Sequence[Run], going: Sequence[Run], pace: Pace, fits: Callable[[Sequence[Run]], bool]
) -> float | None:
    """
    Seconds until a waiting run begins: those `ahead` of it come in their order, as soon as all that go on then are few
    enough that it `fits`. Those that go on share the lane's time. None where nothing tells.
    """
    typical = pace.typical(going)
    if typical is None:
        return None
    ending = pace.turn_takes / max(1, len(going))  # one in which it does no more than end, while the others work
    active = [(one, _left(one, typical) + ending) for one in going]
    now = 0.0
    for one in (*ahead, run):
        while active and not fits([*(other for other, _ in active), one]):
            least = min(left for _, left in active)
            now += least * len(active)
            active = [(other, left - least) for other, left in active if left > least]
        active.append((one, typical * one.length + ending))
    return now * pace.stretched


def _left(run: Run, typical: float) -> float:
    """Seconds that it still takes: as it tells itself, or else as others have taken."""
    return _rest(typical * run.length, run.spent.seconds) if run.spent.left is None else run.spent.left
