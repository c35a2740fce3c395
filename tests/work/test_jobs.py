"""Where jobs run: order, readers, stopping, the queue, sharing the worker, and sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from playground import settings
from playground.actions.lanes import LAB
from playground.adapt.adapters import Adapter, Record
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES, text
from playground.work.jobs import NOTHING, READERS, Jobs, Lane, Run, Size
from playground.work.sessions import Session, Sessions

LONG, SHORT = Lane("long", long=True, keeps=True), Lane("short", share=3.0)  # one run at a time
BOUND = 20.0  # seconds after which a test has failed; none waits for it when all is well


class Gated:
    """A job that takes one step whenever it is let, yields 0, 1, 2, …, and ends when it is told to stop."""

    def __init__(self) -> None:
        self.started, self.closed = threading.Event(), threading.Event()
        self.over = False
        self._let = threading.Semaphore(0)

    def __call__(self, stop: Callable[[], bool]) -> Iterator[int]:
        count = 0
        self.started.set()
        try:
            while self._let.acquire(timeout=BOUND) and not stop() and not self.over:
                yield count
                count += 1
        finally:
            self.closed.set()

    def let(self, steps: int = 1) -> None:
        self._let.release(steps)

    def end(self) -> None:
        self.over = True
        self.let()


def counting(count: int) -> Callable[[Callable[[], bool]], Iterator[int]]:
    return lambda stop: (number for number in range(count))


def endless(stop: Callable[[], bool]) -> Iterator[int]:
    """Until it is told to stop."""
    deadline = time.monotonic() + BOUND
    while not stop() and time.monotonic() < deadline:
        yield 0


def until(run: Run, condition: Callable[[Run], bool]) -> Run:
    """Follow a run until `condition` holds."""
    for _ in run.changes(BOUND):
        if condition(run):
            return run
    raise AssertionError(f"never so; state {run.state}, position {run.position}, {len(run.events)} events")


def has_seen(count: int) -> Callable[[Run], bool]:
    return lambda run: len(run.events) >= count


def keeps_only(event: int) -> Callable[[Run], bool]:
    return lambda run: run.events == [event]


def ended(run: Run) -> Run:
    return until(run, lambda one: one.ended)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def sessions(jobs: Jobs) -> Sessions:
    return Sessions(jobs)


@pytest.fixture
def gated() -> Iterator[Gated]:
    job = Gated()
    yield job
    job.end()


def running(jobs: Jobs, job: Gated, lane: Lane = LONG) -> Run:
    """A run that has begun and waits at its first step."""
    run = jobs.submit(lane, job)
    assert job.started.wait(BOUND)
    return run


# Events and readers


def test_events_arrive_in_order(jobs: Jobs) -> None:
    run = ended(jobs.submit(LONG, counting(50)))
    assert (run.events, run.state, run.error) == (list(range(50)), "finished", None)


def test_each_event_can_be_seen_as_it_happens(jobs: Jobs, gated: Gated) -> None:
    run = running(jobs, gated)
    for count in range(1, 4):
        gated.let()
        assert until(run, has_seen(count)).events == list(range(count))


def test_a_late_reader_sees_what_happened_before(jobs: Jobs, gated: Gated) -> None:
    run = running(jobs, gated)
    gated.let(3)
    until(run, lambda one: len(one.events) == 3)
    next(run.changes(BOUND))  # does not wait for a new event
    assert run.events == [0, 1, 2]


def test_a_reader_of_an_ended_run_is_told_once(jobs: Jobs) -> None:
    run = ended(jobs.submit(LONG, counting(3)))
    assert len(list(run.changes(BOUND))) == 1


def test_two_readers_both_follow_to_the_end(jobs: Jobs, gated: Gated) -> None:
    run = running(jobs, gated)
    seen: dict[str, list[int]] = {"one": [], "other": []}

    def read(name: str) -> None:
        for _ in run.changes(BOUND):
            seen[name].append(len(run.events))

    readers = [threading.Thread(target=read, args=(name,)) for name in seen]
    for reader in readers:
        reader.start()
    gated.let(5)
    until(run, lambda one: len(one.events) == 5)
    jobs.stop(run)
    gated.let()
    for reader in readers:
        reader.join(BOUND)
    assert [lengths[-1] for lengths in seen.values()] == [5, 5]
    assert all(lengths == sorted(lengths) for lengths in seen.values())


def test_many_readers_are_told_less_often_but_all_of_them_the_end(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.work.jobs.FRAMES", 1e-3)  # 1,000 s between two frames: they see the first and the last
    go = threading.Event()

    def job(stop: Callable[[], bool]) -> Iterator[int]:
        assert go.wait(BOUND)
        yield from range(1000)

    run = jobs.submit(LONG, job)
    readers = [run.changes(BOUND) for _ in range(3)]
    for reader in readers:
        next(reader)
    go.set()
    assert [len(list(reader)) for reader in readers] == [1, 1, 1]
    assert run.events == list(range(1000))
    assert not READERS


def test_an_abandoned_reader_does_not_stop_the_job(jobs: Jobs, gated: Gated) -> None:
    run = running(jobs, gated)
    reader = run.changes(BOUND)
    next(reader)
    reader.close()  # type: ignore[attr-defined]
    gated.let(4)
    assert until(run, lambda one: len(one.events) == 4).state == "running"


def test_a_comparison_keeps_only_its_latest_event(jobs: Jobs, gated: Gated) -> None:
    run = running(jobs, gated, SHORT)
    for count in range(5):
        gated.let()
        until(run, keeps_only(count))


# Stopping


def test_a_stopped_training_ends_by_itself(jobs: Jobs) -> None:
    begun = threading.Event()

    def learning(stop: Callable[[], bool]) -> Iterator[str]:
        while not stop():
            begun.set()
            yield "step"
        yield "what was learned"

    run = jobs.submit(LONG, learning)
    assert begun.wait(BOUND)
    jobs.stop(run)
    assert (ended(run).state, run.events[-1]) == ("stopped", "what was learned")


def test_a_stopped_comparison_is_closed(jobs: Jobs) -> None:
    closed = threading.Event()

    def writing(stop: Callable[[], bool]) -> Iterator[str]:
        try:
            while True:
                yield "frame"
        finally:
            closed.set()

    run = jobs.submit(SHORT, writing)
    until(run, lambda one: bool(one.events))
    jobs.stop(run)
    assert ended(run).state == "stopped"
    assert closed.is_set()
    assert run.events == ["frame"]


@pytest.mark.parametrize("lane", [LONG, SHORT])
def test_a_run_stopped_in_the_queue_never_runs(jobs: Jobs, gated: Gated, lane: str) -> None:
    first, ran = running(jobs, gated, lane), threading.Event()

    def flag(stop: Callable[[], bool]) -> Iterator[int]:
        ran.set()
        yield 0

    waiting, last = jobs.submit(lane, flag), jobs.submit(lane, counting(2))
    jobs.stop(waiting)
    assert waiting.state == "stopped"
    assert len(list(waiting.changes(BOUND))) == 1
    jobs.stop(first)
    gated.let()
    assert ended(last).state == "finished"
    assert not ran.is_set()


def test_stopping_an_ended_run_changes_nothing(jobs: Jobs) -> None:
    run = ended(jobs.submit(LONG, counting(2)))
    jobs.stop(run)
    assert run.state == "finished"


@pytest.mark.parametrize("lane", [LONG, SHORT])
def test_a_run_stopped_just_as_it_is_picked_up_still_ends(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, lane: str) -> None:
    advance = Run._advance
    picked: list[Run] = []

    def stopped_first(run: Run, clock: Any) -> None:
        if not picked:  # the visitor stops between the worker's choice and the job's first step
            picked.append(run)
            jobs.stop(run)
        advance(run, clock)

    monkeypatch.setattr(Run, "_advance", stopped_first)
    finished = threading.Event()

    def learning(stop: Callable[[], bool]) -> Iterator[str]:
        while not stop():
            yield "step"
        yield "what was learned"
        finished.set()

    run = jobs.submit(lane, learning)
    assert ended(jobs.submit(lane, counting(2))).state == "finished"
    assert run.state == "stopped"
    assert finished.is_set() or not run.events, "a run that has ended goes on"


# The queue


def positions(runs: list[Run]) -> list[int]:
    return [run.position for run in runs]


def test_positions_count_those_ahead_and_follow_the_queue(jobs: Jobs, gated: Gated) -> None:
    first, other = running(jobs, gated), Gated()
    waiting = [jobs.submit(LONG, job) for job in (counting(1), other, counting(1))]
    assert positions([first, *waiting]) == [0, 1, 2, 3]
    jobs.stop(waiting[0])
    assert positions(waiting[1:]) == [1, 2]
    jobs.stop(first)
    gated.let()
    until(waiting[1], lambda run: run.state == "running")
    assert until(waiting[2], lambda run: run.position == 1).state == "queued"
    assert waiting[1].position == 0
    jobs.stop(waiting[1])
    other.let()
    assert positions([ended(waiting[2])]) == [0]


def test_a_reader_is_told_that_its_run_moved_up(jobs: Jobs, gated: Gated) -> None:
    running(jobs, gated)
    ahead, run = jobs.submit(LONG, counting(1)), jobs.submit(LONG, counting(1))
    reader = run.changes(BOUND)
    next(reader)
    jobs.stop(ahead)
    next(reader)
    assert run.position == 1


def test_lanes_have_queues_of_their_own(jobs: Jobs, gated: Gated) -> None:
    running(jobs, gated)
    jobs.submit(LONG, counting(1))
    assert jobs.submit(SHORT, counting(1)).position == 0


def test_runs_of_a_lane_come_in_their_order(jobs: Jobs, gated: Gated) -> None:
    first, order = running(jobs, gated), []

    def noting(name: int) -> Callable[[Callable[[], bool]], Iterator[int]]:
        def job(stop: Callable[[], bool]) -> Iterator[int]:
            order.append(name)
            yield name
            order.append(name)

        return job

    runs = [jobs.submit(LONG, noting(name)) for name in range(4)]
    jobs.stop(first)
    gated.let()
    ended(runs[-1])
    assert order == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_full_queue_refuses_readably(jobs: Jobs, gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_QUEUE", 2)
    running(jobs, gated)
    jobs.submit(LONG, counting(1))
    with pytest.raises(PlaygroundError) as refusal:
        jobs.submit(LONG, counting(1))
    assert refusal.value.key == "queue_full"
    assert "2" in str(refusal.value)
    assert jobs.submit(SHORT, counting(1)).position == 0  # the other lane has room


def test_leaving_the_queue_makes_room_at_once(jobs: Jobs, gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_QUEUE", 2)
    first, waiting = running(jobs, gated), jobs.submit(LONG, counting(1))
    jobs.stop(waiting)
    run = jobs.submit(LONG, counting(1))
    jobs.stop(first)
    gated.let()
    assert ended(run).state == "finished"


# Together


class Steps:
    """What the turns of a lane end with: how far each of its runs was then."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.seen: list[list[int]] = []

    def __call__(self, longest: float) -> None:
        self.seen.append([run.events[-1] for run in self.runs if run.state == "running"])


def held(jobs: Jobs, gated: Gated, lane: Lane, *asked: tuple[Callable[..., Any], Size]) -> list[Run]:
    """Runs that are submitted while the worker is busy elsewhere, and are then let."""
    running(jobs, gated, SHORT)
    runs = [jobs.submit(lane, job, size=size) for job, size in asked]
    gated.end()
    return runs


@pytest.mark.parametrize("width", [2, lambda: 2])
def test_as_many_as_a_lane_takes_advance_in_turn_and_their_turn_ends_in_common(
    jobs: Jobs, gated: Gated, width: int | Callable[[], int]
) -> None:
    steps = Steps()
    lane = Lane("wide", width=width, step=steps)
    steps.runs = held(jobs, gated, lane, *[(counting(3), NOTHING)] * 3)
    assert positions(steps.runs) == [0, 0, 1]
    for run in steps.runs:
        ended(run)
    assert steps.seen == [[0, 0], [1, 1], [2, 2], [], [0], [1], [2], []]


@pytest.mark.parametrize(
    ("sizes", "most"),
    [
        ([Size(4), Size(4), Size(4)], 2),
        ([Size(11), Size(1)], 1),  # one that is too large alone still has its turn, alone
        ([Size(1, {"form": 6}), Size(1, {"form": 6}), Size(1, {"form": 6})], 3),  # what they share is there once
        ([Size(1, {"form": 6}), Size(1, {"other": 6})], 1),
    ],
)
def test_no_more_go_on_together_than_there_is_room_for(jobs: Jobs, gated: Gated, sizes: list[Size], most: int) -> None:
    steps = Steps()
    lane = Lane("wide", width=9, room=10, step=steps)
    steps.runs = held(jobs, gated, lane, *[(counting(2), size) for size in sizes])
    assert positions(steps.runs) == [0] * most + list(range(1, len(sizes) - most + 1))
    for run in steps.runs:
        assert ended(run).state == "finished"
    assert max(map(len, steps.seen)) == most


def test_what_one_of_them_raises_is_its_own(jobs: Jobs, gated: Gated) -> None:
    lane = Lane("wide", width=3)
    runs = held(jobs, gated, lane, *[(job, NOTHING) for job in (counting(5), raising(RuntimeError()), counting(5))])
    assert [ended(run).state for run in runs] == ["finished", "failed", "finished"]


def test_what_their_common_step_raises_ends_them_and_the_worker_goes_on(jobs: Jobs, gated: Gated) -> None:
    def step(longest: float) -> None:
        raise MemoryError

    runs = held(jobs, gated, Lane("wide", width=2, step=step), (endless, NOTHING), (endless, NOTHING))
    for run in runs:
        assert ended(run).state == "failed"
        assert run.error is not None
        assert run.error.key == "out_of_memory"
    assert ended(jobs.submit(SHORT, counting(2))).state == "finished"


def test_a_stop_takes_effect_within_a_turn(jobs: Jobs, gated: Gated) -> None:
    steps = Steps()
    lane = Lane("wide", width=2, keeps=True, step=steps)
    first, second = steps.runs = held(jobs, gated, lane, (endless, NOTHING), (endless, NOTHING))
    until(second, has_seen(3))
    before = len(first.events)
    jobs.stop(first)
    assert ended(first).state == "stopped"
    assert len(first.events) <= before + len(steps.seen)
    assert second.state == "running"
    jobs.stop(second)
    ended(second)


# One worker, two lanes


@pytest.mark.parametrize(("long", "short"), [(LONG, SHORT), (SHORT, LONG)])
def test_no_lane_waits_for_a_long_run_of_the_other(jobs: Jobs, long: str, short: str) -> None:
    begun, done = threading.Event(), threading.Event()

    def endless(stop: Callable[[], bool]) -> Iterator[bool]:
        deadline = time.monotonic() + BOUND
        while not done.is_set() and time.monotonic() < deadline:
            begun.set()
            yield False
        yield done.is_set()  # whether the other one ended before this one did

    def brief(stop: Callable[[], bool]) -> Iterator[int]:
        yield from range(5)
        done.set()

    slow = jobs.submit(long, endless)
    assert begun.wait(BOUND)
    assert ended(jobs.submit(short, brief)).state == "finished"
    assert ended(slow).events[-1] is True


def test_only_one_thread_ever_works(jobs: Jobs) -> None:
    threads = set()

    def noting(stop: Callable[[], bool]) -> Iterator[int]:
        for number in range(5):
            threads.add(threading.get_ident())
            yield number

    for run in [jobs.submit(lane, noting) for lane in (LONG, SHORT, LONG, SHORT)]:
        ended(run)
    assert len(threads) == 1
    assert threading.get_ident() not in threads


# Errors


def raising(error: Exception) -> Callable[[Callable[[], bool]], Iterator[int]]:
    def job(stop: Callable[[], bool]) -> Iterator[int]:
        yield 0
        raise error

    return job


def refusing(error: Exception) -> Callable[[Callable[[], bool]], Iterator[int]]:
    def job(stop: Callable[[], bool]) -> Iterator[int]:
        raise error

    return job


def refused_by(allocator: Callable[[int], object]) -> Exception:
    """What it raises for more than any machine can address."""
    try:
        allocator(2**50)
    except Exception as error:  # noqa: BLE001  whatever it is
        return error
    raise AssertionError("there was memory")


@pytest.mark.parametrize("failing", [raising, refusing])
@pytest.mark.parametrize("lane", [LONG, SHORT])
@pytest.mark.parametrize(
    ("error", "key"),
    [
        (PlaygroundError("empty_prompt"), "empty_prompt"),
        *((refused_by(allocator), "out_of_memory") for allocator in (bytearray, np.empty, torch.empty)),
        (RuntimeError("secret"), "internal"),
        (ZeroDivisionError(), "internal"),
    ],
)
def test_whatever_a_job_raises_ends_it_readably_and_the_worker_goes_on(
    jobs: Jobs, lane: str, failing: Callable, error: Exception, key: str
) -> None:
    run = ended(jobs.submit(lane, failing(error)))
    assert (run.state, run.error.key, run.events) == ("failed", key, [0] if failing is raising else [])
    assert str(run.error).strip()
    assert "secret" not in str(run.error)
    assert ended(jobs.submit(lane, counting(2))).state == "finished"


# Sessions


def test_a_second_training_of_a_session_is_refused_until_the_first_ends(sessions: Sessions, gated: Gated) -> None:
    first = sessions.submit("a", LONG, gated)
    with pytest.raises(PlaygroundError) as refusal:
        sessions.submit("a", LONG, counting(1))
    assert refusal.value.key == "already_training"
    assert sessions.get("a").runs[LONG] is first
    sessions.stop("a", LONG)
    gated.let()
    ended(first)
    assert ended(sessions.submit("a", LONG, counting(1))).state == "finished"


def test_two_trainings_submitted_at_once_are_still_one(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    submit, entered, second_done = sessions.jobs.submit, threading.Event(), threading.Event()
    outcomes: list[str] = []

    def slow_submit(*arguments: Any) -> Run:
        if not entered.is_set():
            entered.set()
            second_done.wait(0.5)  # with a lock around it the second cannot be done, and this one goes on
        return submit(*arguments)

    def press() -> None:
        try:
            sessions.submit("a", LONG, job)
            outcomes.append("accepted")
        except PlaygroundError as error:
            outcomes.append(error.key)

    def press_second() -> None:
        press()
        second_done.set()

    job = Gated()
    monkeypatch.setattr(sessions.jobs, "submit", slow_submit)
    first, second = threading.Thread(target=press), threading.Thread(target=press_second)
    first.start()
    assert entered.wait(BOUND)
    second.start()
    first.join(BOUND)
    second.join(BOUND)
    job.end()
    assert sorted(outcomes) == ["accepted", "already_training"]


def test_a_new_comparison_stops_the_running_one_of_the_session(sessions: Sessions, gated: Gated) -> None:
    old = sessions.submit("a", SHORT, gated)
    assert gated.started.wait(BOUND)
    new = sessions.submit("a", SHORT, counting(3))
    gated.let()
    assert (ended(old).state, ended(new).state) == ("stopped", "finished")
    assert gated.closed.is_set()
    assert sessions.get("a").runs[SHORT] is new


def test_a_new_comparison_takes_the_place_of_the_waiting_one(sessions: Sessions, gated: Gated) -> None:
    sessions.submit("other", SHORT, gated)
    assert gated.started.wait(BOUND)
    waiting = sessions.submit("a", SHORT, counting(3))
    new = sessions.submit("a", SHORT, counting(3))
    assert (waiting.state, new.position) == ("stopped", 1)


def test_a_comparison_does_not_stop_the_training_of_its_session(sessions: Sessions) -> None:
    training = sessions.submit("a", LONG, endless)
    assert ended(sessions.submit("a", SHORT, counting(3))).state == "finished"
    assert not training.ended
    sessions.stop("a", LONG)
    assert ended(training).state == "stopped"


def test_sessions_neither_see_nor_stop_each_others_work(sessions: Sessions, gated: Gated) -> None:
    mine = sessions.submit("a", LONG, gated)
    record = Record("tiny", "few_shot", "pirate", {"examples": 1}, 0, 0, 0, 1, 0)
    sessions.get("a").library.add(Adapter("mine", record))
    other = sessions.get("b")
    assert other.runs == {}
    with pytest.raises(PlaygroundError) as refusal:
        other.library.get("mine")
    assert refusal.value.key == "unknown_adapter"
    sessions.stop("b", LONG)
    gated.let()
    assert until(mine, lambda run: run.events == [0]).state == "running"


def test_a_session_is_found_again_by_its_key(sessions: Sessions) -> None:
    first = sessions.get("a")
    sessions.get("b")
    assert sessions.get("a") is first


def survivors(sessions: Sessions, before: dict[str, Session]) -> set[str]:
    return {key for key in before if sessions._sessions.get(key) is before[key]}


def test_the_longest_idle_sessions_give_way(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_SESSIONS", 3)
    before = {key: sessions.get(key) for key in "abc"}
    sessions.get("a")  # used again: b is now the longest idle
    sessions.get("d")
    assert survivors(sessions, before) == {"a", "c"}


def test_busy_sessions_stay(sessions: Sessions, gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_SESSIONS", 1)
    monkeypatch.setattr(settings, "SESSION_IDLE_SECONDS", 10)
    run = sessions.submit("busy", LONG, gated)
    before = {key: sessions.get(key) for key in ("busy", "idle")}
    before["busy"].seen -= 11
    sessions.get("c")
    assert survivors(sessions, before) == {"busy"}
    sessions.stop("busy", LONG)
    gated.let()
    ended(run)
    before["busy"].seen -= 11
    sessions.get("d")
    assert survivors(sessions, before) == set()


def test_sessions_idle_for_too_long_go(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SESSION_IDLE_SECONDS", 3600)
    before = {key: sessions.get(key) for key in "ab"}
    before["a"].seen -= 3601
    sessions.get("c")
    assert survivors(sessions, before) == {"b"}


def test_coming_back_keeps_a_session(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SESSION_IDLE_SECONDS", 3600)
    mine = sessions.get("a")
    mine.seen -= 3601
    assert sessions.get("a") is mine
    sessions.get("b")
    assert sessions.get("a") is mine


# Places: where on the page a run is shown


@pytest.mark.parametrize("lane", [SHORT, LAB])
def test_a_newer_run_of_a_place_takes_over(sessions: Sessions, gated: Gated, lane: str) -> None:
    former = sessions.submit("a", lane, gated, place="lab.cut")
    assert gated.started.wait(BOUND)
    new = sessions.submit("a", lane, counting(3), place="lab.cut")
    gated.let()
    assert (ended(former).state, former.replaced) == ("stopped", True)
    assert gated.closed.is_set()
    assert (ended(new).state, new.replaced) == ("finished", False)
    assert sessions.get("a").runs["lab.cut"] is new


def test_a_waiting_run_of_a_place_gives_way_at_once(sessions: Sessions, gated: Gated) -> None:
    sessions.submit("other", LAB, gated, place="lab.cut")
    assert gated.started.wait(BOUND)
    runs = [sessions.submit("a", LAB, counting(2), place="lab.cut") for _ in range(4)]
    assert [(run.state, run.replaced) for run in runs] == [("stopped", True)] * 3 + [("queued", False)]
    assert runs[-1].position == 1


@pytest.mark.parametrize("lane", [SHORT, LAB])
def test_another_place_of_the_lane_is_left_alone(sessions: Sessions, gated: Gated, lane: str) -> None:
    former = sessions.submit("a", lane, gated, place="lab.cut")
    assert gated.started.wait(BOUND)
    others = [sessions.submit("a", lane, counting(2), place="lab.sweep"), sessions.submit("a", lane, counting(2))]
    gated.let()
    assert until(former, lambda run: run.events == [0]).state == "running"
    assert not former.replaced
    gated.end()
    assert [ended(run).state for run in (former, *others)] == ["finished"] * 3
    assert set(sessions.get("a").runs) == {"lab.cut", "lab.sweep", lane}


def test_the_same_place_of_another_session_is_left_alone(sessions: Sessions, gated: Gated) -> None:
    mine = sessions.submit("a", LAB, gated, place="lab.cut")
    assert gated.started.wait(BOUND)
    sessions.submit("b", LAB, counting(2), place="lab.cut")
    sessions.stop("b", "lab.cut")
    gated.let()
    assert until(mine, lambda run: run.events == [0]).state == "running"
    assert not mine.replaced


def test_without_a_place_the_lane_is_the_place(sessions: Sessions, gated: Gated) -> None:
    former = sessions.submit("a", SHORT, gated)
    new = sessions.submit("a", SHORT, counting(1))
    gated.let()
    assert (ended(former).state, former.replaced, new.replaced) == ("stopped", True, False)
    assert sessions.get("a").runs == {SHORT: new}


def test_an_ended_run_was_not_replaced(sessions: Sessions) -> None:
    former = ended(sessions.submit("a", LAB, counting(2), place="lab.cut"))
    ended(sessions.submit("a", LAB, counting(2), place="lab.cut"))
    assert (former.state, former.replaced) == ("finished", False)


def test_a_run_that_a_visitor_stops_was_not_replaced(sessions: Sessions, gated: Gated) -> None:
    run = sessions.submit("a", LAB, gated, place="lab.sweep")
    sessions.stop("a", "lab.cut")  # nothing is there
    sessions.stop("a", "lab.sweep")
    gated.let()
    assert (ended(run).state, run.replaced) == ("stopped", False)


def test_a_second_training_is_refused_whatever_else_is_running(sessions: Sessions, gated: Gated) -> None:
    training = sessions.submit("a", LONG, gated)
    lab = sessions.submit("a", LAB, counting(1), place="lab.cut")
    with pytest.raises(PlaygroundError) as refusal:
        sessions.submit("a", LONG, counting(1))
    assert refusal.value.key == "already_training"
    gated.let()
    assert until(training, lambda run: run.events == [0]).state == "running"
    assert not training.replaced
    assert ended(lab).state == "finished"


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_job_too_many_of_a_session_is_refused_in_its_language_and_nothing_else_changes(
    sessions: Sessions, language: str
) -> None:
    most = settings.MAX_SESSION_JOBS
    runs = [sessions.submit("a", LAB, endless, place=f"lab.{place}") for place in range(most)]
    assert most == 8
    with pytest.raises(PlaygroundError) as refusal:
        sessions.submit("a", SHORT, counting(1))
    assert refusal.value.message(language) == text(language, "error.too_many_jobs", running=8)
    assert SHORT not in sessions.get("a").runs
    assert not any(run.ended for run in runs)
    assert ended(sessions.submit("b", SHORT, counting(1))).state == "finished"  # others have a limit of their own
    former = runs[-1]
    runs[-1] = sessions.submit("a", LAB, endless, place=f"lab.{most - 1}")  # in the place of one that it stops
    assert former.replaced
    sessions.stop("a", "lab.5")  # which waited
    assert ended(sessions.submit("a", SHORT, counting(1))).state == "finished"
    assert sessions.stop_all("a") == most - 1
    assert all(ended(run).state == "stopped" for run in runs)


def test_the_lab_keeps_only_its_latest_event_and_waits_for_no_other_lane(jobs: Jobs) -> None:
    others = [jobs.submit(lane, endless) for lane in (LONG, SHORT)]
    lab = ended(jobs.submit(LAB, counting(5)))
    assert (lab.state, lab.events) == ("finished", [4])
    assert not any(run.ended for run in others)
    for run in others:
        jobs.stop(run)
        ended(run)


def test_a_session_with_work_in_the_lab_is_busy(sessions: Sessions, gated: Gated) -> None:
    run = sessions.submit("a", LAB, gated, place="lab.cut")
    assert sessions.get("a").busy
    gated.end()
    ended(run)
    assert not sessions.get("a").busy
