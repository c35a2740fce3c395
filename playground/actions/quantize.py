"""
Asking the quantization lab for what takes its time: what a base reads, a survey, a pair of trainings, a merge.

Each `start_…` queues a run, or raises PlaygroundError; a base loads in the request's thread and holds up nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.actions import catalogue
from playground.actions.adapters import held_out_task
from playground.actions.compare import start_answers
from playground.actions.lanes import LAB, MEASURE, TRAIN
from playground.actions.train import length_of
from playground.adapt import tasks
from playground.adapt.library import examples
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.formats.statistics import Histogram, histogram
from playground.model.bases import BASES
from playground.model.catalogue import FORMS, USUAL_FORMS, in_floats, split_id
from playground.model.weights import weight_of
from playground.train.job import kept_bytes
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS, Place
from playground.work.waiting import NONE

if TYPE_CHECKING:
    import numpy as np

    from playground.formats.calibration import Calibrated, Mixed, Product
    from playground.quantize.activations import Cell, Feature, Peak
    from playground.quantize.qlora import Pair
    from playground.quantize.wholemodel import Survey


# Places of a session's runs
CALIBRATION, SURVEY, FORMS_ANSWERS = "calibration", "wholemodel", "wholemodel-answers"
PAIR, PAIR_ANSWERS, MERGE = "qlora", "qlora-answers", "qlora-merge"

PRODUCTS = 3  # of a layer and prompts that are remembered while the threshold moves


# What a base reads


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


def prompts_of(seen: str, test: str) -> list[str]:
    """
    The prompts to calibrate on, a line each, and last the one to test on. Raises PlaygroundError for none, for too many,
    and for one that is too long.
    """
    from playground.quantize import activations

    prompts = [line.strip() for line in (seen or "").splitlines() if line.strip()]
    last = [(test or "").strip()]
    activations.check(prompts, more=1)
    activations.check(last)
    return prompts + last


def is_here(base_id: str) -> bool:
    """Whether the plain base is loaded, so that reading with it takes a moment. Raises PlaygroundError for none."""
    return BASES.is_loaded(split_id(base_id)[0].id)


def start_calibration(key: str, base_id: str, prompts: list[str], module: str | None, format: str, threshold: float) -> Run:
    """Queue `find` on the plain base."""
    plain = split_id(base_id)[0].id
    catalogue.have(plain)
    return SESSIONS.submit(key, LAB, lambda stop: find(plain, prompts, module, format, threshold), place=CALIBRATION)


def find(base_id: str, prompts: list[str], module: str | None, format: str, threshold: float) -> Iterator[Found | None]:
    """
    Reads, calibrates on all prompts but the last, and multiplies. Without a module, or with one of another base, the one
    with the largest number. Yields None between the steps, so that other jobs have their turn.
    """
    import torch

    from playground.formats import calibration
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
        outside(base_id, prompts, chosen, threshold),
    )


def _floor(sizes: Any) -> float:
    """Where the histogram begins, as a power of ten: all but one in a thousand are above."""
    return float(sizes.kthvalue(max(1, len(sizes) // 1000)).values.clamp(min=float(sizes.max()) * 1e-9 or 1e-9).log10())


def outside(base_id: str, prompts: list[str], module: str, threshold: float) -> Outside:
    """What a threshold keeps out of int8 on the plain base; what was read is remembered. Raises PlaygroundError."""
    import torch

    from playground.formats import calibration
    from playground.quantize import activations

    base = BASES.get(split_id(base_id)[0].id)
    read, weight = torch.cat(activations.activations(base, module, prompts)), weight_of(base.model, module)
    mixed = calibration.llm_int8(read, weight, threshold, product(base.id, module, tuple(prompts)))
    largest, weights = read.abs().amax(0).numpy(), weight.abs().amax(0).numpy()
    found = activations.outliers(read, threshold)
    return Outside(threshold, largest, weights, found, mixed, base.spec.source == "embedded")


@lru_cache(maxsize=PRODUCTS)
def product(base_id: str, module: str, prompts: tuple[str, ...]) -> Product:
    """By the base's id: a base that was dropped would not go as long as it is a key."""
    import torch

    from playground.formats import calibration
    from playground.quantize import activations

    base = BASES.get(base_id)
    return calibration.product(torch.cat(activations.activations(base, module, prompts)), weight_of(base.model, module))


# The whole model

RECORDED = settings.EXAMPLES / "survey.json"  # written by examples/record.py


def start_survey(key: str, base_id: str, formats: Sequence[str] = (), place: Place = SURVEY) -> Run:
    """Queue the measuring of a plain base in some formats; none are the usual ones."""
    from playground.quantize.wholemodel import WholeJob, survey

    job = WholeJob(split_id(base_id)[0].id, tuple(formats or USUAL_FORMS)).checked()
    return SESSIONS.submit(key, MEASURE, lambda stop: survey(job, BASES.get), job, place)


def measured(survey: Survey) -> list[dict[str, Any]]:
    """Every format so far in plain values, the base as loaded first."""
    return [{**asdict(one), "sqnr_db": one.sqnr_db} for one in survey.found]


@cache
def recorded() -> dict[str, Any]:
    """The survey of all formats that came with the page: its `found`, the base, the machine."""
    found: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found


def recording(survey: Survey, machine: str) -> dict[str, Any]:
    """What examples/record.py writes: the survey and the machine that it ran on."""
    return {"machine": machine, **asdict(survey)}


# LoRA and QLoRA

READY_MADE = ("pirate-lora", "pirate-qlora")  # one recipe: what is shown until a visitor trains


def start_pair(key: str, base_id: str, task_id: str, values: Mapping[str, Any], steps: int, seed: int) -> Run:
    """Queue both trainings on a shipped task; the adapters join the session's."""
    from playground.quantize.qlora import PairJob, train_pair

    job = PairJob(split_id(base_id)[0].id, tasks.task(task_id), values, steps, seed)
    for needed, training in zip(job.bases(), job.trainings(), strict=True):
        catalogue.have(needed)
        count = catalogue.count_parameters(needed, training.method, training.hyperparameters)
        SESSIONS.check_room(key, kept_bytes(count["trainable"], count["bytes"]))

    def events(stop: Any) -> Iterator[Pair]:
        kept: set[str] = set()
        for pair in train_pair(job, BASES.get, stop):
            for side in pair.sides:
                if side.adapter and side.method not in kept and not side.adapter.record.untrained:
                    SESSIONS.add(key, side.adapter)
                    kept.add(side.method)
            yield pair.outline()

    return SESSIONS.submit(key, TRAIN, events, job, PAIR, length=sum(map(length_of, job.trainings()), NONE))


def ready_made(base_id: str) -> Pair | None:
    """The pair that came with the page; None for another base than the one that it was trained on."""
    from playground.quantize.qlora import Pair, Side

    found = [examples()[one] for one in READY_MADE]
    if split_id(base_id)[0] != split_id(found[0].record.base)[0]:
        return None
    lora, qlora = (
        Side(
            one.record.method,
            tuple((step, loss) for step, loss in one.record.losses),
            tuple((step, loss) for step, loss in one.record.held_out),
            one.record.seconds,
            state="finished",
            adapter=one,
        )
        for one in found
    )
    return Pair(found[0].record.steps, lora, qlora)


def start_merge(key: str, adapter_id: str) -> Run:
    """Queue what merging an adapter of the session into NF4 costs, on its task's held-out examples."""
    from playground.quantize.merging import MergeJob, four_bit_id, merging

    if not adapter_id:
        raise PlaygroundError("qlora_nothing_chosen")
    adapter = SESSIONS.get(key).library.get(adapter_id)
    task = held_out_task(adapter)
    if task is None:
        raise PlaygroundError("no_held_out")
    job = MergeJob(adapter, task)
    for needed in (four_bit_id(adapter), in_floats(four_bit_id(adapter))):
        catalogue.have(needed)
    return SESSIONS.submit(key, MEASURE, lambda stop: merging(job, BASES.get), adapter.outline(), MERGE)


def start_rivals(
    key: str, base_id: str, adapter_id: str, prompt: str, decoding: Mapping[str, Any], names: Mapping[str, str]
) -> Run:
    """
    Queue a comparison of the base, the session's pair and its QLoRA adapter merged; where no pair is there, of the 4-bit
    base, the chosen adapter on it and merged into it. `names` are the titles: of each method, "merged", "on_nf4" and
    "adapter_merged". Raises PlaygroundError at once.
    """
    used, variants, titles = _rivals(key, split_id(base_id)[0].id, adapter_id)
    shown = ["", *(names[title] for title in titles)]
    return start_answers(key, LAB, used, prompt, variants, decoding, titles=shown, place=PAIR_ANSWERS, subject=used)


def _rivals(key: str, plain: str, adapter_id: str) -> tuple[str, list[Variant], list[str]]:
    """The base of a comparison, its panes, and what all but the first are called."""
    from playground.quantize.merging import four_bit_id

    library, run = SESSIONS.get(key).library, SESSIONS.get(key).runs.get(PAIR)
    pair = run.events[-1] if run and run.events else ready_made(plain)
    trained = [side.adapter for side in pair.sides if side.adapter and library.knows(side.adapter.id)] if pair else []
    if len(trained) > 1 and split_id(trained[0].record.base)[0].id == plain:
        lora, qlora = (Variant.of(plain, library.get(one.id)) for one in trained)
        return plain, [Variant(plain), lora, qlora, replace(qlora, merged=True)], [lora.method, qlora.method, "merged"]
    if not adapter_id:
        raise PlaygroundError("qlora_nothing_chosen")
    adapter = library.get(adapter_id)
    below = Variant(four_bit_id(adapter), adapter)
    return below.base, [Variant(below.base), below, replace(below, merged=True)], ["on_nf4", "adapter_merged"]


def start_forms(key: str, base_id: str, formats: Sequence[str], prompt: str, decoding: Mapping[str, Any]) -> Run:
    """Queue a comparison of a plain base and its forms, as far as there is room. Raises PlaygroundError at once."""
    plain = split_id(base_id)[0].id
    forms = [Variant(f"{plain}:{form}") for form in FORMS if form in formats][: settings.MAX_PANES - 1]
    return start_answers(key, LAB, plain, prompt, [Variant(plain), *forms], decoding, place=FORMS_ANSWERS)
