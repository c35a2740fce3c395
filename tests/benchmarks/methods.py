"""
Every method with its defaults on the style task: what it costs, and its held-out score against base and few-shot.
"""

from __future__ import annotations

import time

from playground import settings
from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.methods import FRONT
from playground.model.bases import BASES
from playground.train.evaluation import EvaluateJob, Report, evaluate
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.benchmarks.table import write

TASK = "pirate"


def score(adapter: Adapter | None) -> Report:
    *_, report = evaluate(EvaluateJob(settings.DEFAULT_BASE, adapter, tasks.task(TASK), 40), BASES.get)
    assert isinstance(report, Report)
    return report


def study() -> None:
    BASES.get(settings.DEFAULT_BASE)
    report = score(None)
    rows = [["base", "0", "", "", f"{report.held_out_loss:.2f}", f"{100 * report.mean:.0f} %"]]
    for method in FRONT.values():
        BASES.get(method.base_id(settings.DEFAULT_BASE, method.complete({})))  # loading is not training
        begin = time.perf_counter()
        *_, ended = train(TrainingJob(settings.DEFAULT_BASE, method.id, tasks.task(TASK)), BASES.get)
        seconds = time.perf_counter() - begin
        report, record = score(ended.adapter), ended.adapter.record
        trained = f"{record.trainable_parameters:,}"
        numbers = [f"{report.held_out_loss:.2f}", f"{100 * report.mean:.0f} %"]
        rows.append([method.id, trained, str(record.steps), f"{seconds:.0f} s", *numbers])
    head = ["method", "trained parameters", "steps", "seconds", "held-out loss", "held-out score"]
    note = "Seconds include five evaluations with samples. Score: pirate words in 16 held-out answers of up to 40 tokens."
    write("methods", "Talking like a pirate, by method", head, rows, note)
