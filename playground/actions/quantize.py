"""
Asking the quantization lab: what a base reads, a pair of trainings, a merge, a survey.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.actions import catalogue
from playground.model.bases import BASES
from playground.model.weights import weight_of
from playground.work.jobs import Run
from playground.work.lanes import TRAIN
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    import numpy as np

    from playground.formats.calibration import Calibrated, Mixed, Product
    from playground.formats.statistics import Histogram
    from playground.quantize.activations import Cell, Feature, Peak
    from playground.quantize.qlora import Pair
    from playground.quantize.wholemodel import Survey


PRODUCTS = 3  # of a layer and prompts that are remembered while the threshold moves


@dataclass(frozen=True)
class Found:
    """What the section shows, as plain numbers."""

    modules: tuple[str, ...]
    module: str
    peak: Peak
    median: float
    sizes: Histogram  # of log₁₀|x|
    ranges: tuple[Calibrated, ...]
    cells: tuple[Cell, ...]
    outside: Outside


@dataclass(frozen=True, eq=False)
class Outside:
    """The features that a threshold keeps out of int8. `largest` and `weights` are the largest sizes of each column."""

    threshold: float
    largest: np.ndarray
    weights: np.ndarray
    outliers: tuple[Feature, ...]
    mixed: Mixed
    embedded: bool


def find(base_id: str, prompts: list[str], module: str | None, format: str, threshold: float) -> Iterator[Found | None]:
    """
    Reads, calibrates on all prompts but the last, and multiplies. Without a module, or with one of another base, the one
    with the largest number. Yields nothing between the steps, so that other jobs have their turn.
    """

    import torch

    from playground.formats import calibration
    from playground.formats.statistics import histogram
    from playground.quantize import activations

    base = BASES.get(base_id)
    for prompt in prompts:
        yield None
        activations.network(base, [prompt])  # what it saw is remembered
    cells = activations.network(base, prompts)
    known = activations.modules(base)
    chosen = module if module in known else max(cells, key=lambda cell: cell.largest).module
    read = activations.activations(base, chosen, prompts)
    before = torch.cat(read[:-1])
    sizes = before.abs().flatten()
    yield None
    ranges = calibration.calibrate(before, read[-1], format)
    yield None
    yield Found(
        known,
        chosen,
        activations.peak(base, chosen, prompts),
        float(sizes.median()),
        histogram(sizes[sizes > sizes.max() * 1e-9].log10(), bins=90, low=_floor(sizes)),
        ranges,
        cells,
        _outside(base_id, prompts, chosen, threshold),
    )


def _floor(sizes: Any) -> float:
    """Where the histogram begins, as a power of ten: all but one in a thousand are above."""
    return float(sizes.kthvalue(max(1, len(sizes) // 1000)).values.clamp(min=float(sizes.max()) * 1e-9 or 1e-9).log10())


def _outside(base_id: str, prompts: list[str], module: str, threshold: float) -> Outside:

    import torch

    from playground.formats import calibration
    from playground.quantize import activations

    base = BASES.get(base_id)
    read, weight = torch.cat(activations.activations(base, module, prompts)), weight_of(base.model, module)
    mixed = calibration.llm_int8(read, weight, threshold, _product(base_id, module, tuple(prompts)))
    largest, weights = read.abs().amax(0).numpy(), weight.abs().amax(0).numpy()
    found = activations.outliers(read, threshold)
    return Outside(threshold, largest, weights, found, mixed, base.spec.source == "embedded")


@lru_cache(maxsize=PRODUCTS)
def _product(base_id: str, module: str, prompts: tuple[str, ...]) -> Product:
    """By the base's id: a base that was dropped would not go as long as it is a key."""

    import torch

    from playground.formats import calibration
    from playground.quantize import activations

    base = BASES.get(base_id)
    return calibration.product(torch.cat(activations.activations(base, module, prompts)), weight_of(base.model, module))


PLACE, MERGE, ANSWERS = "qlora", "qlora-merge", "qlora-answers"  # places of the session's runs


def start(key: str, job: Any) -> Run:
    """Queue a pair of trainings; the adapters join the session's. Raises PlaygroundError at once if it cannot be served."""
    from playground.quantize.qlora import train_pair

    for needed in job.bases():
        catalogue.have(needed)

    def events(stop: Any) -> Iterator[Pair]:
        kept: set[str] = set()
        for pair in train_pair(job, BASES.get, stop):
            for side in pair.sides:
                if side.adapter and side.method not in kept:
                    SESSIONS.add(key, side.adapter)
                    kept.add(side.method)
            yield pair.outline()

    return SESSIONS.submit(key, TRAIN, events, job, PLACE)


RECORDED = settings.EXAMPLES / "survey.json"  # written by examples/record.py


@cache
def recorded() -> dict[str, Any]:
    """The survey of all formats that came with the page: its `found`, the base, the machine."""
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def recording(survey: Survey, machine: str) -> dict[str, Any]:
    """What examples/record.py writes: the survey and the machine that it ran on."""
    return {"machine": machine, **asdict(survey)}
