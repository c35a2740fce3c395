"""
What a lesson and the quantization lab time here when a button is pressed, and what a written token costs in energy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cache

from playground.actions.lanes import LAB
from playground.actions.quantize import recorded
from playground.actions.work import check_ended
from playground.learn import timing
from playground.learn.families import model
from playground.learn.timing import BATCHES, LAYER, TOKENS, Product, Timed
from playground.model.needed import pick_device
from playground.quantize import energy
from playground.quantize.energy import Estimate
from playground.work.jobs import Run
from playground.work.sessions import JOBS

_LOCK = threading.Lock()
# The measurement that goes on or was the last, by the layer and the tokens: it is about the machine, so everybody shares it
_latest: dict[tuple[str, tuple[int, ...]], Run] = {}


def start_timing(layer: str = LAYER, batches: Sequence[int] = TOKENS) -> Run:
    """
    Queue a layer's products, measured in the worker's own turn, where nothing else computes; whoever asks meanwhile gets the
    same run. Its events are `Timed`. Raises PlaygroundError at once.
    """
    what = timing.ASKED.check(layer), tuple(batches)
    with _LOCK:
        if what not in _latest or _latest[what].ended:
            _latest[what] = JOBS.submit(LAB, lambda stop: _measured(*what))
        return _latest[what]


def _measured(layer: str, batches: tuple[int, ...]) -> Iterator[Timed]:
    device = pick_device()[0]
    return timing.timed(layer, batches, device, energy.meter(device))


def time_products() -> tuple[Product, ...]:
    """The lesson's products, measured now. Raises PlaygroundError."""
    run = start_timing(LAYER, BATCHES)
    for _ in run.changes():
        pass
    check_ended(run)
    found: Timed = run.events[-1]
    return found.products


def timed_here(layer: str) -> Timed | None:
    """What was measured last of a layer since the page began; None where nothing was, or not all."""
    run = _latest.get((layer, TOKENS))
    return run.events[-1] if run and run.state == "finished" else None


def timing_now(layer: str) -> Run | None:
    """The measurement of a layer that goes on."""
    run = _latest.get((layer, TOKENS))
    return None if run is None or run.ended else run


def tells_energy() -> bool:
    """Whether this machine says what it uses."""
    return energy.meter(pick_device()[0]) is not None


@cache
def energies() -> tuple[Estimate, ...]:
    """A written token of the embedded base in each form, by the bytes that the recorded survey found of each."""
    base = model()
    inside = sum(one.inputs * one.outputs * one.count for one in base.linears)
    inputs, outputs = timing.shape(timing.HEAD)
    held = {one["format"]: one["memory"] for one in recorded()["found"]}
    return energy.estimates(inside, inputs * outputs, held)
