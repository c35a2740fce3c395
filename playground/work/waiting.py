"""
How long a run that waits still has to: from what the runs of its lane have taken, and from what those that go on tell.

A run's seconds are the worker's: those of its own parts of the turns, and its share of what the runs do in common. Those
that go on together have their turns one after the other, and all of it takes longer while other lanes have theirs. Knows
nothing about threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground.work.jobs import Run

LATEST = 8  # runs of a lane, and turns of it, whose mean is what is expected
FEW = 4  # turns that say little of how long those of a run are
LEAST = 0.1  # of what a run was expected to take, that it has left when it has taken more already


@dataclass(frozen=True)
class Length:
    """How long a run is beside others of its lane: its work, in whatever unit they have in common, and how many turns."""

    work: float = 1.0
    turns: float | None = None  # None: nothing tells

    def __add__(self, other: Length) -> Length:
        told = None if self.turns is None or other.turns is None else self.turns + other.turns
        return Length(self.work + other.work, told)

    def __mul__(self, times: float) -> Length:
        return Length(self.work * times, None if self.turns is None else self.turns * times)


ONE, NONE = Length(), Length(0.0, 0.0)


@dataclass
class Spent:
    """Seconds that a run has taken so far, and how many it had when its events told which share of its work was left."""

    seconds: float = 0.0
    turns: int = 0
    first: tuple[float, float] | None = None  # seconds, share
    last: tuple[float, float] | None = None

    def add(self, seconds: float, event: Any) -> None:
        """What a turn took, and its event. Where the share grows again, other work has begun: that before is no measure."""
        self.seconds += seconds
        self.turns += 1
        left = getattr(event, "left", None)
        if left is not None:
            self.first = (self.seconds, left) if self.first is None or left > self.first[1] else self.first
            self.last = self.seconds, left

    def a_turn(self, usual: float) -> float:
        """Seconds of one turn of it, on average; of one that has had few, close to the `usual` ones."""
        return (self.seconds + FEW * usual) / (self.turns + FEW)

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

    # seconds of a turn with those of other lanes, its own, and those of one run's part of it
    turns: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=LATEST))
    past: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))  # seconds a unit of work
    more: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))  # turns, of each that was foretold
    turned_at: float | None = None

    @property
    def part_takes(self) -> float:
        """Seconds of one run's part of a turn."""
        return mean(part for *_, part in self.turns) if self.turns else 0.0

    def turn(self, began: float, ended: float, runs: int) -> None:
        """A turn of so many runs has ended."""
        if self.turned_at is not None:
            self.turns.append((ended - self.turned_at, ended - began, (ended - began) / runs))
        self.turned_at = ended

    @property
    def stretched(self) -> float:
        """How much longer everything takes while other lanes have their turns."""
        own = sum(own for _, own, _ in self.turns)
        return sum(whole for whole, *_ in self.turns) / own if own else 1.0

    def end(self, run: Run, idle: bool) -> None:
        """A run has ended; `idle` where nothing is left to do in the lane."""
        if run.state == "finished":
            self.past.append(run.spent.seconds / run.length.work)
            if run.length.turns:
                self.more.append(run.spent.turns / run.length.turns)
        self.turned_at = None if idle else self.turned_at

    def typical(self, going: Sequence[Run]) -> float | None:
        """
        Seconds that a run takes a unit of work: as the latest ones have, or, while none has ended, those that go on will
        have. None where nothing tells.
        """
        told = [(run.spent.seconds + run.spent.left) / run.length.work for run in going if run.spent.left is not None]
        known = self.past or told
        return mean(known) if known else None


def begins_in(
    run: Run, ahead: Sequence[Run], going: Sequence[Run], pace: Pace, fits: Callable[[Sequence[Run]], bool]
) -> float | None:
    """
    Seconds until a waiting run begins: those `ahead` of it come in their order, as soon as all that go on then are few
    enough that it `fits`. Those that go on share the lane's time as their parts of a turn are long. None where nothing
    tells.
    """
    active = _active(going, pace)
    if active is None:
        return None
    now = 0.0
    for one in (*ahead, run):
        while active and not fits([*(other.run for other in active), one]):
            seconds, active = _until_one_ends(active)
            now += seconds
        active.append(_new(one, going, pace))
    return now * pace.stretched


def ends_in(
    run: Run, going: Sequence[Run], waiting: Sequence[Run], pace: Pace, fits: Callable[[Sequence[Run]], bool]
) -> float | None:
    """
    Seconds until a run that goes on ends, while those that wait come in their order as soon as they fit. None where nothing
    tells.
    """
    active, coming, now = _active(going, pace), list(waiting), 0.0
    if active is None:
        return None
    while any(one.run is run for one in active):
        while coming and fits([*(one.run for one in active), coming[0]]):
            active.append(_new(coming.pop(0), going, pace))
        seconds, active = _until_one_ends(active)
        now += seconds
    return now * pace.stretched


def _active(going: Sequence[Run], pace: Pace) -> list[_Going] | None:
    """Those that go on, as far as they still have to; None where nothing tells how far that is."""
    typical = pace.typical(going)
    if typical is None:
        return None
    left = [(one, _left(one, typical) + pace.part_takes) for one in going]
    return [_Going(one, seconds, _turns_left(one, seconds, pace)) for one, seconds in left]


def _new(run: Run, going: Sequence[Run], pace: Pace) -> _Going:
    """One that waits, as if it began."""
    whole = (pace.typical(going) or 0.0) * run.length.work + pace.part_takes
    return _Going(run, whole, _turns_left(run, whole, pace))


def _until_one_ends(active: Sequence[_Going]) -> tuple[float, list[_Going]]:
    """The seconds that takes, and those that go on then."""
    turns = min(one.turns for one in active)
    return turns * sum(one.a_turn for one in active), [one.after(turns) for one in active if one.turns > turns]


@dataclass(frozen=True)
class _Going:
    """A run that goes on, or will: seconds that it still takes, and in how many turns."""

    run: Run
    left: float
    turns: float

    @property
    def a_turn(self) -> float:
        """Seconds of its part of one."""
        return self.left / self.turns if self.turns else 0.0

    def after(self, turns: float) -> _Going:
        return replace(self, left=self.left - turns * self.a_turn, turns=self.turns - turns)


def _left(run: Run, typical: float) -> float:
    """Seconds that it still takes: as it tells itself, or else as others have taken."""
    return _rest(typical * run.length.work, run.spent.seconds) if run.spent.left is None else run.spent.left


def _turns_left(run: Run, left: float, pace: Pace) -> float:
    """Turns that it still has, in one of which it ends: as it was foretold, or else as long as those before."""
    if run.length.turns is None:
        return left / run.spent.a_turn(pace.part_takes or 1.0)
    return 1 + _rest(run.length.turns * (mean(pace.more) if pace.more else 1.0), run.spent.turns)
