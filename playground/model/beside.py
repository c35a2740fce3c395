"""
Work beside the worker: loading and rounding take seconds in which others have their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Result = TypeVar("Result")
Event = TypeVar("Event")
WAIT_SECONDS = 0.2


def beside(work: Callable[[], Result], meanwhile: Callable[[], Event]) -> Generator[Event, None, Result]:
    """What `work` gives, done in a thread of its own; yields `meanwhile()` now and then until it is there."""
    pool = ThreadPoolExecutor(1)
    try:
        doing = pool.submit(work)
        wait([doing], WAIT_SECONDS)  # what is there already takes no turn
        while not doing.done():
            yield meanwhile()
            wait([doing], WAIT_SECONDS)
        return doing.result()
    finally:
        pool.shutdown(wait=False)
