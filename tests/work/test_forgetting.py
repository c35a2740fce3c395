"""
What a visitor had is gone when the session is: no tensor of theirs is alive, whatever was done with them.
"""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from playground import settings
from playground.adapt.adapters import Adapter
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.errors import PlaygroundError
from playground.lowrank.edits import Edit
from playground.lowrank.findings import network
from playground.model.bases import Base
from playground.train.job import Ended, TrainingJob
from playground.train.training import train
from playground.work.jobs import Jobs, Lane, Run
from playground.work.sessions import Sessions

GetBase = Callable[[str], Base]
KEEPS, LATEST = Lane("keeps", keeps=True, long=True), Lane("latest")


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(Jobs())


def ended(run: Run) -> Run:
    for _ in run.changes():
        pass
    return run


def watch(tensors: Any) -> list[weakref.ref]:
    return [weakref.ref(tensor) for tensor in tensors]


def alive(watched: list[weakref.ref]) -> int:
    gc.collect()
    return sum(one() is not None for one in watched)


def work(sessions: Sessions, key: str, get_base: GetBase, task: Any) -> list[weakref.ref]:
    """Train, compare, cut and look: all that a visitor's adapter goes through. Gives what was made of it, to watch."""
    made: list[Any] = []

    def events(stop: Any) -> Iterator[Any]:
        for event in train(TrainingJob("tiny", "lora", task, {"rank": 2}, 3), get_base, stop):
            if isinstance(event, Ended):
                made.extend(watch([*event.adapter.tensors.values(), *event.adapter.checkpoints[0].tensors.values()]))
                sessions.add(key, event.adapter)
                yield Ended(event.event, event.step, event.adapter.outline(), event.seconds)
            else:
                yield event

    assert ended(sessions.submit(key, KEEPS, events)).state == "finished"
    (adapter,) = sessions.get(key).library.own()
    whole = Variant("tiny", adapter)
    panes = (Variant("tiny"), whole, Variant("tiny", adapter, Edit(rank=1)), Variant("tiny", adapter, merged=True))
    job = CompareJob("tiny", "say one", panes, Decoding(3))
    assert ended(sessions.submit(key, LATEST, lambda stop: compare(job, get_base))).state == "finished"
    assert network(get_base("tiny"), adapter)
    return made


def test_a_session_that_ended_leaves_no_tensor(
    sessions: Sessions, get_tiny: GetBase, small_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = work(sessions, "visitor", get_tiny, small_task)
    assert alive(watched) == len(watched)
    assert sessions.get("visitor").library.size() > sum(4 * one().numel() for one in watched if one() is not None) / 2
    monkeypatch.setattr(settings, "SESSION_IDLE_SECONDS", -1.0)
    sessions.get("another")  # whoever comes next
    assert alive(watched) == 0


def test_an_adapter_that_gave_way_leaves_no_tensor(
    sessions: Sessions, get_tiny: GetBase, small_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = work(sessions, "visitor", get_tiny, small_task)
    monkeypatch.setattr(settings, "MAX_SESSION_ADAPTERS", 1)
    (own,) = sessions.get("visitor").library.own()
    gone = sessions.add("visitor", Adapter("newer", own.record))
    assert [one.id for one in gone] == [own.id]
    del own, gone
    assert alive(watched) == 0


def test_a_run_that_ended_keeps_nothing_that_it_worked_on(sessions: Sessions) -> None:
    def job(bad: bool) -> Callable[[Any], Iterator[str]]:
        tensor = torch.zeros(10)
        made.append(weakref.ref(tensor))

        def events(stop: Any) -> Iterator[str]:
            yield "working"
            inner = torch.zeros(10)
            made.append(weakref.ref(inner))
            if bad:
                raise PlaygroundError("diverged", step=int(inner.sum() + tensor.sum()), best=0, learning_rate="1")
            yield f"{float(inner.sum() + tensor.sum())}"

        return events

    for bad, state in ((False, "finished"), (True, "failed")):
        made: list[weakref.ref] = []
        run = ended(sessions.submit("visitor", LATEST, job(bad)))
        assert run.state == state
        deadline = time.monotonic() + 10
        while alive(made) and time.monotonic() < deadline:  # the worker leaves the job a moment after its last event
            time.sleep(0.01)
        assert (len(made), alive(made)) == (2, 0)


def test_more_than_a_session_may_hold_is_refused_before_the_work(sessions: Sessions) -> None:
    with pytest.raises(PlaygroundError) as refused:
        sessions.check_room("visitor", settings.MAX_SESSION_BYTES + 1)
    assert refused.value.key == "adapter_too_large"


def test_busy_sessions_do_not_give_way_and_the_next_is_refused(
    sessions: Sessions, get_tiny: GetBase, small_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(sessions, "visitor", get_tiny, small_task)
    held = sessions.get("visitor").library.size()
    monkeypatch.setattr(settings, "MAX_ALL_SESSIONS_BYTES", held + 10)
    running = sessions.submit("visitor", KEEPS, lambda stop: iter(lambda: "busy" if not stop() else "last", "last"))
    with pytest.raises(PlaygroundError) as refused:
        sessions.check_room("another", 20)
    assert refused.value.key == "adapters_full"
    sessions.check_room("another", 5)
    sessions.stop("visitor", KEEPS)
    ended(running)
    sessions.check_room("another", 20)  # now it is idle, and gives way
    assert sessions.get("visitor").library.own() == []
