"""
How long a run that waits still has to: from what the runs of its lane have taken, and from what those that go on tell.

Work is counted in turns of the lane, of which company changes nothing. A turn takes what each run's own part of it takes
and what the runs do in common, and all of it longer while other lanes have their turns. Knows nothing about threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playground.work.jobs import Run

LATEST = 8  # runs of a lane, and turns of it, whose mean is what is expected
LEAST = 0.1  # of a run's expected work, that it has left when it has taken more already


class Work(NamedTuple):
    """An amount of it: turns, and the seconds of one's own in them."""

    turns: float = 0.0
    own: float = 0.0

    @property
    def each(self) -> float:
        """Seconds of one's own in a turn."""
        return self.own / self.turns if self.turns else 0.0

    def times(self, factor: float) -> Work:
        return Work(self.turns * factor, self.own * factor)

    def more(self, other: Work) -> Work:
        return Work(self.turns + other.turns, self.own + other.own)

    def less(self, other: Work) -> Work:
        return Work(self.turns - other.turns, self.own - other.own)

    def at_least(self, other: Work) -> Work:
        return Work(max(self.turns, other.turns), max(self.own, other.own))


NONE = Work()


@dataclass
class Spent:
    """What a run has taken so far, and what its events told of the share of its work that was left then."""

    so_far: Work = NONE
    before: Work = NONE  # what was done before the first of them
    first: tuple[Work, float] | None = None
    last: tuple[Work, float] | None = None

    def add(self, seconds: float, event: Any) -> None:
        """One turn more, and its event."""
        before, self.so_far = self.so_far, self.so_far.more(Work(1, seconds))
        left = share_left(event)
        if left is not None:
            self.last = self.so_far, left
            if self.first is None or self.first[1] <= left:  # what comes before the work itself is no measure of it
                self.before, self.first = before, self.last

    def left(self, after: Work | None) -> Work | None:
        """
        What it has still to do, as two of its events tell; None where they do not. `after` all of that comes what others
        did at the end, or as much as this one did at its beginning: it looks then too.
        """
        if self.first is None or self.last is None or self.first[1] <= self.last[1]:
            return None
        (begun, most), (done, least) = self.first, self.last
        left = done.less(begun).times(least / (most - least)).more(self.before if after is None else after)
        return left.less(self.so_far.less(done)).at_least(NONE)

    @property
    def after(self) -> Work | None:
        """What was done after its last event that told how far it was."""
        return self.so_far.less(self.last[0]) if self.last else None


def share_left(event: Any) -> float | None:
    """Of a run's work, as an event tells it by its `left`, or by seconds: `elapsed` and `remaining`. None: it does not."""
    if (left := getattr(event, "left", None)) is not None:
        return float(left)
    elapsed, remaining = getattr(event, "elapsed", None), getattr(event, "remaining", None)
    if elapsed is None or remaining is None or elapsed + remaining <= 0:
        return None
    return float(remaining / (elapsed + remaining))


class Turn(NamedTuple):
    """Seconds of a lane's turn: from the end of the one before, from its own beginning, and in the runs' own parts."""

    since: float
    whole: float
    own: float


@dataclass
class Pace:
    """What the latest turns of a lane took, and its latest runs."""

    turns: deque[Turn] = field(default_factory=lambda: deque(maxlen=LATEST))
    past: deque[Work] = field(default_factory=lambda: deque(maxlen=LATEST))  # a unit of length
    ends: deque[Work] = field(default_factory=lambda: deque(maxlen=LATEST))  # what came after all that was told
    turned_at: float | None = None

    def turn(self, began: float, ended: float, own: float) -> None:
        """A turn has ended, in which the runs' own parts took so many seconds."""
        if self.turned_at is not None:
            self.turns.append(Turn(ended - self.turned_at, ended - began, own))
        self.turned_at = ended

    @property
    def common(self) -> float:
        """Seconds of a turn that are no run's own."""
        return mean(turn.whole - turn.own for turn in self.turns) if self.turns else 0.0

    @property
    def stretched(self) -> float:
        """How much longer all of it takes while other lanes have their turns."""
        worked = sum(turn.whole for turn in self.turns)
        return sum(turn.since for turn in self.turns) / worked if worked else 1.0

    @property
    def after(self) -> Work | None:
        return _mean(self.ends)

    def end(self, run: Run, idle: bool) -> None:
        """A run has ended; `idle` where nothing is left to do in the lane."""
        if run.state == "finished":
            self.past.append(run.spent.so_far.times(1 / run.length))
            self.ends.extend([run.spent.after] if run.spent.after else [])
        self.turned_at = None if idle else self.turned_at

    def typical(self, going: Sequence[Run]) -> Work | None:
        """
        What a run takes a unit of length: as the latest ones have, or, while none has ended, those that go on will have.
        None where nothing tells.
        """
        known = list(self.past)
        for run in going if not known else ():
            if (left := run.spent.left(self.after)) is not None:
                known.append(run.spent.so_far.more(left).times(1 / run.length))
        return _mean(known)


def _mean(works: Sequence[Work] | deque[Work]) -> Work | None:
    return Work(mean(one.turns for one in works), mean(one.own for one in works)) if works else None


def begins_in(
    run: Run, ahead: Sequence[Run], going: Sequence[Run], pace: Pace, fits: Callable[[Sequence[Run]], bool]
) -> float | None:
    """
    Seconds until a waiting run begins: those `ahead` of it come in their order, as soon as all that go on then are few
    enough that it `fits`. None where nothing tells.
    """
    typical, after, common, stretched = pace.typical(going), pace.after, pace.common, pace.stretched
    active: list[tuple[Run, Work]] = []
    for one in going:
        left = one.spent.left(after)
        if left is None and typical is None:
            return None
        active.append((one, left if left is not None else _expected(one, typical or NONE)))
    now = 0.0
    for one in (*ahead, run):
        while active and not fits([*(other for other, _ in active), one]):
            turns = min(left.turns for _, left in active)
            now += turns * stretched * (sum(left.each for _, left in active) + common)
            active = [(other, left.times(1 - turns / left.turns)) for other, left in active if left.turns > turns]
        if one is not run and typical is None:
            return None
        active.append((one, _expected(one, typical or NONE)))
    return now


def _expected(run: Run, typical: Work) -> Work:
    """What a run has still to do, whose events do not tell."""
    whole = typical.times(run.length)
    return whole.less(run.spent.so_far).at_least(whole.times(LEAST))
