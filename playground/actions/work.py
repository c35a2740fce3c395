"""
What runs for a session, whatever it is about: a place for it that is nobody else's, its end, stopping.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playground import settings
from playground.actions.kinds import kind
from playground.errors import PlaygroundError
from playground.model.twice import twice
from playground.work import zero
from playground.work.cluster import Cluster
from playground.work.jobs import Lane, Run
from playground.work.sessions import PLACES, SESSIONS, Place


def go(address: str) -> None:
    """
    Have Work done where it belongs: by the GPU that ZeroGPU lends, on a Space that has it; else by the Ray cluster at an
    address, if there is one; else here. Before torch is imported. Raises PlaygroundError if that cannot be had.
    """
    if zero.is_here():
        PLACES.away = zero.ZeroGPU(kind, _prepared)
    elif address:
        PLACES.away = Cluster(address, kind, warm=settings.DEFAULT_BASE)


def _prepared() -> Callable[[], None]:
    """The default base on the processor and on the GPU; what a process that has the GPU does first."""
    from playground.compare import pool
    from playground.train import together

    arrive = twice(settings.DEFAULT_BASE)

    def begin() -> None:
        for company in (pool.SHARED, together.SHARED):
            company.forked()
        arrive()

    return begin


@contextmanager
def own_place(key: str) -> Iterator[Place]:
    """A place of the session that nobody else uses, so that nothing is replaced; at the end its run stops and goes."""
    place = f"own-{uuid.uuid4().hex}"
    try:
        yield place
    finally:
        SESSIONS.stop(key, place)
        SESSIONS.get(key).runs.pop(place, None)


def stop(run: Run) -> None:
    """Stop a run, if it has not ended."""
    PLACES.stop(run)


def expected_wait(run: Run) -> float | None:
    """Seconds until a waiting run begins; None where nothing tells yet."""
    return PLACES.expected_wait(run)


def expected_end(run: Run) -> float | None:
    """Seconds until a run that goes on ends, in its company; None where nothing tells."""
    return PLACES.expected_end(run)


def busy(lane: Lane) -> int:
    """How many runs of a lane go on or wait here."""
    return PLACES.busy(lane)


def stop_all(key: str) -> int:
    """Stop whatever runs or waits for a session; how many that were. A training keeps what it has learned."""
    return SESSIONS.stop_all(key)


def check_ended(run: Run) -> None:
    """Raises the error of a run that has ended otherwise than by finishing."""
    if run.error:
        raise run.error
    if run.state == "stopped":
        raise PlaygroundError("replaced" if run.replaced else "stopped")
