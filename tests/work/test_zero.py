"""
ZeroGPU, with a stand-in for what `spaces.GPU` promises (0.51.3, read in its source): the duration is a callable of the same
arguments, asked before; what goes in and comes out is pickled; its errors are known by their titles.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Generator, Iterator
from contextvars import ContextVar
from functools import wraps
from types import ModuleType
from typing import Any

import pytest

from playground.actions.kinds import TRAINING, kind
from playground.actions.lanes import TRAIN
from playground.adapt.tasks import Task
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES, text
from playground.model.bases import Base
from playground.train.job import Ended, Step, TrainingJob
from playground.work.jobs import Jobs, Lane
from playground.work.places import Kind, Work
from playground.work.zero import FIRST, LEAST, MOST, SAVING, SAYS, ZeroGPU, is_here
from tests.work.test_jobs import ended, endless, has_seen, until

KEPT, LATEST = Lane("kept", keeps=True), Lane("latest")
REQUEST: ContextVar[str] = ContextVar("request", default="nobody's")


class TitledError(Exception):
    """As `gr.Error` with a title."""

    def __init__(self, title: str) -> None:
        super().__init__("GPU task aborted")
        self.title = title


class Spaces(ModuleType):
    """Lends a GPU in this process, or says why not."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.asked: list[float] = []
        self.whose: list[str] = []
        self.refuses = ""

    def GPU(self, duration: Callable[..., float]) -> Callable[[Any], Any]:  # noqa: N802  its name
        def wrapped(task: Any) -> Any:
            @wraps(task)
            def handler(*args: Any) -> Iterator[Any]:
                self.asked.append(duration(*args))
                self.whose.append(REQUEST.get())
                if self.refuses:
                    raise TitledError(self.refuses)
                for one in task(*pickle.loads(pickle.dumps(args))):
                    yield pickle.loads(pickle.dumps(one))

            return handler

        return wrapped


def _counting(job: int, stop: Callable[[], bool]) -> Generator[Any, None, None]:
    yield from range(job)


def _endless(job: Any, stop: Callable[[], bool]) -> Generator[Any, None, None]:
    yield from endless(stop)
    yield "ended by itself"


def _failing(job: Any, stop: Callable[[], bool]) -> Generator[Any, None, None]:
    yield 0
    raise PlaygroundError("empty_prompt")


OWN = {one.id: one for one in (Kind("count", KEPT, _counting), Kind("on", KEPT, _endless), Kind("fail", KEPT, _failing))}


@pytest.fixture
def spaces(monkeypatch: pytest.MonkeyPatch) -> Spaces:
    found = Spaces()
    monkeypatch.setitem(sys.modules, "spaces", found)
    return found


@pytest.fixture
def zero(spaces: Spaces) -> ZeroGPU:
    return ZeroGPU(lambda name: OWN.get(name) or kind(name), lambda: lambda: None)


def test_a_training_there_is_that_of_the_thread(
    zero: ZeroGPU, tiny: Base, loaded: Callable[[Base], Base], small_task: Task
) -> None:
    loaded(tiny)
    job = TrainingJob("tiny", "lora", small_task, {"rank": 2}, steps=3)
    there, here = (ended(place.submit(TRAIN, Work(TRAINING, job))) for place in (zero, Jobs()))
    losses = [[one.loss for one in run.events if isinstance(one, Step)] for run in (there, here)]
    assert losses[0] == losses[1]
    assert isinstance(there.events[-1], Ended)
    assert (there.state, there.error) == ("finished", None)


def test_what_is_asked_for_follows_what_the_last_ones_took(zero: ZeroGPU, spaces: Spaces) -> None:
    ended(zero.submit(KEPT, Work(OWN["count"], 2)))
    assert spaces.asked == [FIRST]
    assert len(zero._took["count"]) == 1
    zero._took["count"] = [2.0, 4.0]  # seconds a unit
    assert [zero.seconds("count", length) for length in (1, 10, 1000)] == [LEAST, 45.0, MOST]


def test_it_runs_for_whoever_asked(zero: ZeroGPU, spaces: Spaces) -> None:
    """`spaces` finds the request, and with it the quota, in the context."""
    token = REQUEST.set("a visitor's")
    try:
        ended(zero.submit(KEPT, Work(OWN["count"], 1)))
    finally:
        REQUEST.reset(token)
    assert spaces.whose == ["a visitor's"]


def test_what_keeps_a_result_is_asked_to_stop_and_what_does_not_is_closed(zero: ZeroGPU) -> None:
    for lane, last in ((KEPT, "ended by itself"), (LATEST, 0)):
        run = until(zero.submit(lane, Work(Kind("on", lane, _endless), None)), has_seen(1))
        zero.stop(run)
        assert (ended(run).state, run.events[-1]) == ("stopped", last)
    assert zero.busy(KEPT) == 0


def test_what_takes_longer_than_was_asked_for_is_asked_to_keep_what_it_has(
    zero: ZeroGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playground.work.zero.FIRST", SAVING + 0.1)
    run = ended(zero.submit(KEPT, Work(OWN["on"], None)))
    assert (run.state, run.events[-1]) == ("finished", "ended by itself")
    assert zero.seconds("on", 1000) == MOST  # the next one asks for more


def test_what_is_raised_there_is_said_here(zero: ZeroGPU) -> None:
    run = ended(zero.submit(KEPT, Work(OWN["fail"], None)))
    assert (run.state, run.error.key, run.events) == ("failed", "empty_prompt", [0])


@pytest.mark.parametrize("title", SAYS)
def test_a_quota_that_is_gone_is_said_in_words(zero: ZeroGPU, spaces: Spaces, title: str) -> None:
    spaces.refuses = title
    run = ended(zero.submit(KEPT, Work(OWN["count"], 1)))
    assert run.error.key == SAYS[title](60).key
    for language in LANGUAGES:
        assert text(language, "tabs.learn") in run.error.message(language)  # what needs no GPU


def test_it_is_only_on_a_space_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not is_here()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert is_here()
