"""
What is said about waiting is true within a factor of two: work of known length on a clock that only the work moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from playground.work.jobs import Jobs, Lane, Run, Size
from playground.work.waiting import Length
from tests.conftest import walk

BOUND = 20.0  # real seconds after which a test has failed; none waits for it when all is well
FACTOR, SLACK = 2.0, 0.05  # and the share of all the time that nobody counts


class Told(NamedTuple):
    """An event that says which share of the run's work is left, as a training's do."""

    left: float


@dataclass
class World:
    """Jobs on a virtual clock, and what was said of the runs that wait, whenever any work was done."""

    now: float = 0.0
    said: list[tuple[float, Run, float | None]] = field(default_factory=list)
    waiting: list[Run] = field(default_factory=list)
    began: dict[Run, float] = field(default_factory=dict)
    follows: bool = False  # whether those that go on are asked for their end, too: once a second
    ends: list[tuple[float, Run, float | None]] = field(default_factory=list)  # what was said of them
    ended: dict[Run, float] = field(default_factory=dict)
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.jobs = Jobs(lambda: self.now)

    def pass_by(self, seconds: float) -> None:
        """Some work; then whoever comes at that time comes, and everybody who waits looks at the page."""
        self.now += seconds
        due = [one for one in self.later if one[0] <= self.now]
        self.later = [one for one in self.later if one not in due]
        for _, come in due:
            come()
        for run in self.waiting:
            if run.state == "queued" and run.position:
                self.said.append((self.now, run, self.jobs.expected_wait(run)))
            elif (
                self.follows and run.state == "running" and run not in self.ended and int(self.now) > int(self.now - seconds)
            ):
                self.ends.append((self.now, run, self.jobs.expected_end(run)))

    def submit(self, lane: Lane, work: Callable[[World, Callable[[], bool]], Iterator[Any]], **how: Any) -> Run:
        def start(stop: Callable[[], bool]) -> Iterator[Any]:
            self.began[run] = self.now
            yield from work(self, stop)
            self.ended[run] = self.now

        run = self.jobs.submit(lane, start, **how)
        self.waiting.append(run)
        return run

    def run(self, begin: Callable[[], object]) -> None:
        """From `begin`, which submits on the worker's own thread, until all is done."""

        def first(stop: Callable[[], bool]) -> Iterator[Any]:
            begin()
            yield 0

        opening = self.jobs.submit(Lane("beginning"), first)
        while not opening.ended or not all(run.ended for run in self.waiting):
            for run in (opening, *self.waiting):
                for _ in run.changes(BOUND):
                    pass
        assert not any(run.error for run in (opening, *self.waiting))

    def wrong(self, since: float = 0.0) -> list[str]:
        """What was said since a moment that was off by more than a factor of two."""
        found = []
        for now, run, wait in self.said:
            true = self.began.get(run, self.now) - now
            if now >= since and wait is not None and not self.right(wait, true):
                found.append(f"at {now:.1f} s: {wait:.1f} s were said, {true:.1f} s it was")
        return found

    def wrong_ends(self) -> list[str]:
        """The same of the seconds until somebody who goes on ends."""
        told = [(now, said, self.ended[run] - now) for now, run, said in self.ends if said is not None]
        return [
            f"at {now:.1f} s: {said:.1f} s, {true:.1f} s it was" for now, said, true in told if not self.right(said, true)
        ]

    def right(self, wait: float, true: float) -> bool:
        return abs(wait - true) <= SLACK * self.now or 1 / FACTOR <= wait / true <= FACTOR

    def silent(self) -> float:
        """Until when nothing was said to somebody who waited."""
        return max((now for now, _, wait in self.said if wait is None), default=0.0)


# Kinds of work


def looks(steps: int) -> int:
    return 1 + sum(step % max(1, steps // 4) == 0 for step in range(1, steps + 1))


def training(steps: int, cost: float, look: int = 3, until: int | None = None, part: float = 0.5) -> Any:
    """
    Looks in so many pauses of a `part` of a step, then steps that tell; looks now and then. Ends after step `until` where it
    diverges.
    """
    whole = cost * (steps + looks(steps) * look * part)

    def work(world: World, stop: Callable[[], bool]) -> Iterator[Any]:
        def looking() -> Iterator[None]:
            for _ in range(look):
                world.pass_by(cost * part)
                yield None

        yield Told(1.0)
        yield from looking()
        done = cost * look * part
        for step in range(1, steps + 1):
            if stop():
                return
            world.pass_by(cost)
            done += cost
            yield Told(1 - done / whole)
            if step == until:
                return
            if step % max(1, steps // 4) == 0:
                yield from looking()
                done += cost * look * part

    return work


def answering(tokens: int, cost: float = 0.01) -> Any:
    """Tokens that tell nothing: a comparison, whose time is mostly what all of them do in common."""

    def work(world: World, stop: Callable[[], bool]) -> Iterator[Any]:
        for token in range(tokens):
            world.pass_by(cost)
            yield token

    return work


NARROW = Lane("narrow", keeps=True)
WIDE = Lane("wide", keeps=True, width=4)


def test_one_at_a_time_that_tell_how_far_they_are() -> None:
    world = World()
    world.run(lambda: [world.submit(NARROW, training(20, 0.5)) for _ in range(6)])
    assert world.wrong() == []
    assert world.silent() < 4, "after two steps of the first one there is something to say"


def test_one_at_a_time_that_tell_nothing_until_one_has_ended() -> None:
    world = World()
    world.run(lambda: [world.submit(NARROW, answering(20, 0.4)) for _ in range(6)])
    assert world.wrong() == []
    assert world.silent() < 8.5, "as the first one was, so the others are expected to be"


@pytest.mark.parametrize("width", walk([2, 4, 8], [4]))
def test_many_together_in_a_long_queue(width: int) -> None:
    world, lane = World(), Lane("wide", keeps=True, width=width)
    world.run(lambda: [world.submit(lane, training(20, 0.2)) for _ in range(3 * width + 1)])
    assert world.wrong() == []
    assert world.silent() < 3 * width


def test_who_has_short_turns_waits_for_the_long_ones_of_the_others() -> None:
    """A turn is a step of each: LoRA on eight examples goes on beside prompt tuning on one."""
    world, lane = World(), Lane("wide", keeps=True, width=8)

    def begin() -> None:
        for steps, cost in ((3, 2.0), (8, 0.4), (5, 0.6), (12, 2.0)) * 4:
            world.submit(lane, training(steps, cost), length=Length((steps + 3) * cost))

    world.run(begin)
    assert world.said
    assert len(world.wrong()) <= len(world.said) / 20


def test_who_writes_waits_for_the_others_with_every_few_tokens() -> None:
    """At the end a run's turns are many and short, but each lasts as long as everybody's part of it."""
    world, lane, many, part = World(follows=True), Lane("wide", keeps=True, width=8), 10, 0.02

    def begin() -> None:
        for steps, cost in ((3, 2.0), (8, 0.4), (5, 0.6), (12, 2.0)) * 4:
            length = Length(cost * (steps + looks(steps) * many * part), 1 + steps + looks(steps) * many)
            world.submit(lane, training(steps, cost, many, part=part), length=length)

    world.run(begin)
    assert world.said
    assert world.wrong() == []
    assert len(world.ends) > 100
    assert len(world.wrong_ends()) <= len(world.ends) / 20, world.wrong_ends()


def test_company_that_comes_slows_down_whoever_was_alone() -> None:
    world = World()

    def begin() -> None:
        world.submit(WIDE, training(40, 0.25))
        world.later = [(5.0, lambda: [world.submit(WIDE, training(40, 0.25)) for _ in range(7)])]

    world.run(begin)
    assert world.said
    assert world.wrong() == []


@pytest.mark.parametrize("per_row", walk([0.0, 0.02], [0.02]))
def test_what_is_done_in_common_takes_hardly_longer_for_many(per_row: float) -> None:
    """As comparisons are written: one batch, a token of each in a turn."""
    world = World()
    lane = Lane("batch", width=6, step=lambda seconds: world.pass_by(0.1))

    def begin() -> None:
        for tokens in (38, 42, 40, 37, 43) * 6:
            world.submit(lane, answering(tokens, per_row))

    world.run(begin)
    assert world.wrong() == []
    assert world.silent() < 10


def test_a_long_one_ahead_keeps_its_place_while_the_others_take_turns() -> None:
    world, lane = World(), Lane("two", keeps=True, width=2)

    def begin() -> None:
        world.submit(lane, training(300, 0.2), length=Length(310))
        for _ in range(12):
            world.submit(lane, training(12, 0.2), length=Length(22))

    world.run(begin)
    assert world.wrong() == []


def test_long_ones_that_still_wait_are_known_to_be_long() -> None:
    world = World()

    def begin() -> None:
        for steps in (6, 6, 6, 120, 6, 120, 24, 6):
            world.submit(NARROW, training(steps, 0.3), length=Length(10 + steps))

    world.run(begin)
    assert world.wrong() == []


def test_whoever_is_too_large_waits_until_there_is_room() -> None:
    world, lane = World(), Lane("room", keeps=True, width=4, room=10)

    def begin() -> None:
        for steps, size in ((20, 3), (60, 3), (20, 3), (20, 9), (20, 3), (20, 3)):
            world.submit(lane, training(steps, 0.2), size=Size(size), length=Length(10 + steps))

    world.run(begin)
    assert world.wrong() == []


def test_what_ends_early_is_seen_at_once_and_ones_that_mostly_do_are_expected_to() -> None:
    """Half of the trainings diverge after a few steps: of one that goes on nobody can know it, of those before one does."""
    world = World()

    def begin() -> None:
        for place in range(16):
            world.submit(NARROW, training(24, 0.2, until=4 if place % 2 else None), length=Length(34))

    world.run(begin)
    last = world.waiting[-1]
    ends = sorted(began for run, began in world.began.items())
    settled = ends[4]  # two of each kind have been seen
    spoken = [(now, wait) for now, run, wait in world.said if run is last and settled <= now < ends[-3]]
    true = world.began[last]
    assert spoken
    assert all(wait is not None and world.right(wait, true - now) for now, wait in spoken)


def test_a_run_that_is_stopped_makes_way_in_what_is_said_too() -> None:
    world = World()
    stopped: list[float] = []

    def begin() -> None:
        long = world.submit(NARROW, training(300, 0.2), length=Length(310))
        for _ in range(3):
            world.submit(NARROW, training(20, 0.2), length=Length(30))

        def stop() -> None:
            stopped.append(world.now)
            long.stop()

        world.later = [(20.0, stop)]

    world.run(begin)
    assert world.wrong(since=stopped[0] + 0.3) == []


def test_work_of_another_lane_takes_its_share() -> None:
    world, other = World(), Lane("other", share=3.0)

    def begin() -> None:
        for _ in range(5):
            world.submit(NARROW, training(20, 0.5))
        world.submit(other, answering(2500, 0.1))

    world.run(begin)
    assert world.wrong() == []


def test_whoever_runs_or_has_ended_waits_for_nothing() -> None:
    world = World()
    seen: list[Any] = []

    def looking(world: World, stop: Callable[[], bool]) -> Iterator[Any]:
        seen.append(world.jobs.expected_wait(world.waiting[0]))
        yield 0

    world.run(lambda: world.submit(NARROW, looking))
    assert [*seen, world.jobs.expected_wait(world.waiting[0])] == [None, None]
