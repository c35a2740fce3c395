"""
Work that pauses between its batches, so that others have their turn and a stop is heard. Knows nothing about what is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TypeVar

from playground.train.job import Working

Result = TypeVar("Result")
Event = TypeVar("Event")


class Stopped(Exception):  # noqa: N818  # nothing is wrong
    """Whoever asked for the work wants no more of it."""


def finished(work: Generator[None, None, Result]) -> Result:
    """What the work gives, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: Result = done.value
            return result


def timed(
    work: Generator[None, None, Result],
    spent: Callable[[float], None],
    within: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Generator[None, None, Result]:
    """The same work, `within` something; `spent` is told the seconds that it takes, without its pauses."""
    with closing(work):
        while True:
            begin = time.perf_counter()
            try:
                with within():
                    next(work)
            except StopIteration as done:
                result: Result = done.value
                return result
            finally:
                spent(time.perf_counter() - begin)
            yield


def between(
    work: Generator[None, None, Result], event: Event, resumed: Callable[[], None] = lambda: None
) -> Generator[Event, None, Result]:
    """What the work gives, with `event` at each of its pauses, after which `resumed` is called."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: Result = done.value
            return result
        yield event
        resumed()


def pausing(work: Generator[None, None, Result], step: int, stop: Callable[[], bool]) -> Generator[Working, None, Result]:
    """The same with a Working event. Raises Stopped if `stop` says so after one."""

    def resumed() -> None:
        if stop():
            work.close()
            raise Stopped

    return between(work, Working(step), resumed)
