"""
What a lesson computes here when a button is pressed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from playground.actions.lanes import LAB
from playground.actions.work import check_ended
from playground.learn import timing
from playground.learn.timing import Product
from playground.model.bases import pick_device
from playground.work.jobs import Run
from playground.work.sessions import JOBS

_LOCK = threading.Lock()
_latest: list[Run] = []  # the measurement that goes on or was the last: it is about the machine, so everybody shares it


def time_products() -> tuple[Product, ...]:
    """
    The products of `timing`, measured now in the worker's own turn, where nothing else computes; whoever asks meanwhile gets
    the same. Raises PlaygroundError.
    """
    with _LOCK:
        if not _latest or _latest[0].ended:
            _latest[:] = [JOBS.submit(LAB, lambda stop: _measured())]
        run = _latest[0]
    for _ in run.changes():
        pass
    check_ended(run)
    found: tuple[Product, ...] = run.events[-1]
    return found


def _measured() -> Iterator[tuple[Product, ...]]:
    found: tuple[Product, ...] = ()
    for product in timing.products(pick_device()[0]):
        found = (*found, product)
        yield found
