"""
Makes what the page shows before anybody has trained or compared: `make examples`.

Measures the base on every task, and few-shot beside it. Trains prompt tuning, IA3 and LoRA with their default settings on
the tasks below (seed 0), and the variants that the labs compare with them; saves the adapters as PEFT folders in
`examples/adapters`, compares them, and records the comparisons in `examples/comparisons`; measures the base in every number
format; runs what the lessons show. Trains what they replay, looked at more often than a visitor would wait for, and records
all of it in `examples/runs`. About three quarters of an hour on two cores.
Needs the package installed, as `make` does it.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

import torch

from playground import settings
from playground.actions.quantize import recording
from playground.adapt import tasks
from playground.adapt.adapters import read, save
from playground.adapt.initialization import begins
from playground.adapt.methods import method
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob
from playground.learn import mixed_precision, notebooks, timing
from playground.learn.recorded import FOLDER as RUNS_FOLDER
from playground.learn.writers import written
from playground.lowrank import initialization
from playground.model.bases import BASES, Base
from playground.model.catalogue import FORMS
from playground.quantize import energy
from playground.quantize.wholemodel import WholeJob, survey
from playground.train import looks, scoring
from playground.train.beginning import beginning
from playground.train.evaluation import SAMPLE_TOKENS, held_out_loss, questions, sample_answers
from playground.train.few_shot import reference
from playground.train.job import Ended, Step, TrainingJob
from playground.train.pauses import finished
from playground.train.record import hardware, versions
from playground.train.schedule import USUAL, Pace
from playground.train.trainable import wrap
from playground.train.training import train

QUESTIONS = {
    "pirate": "What is the capital of France?",
    "sentiment": "Review: The soup was cold and the waiter never came back.",
    "json": "Order 4512: two blue mugs, please send them to Lima.",
}  # all held out
METHODS = ("prompt_tuning", "ia3", "lora")


@dataclass(frozen=True)
class Recipe:
    """One ready-made adapter; `id` is its folder."""

    id: str
    task: str
    method: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    steps: int | None = None  # the method's own


RECIPES = [Recipe(f"{task}-{method}", task, method) for task in QUESTIONS for method in METHODS] + [
    Recipe("pirate-lora-rank-2", "pirate", "lora", {"rank": 2, "alpha": 4}, seed=1),
    Recipe("pirate-dora", "pirate", "lora", {"dora": True}),
    Recipe("pirate-qlora", "pirate", "qlora", steps=24),  # as many as pirate-lora: the quantization lab holds them together
]
RANKS = (1, 2, 4, 16)  # beside the default of 8, with its scale: alpha is twice the rank
RATE = {"learning_rate": 0.03}  # of the course's notebooks
RUNS = [
    *(Recipe(f"pirate-{method}", "pirate", method) for method in (*METHODS, "full_fine_tuning")),
    *(Recipe(f"pirate-lora-{rank}", "pirate", "lora", {"rank": rank, "alpha": 2 * rank}) for rank in RANKS),
    Recipe("pirate-calm", "pirate", "lora", {"rank": 4, "alpha": 1, **RATE}),
    Recipe("pirate-exploded", "pirate", "lora", {"rank": 8, "alpha": 16, **RATE}),
]
RACE = "initialization"
PRODUCTS = "products"
CLOSELY = Pace(least=12, most=12, answered=1)


def job_of(recipe: Recipe) -> TrainingJob:
    task = tasks.task(recipe.task)
    job = TrainingJob(settings.DEFAULT_BASE, recipe.method, task, recipe.hyperparameters, recipe.steps, recipe.seed)
    return job.checked()


def train_one(recipe: Recipe) -> None:
    """Train and save one adapter."""
    job = job_of(recipe)
    for event in train(job, BASES.get):
        if not isinstance(event, Step):
            print(recipe.id, event.event, event.step, getattr(event, "held_out_loss", ""), flush=True)
    if not isinstance(event, Ended) or event.event != "finished":
        raise SystemExit(f"{recipe.id}: {event.event}")
    folder = settings.EXAMPLES / "adapters" / recipe.id
    shutil.rmtree(folder, ignore_errors=True)
    save(event.adapter, folder)


def record_run(recipe: Recipe) -> None:
    """Train what a lesson replays, and keep everything but the adapter."""
    job, spent = job_of(recipe), defaultdict[str, list[float]](list)
    base = BASES.get(method(job.method).base_id(job.base, job.hyperparameters))  # not counted
    clock = clock_of(base)
    before = clock()
    for event in train(job, BASES.get, pace=CLOSELY):
        now = clock()
        spent[event.event].append(now - before)
        before = now
    if not isinstance(event, Ended) or event.event not in ("finished", "failed"):
        raise SystemExit(f"{recipe.id}: {event.event}")
    made = event.adapter.record
    content = {
        **{name: getattr(made, name) for name in ("base", "method", "task", "hyperparameters", "seed")},
        "trainable_parameters": made.trainable_parameters,
        "steps": job.steps,
        "state": "diverged" if event.event == "failed" else event.event,
        "ended": event.step,
        "seconds": round(usual_seconds(job, event.step, spent), 1),
        **{name: getattr(made, name) for name in ("hardware", "precision", "versions", "questions")},
        **{name: [(step, loss and round(loss, 4)) for step, loss in getattr(made, name)] for name in ("losses", "held_out")},
        "samples": made.samples,
    }
    RUNS_FOLDER.mkdir(exist_ok=True)
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in content.items())
    (RUNS_FOLDER / f"{recipe.id}.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(recipe.id, content["state"], event.step, content["seconds"], made.held_out[-1], flush=True)


def usual_seconds(job: TrainingJob, ended: int, spent: dict[str, list[float]]) -> float:
    """What the run would have taken if it had been looked at as often as a visitor's."""
    kinds = {"evaluation": USUAL.looks(job.steps or 0), "sample": USUAL.answers(job.steps or 0)}
    counts = {kind: sum(0 < step <= ended for step in steps) for kind, steps in kinds.items()}
    looks = sum(count * fmean(spent[kind][1:] or [0.0]) for kind, count in counts.items())  # the first is known beforehand
    return looks + sum(spent["started"] + spent["step"])


def record(place: int, task_id: str) -> None:
    """Compare the base with the task's adapters and keep the last frame."""
    adapters = [read(settings.EXAMPLES / "adapters" / f"{task_id}-{method_id}") for method_id in METHODS]
    panes = tuple(Variant.of(settings.DEFAULT_BASE, one) for one in (None, *adapters))
    *_, frame = compare(CompareJob(settings.DEFAULT_BASE, QUESTIONS[task_id], panes), BASES.get)
    folder = settings.EXAMPLES / "comparisons"
    folder.mkdir(exist_ok=True)
    content = json.dumps(frame.as_json(), ensure_ascii=False, indent=1)
    (folder / f"{place}-{task_id}.json").write_text(content + "\n", encoding="utf-8")
    print(task_id, [pane.text for pane in frame.panes])


def measure() -> None:
    """Measure the base in every format, for the quantization lab."""
    *_, found = survey(WholeJob(settings.DEFAULT_BASE, FORMS), BASES.get)
    base = BASES.get(settings.DEFAULT_BASE)
    content = json.dumps(recording(found, hardware(base)), ensure_ascii=False)
    (settings.EXAMPLES / "survey.json").write_text(content + "\n", encoding="utf-8")


def lessons() -> None:
    """What lessons show that were run for them: the notebooks, one run in several precisions."""
    base = BASES.get(settings.DEFAULT_BASE)
    machine = hardware(base)
    found = {
        notebooks.RECORD: {"base": base.id, "machine": machine, "versions": versions(), "runs": notebooks.rerun(base)},
        mixed_precision.RECORD: mixed_precision.recording(base, machine),
    }
    for path, content in found.items():
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def products() -> None:
    """Products of the base's layers in each type, and the whole of it writing, for a lesson and the quantization lab."""
    base = BASES.get(settings.DEFAULT_BASE)
    device = base.device.type
    content = timing.recording(hardware(base), device, energy.meter(device))
    content["written"] = [asdict(one) for one in written(base, BASES.get)] if device == "cpu" else []
    timing.RECORD.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def race() -> None:
    """The first steps from every initialization of LoRA, three seeds each, for the low-rank lab."""
    races: list[dict[str, Any]] = []
    for rate in initialization.RATES:
        for found in initialization.race(settings.DEFAULT_BASE, rate, BASES.get, lambda: False):
            if found and found.curves[-1].ended:
                last = found.curves[-1]
                print(rate, last.start, last.seed, last.held_out[-1], flush=True)
        assert found
        races.append({"rate": rate, "curves": [asdict(one) for one in found.curves]})
    base = BASES.get(settings.DEFAULT_BASE)
    taken = {start: seconds_to_begin(start) for start in initialization.STARTS}
    for one in (curve for whole in races for curve in whole["curves"]):
        one["beginning"] = taken[initialization.Start(one["method"], one["initialization"])]
    content = {"base": base.id, "hardware": hardware(base), "versions": versions(), "races": races}
    initialization.FILE.write_text(json.dumps(content) + "\n", encoding="utf-8")


def seconds_to_begin(start: initialization.Start) -> float:
    """What a run's initialization takes; where nothing else can be counted, the processor's time."""
    job = TrainingJob(
        settings.DEFAULT_BASE, start.method, tasks.task(initialization.TASK), {"initialization": start.initialization}, 1
    ).checked()
    base = BASES.get(method(job.method).base_id(job.base, job.hyperparameters))
    model, _ = wrap(base, method(job.method), job.hyperparameters)
    encoded = [tasks.encode(base.tokenizer, one) for one in job.task.train]
    clock = clock_of(base)
    before = clock()
    finished(beginning(job, base, model, encoded, BASES.get))
    return round(clock() - before, 3) if begins(job.hyperparameters) else 0.0


def clock_of(base: Base) -> Callable[[], float]:
    """On one thread the processor's time: what others take does not count."""
    alone = base.device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def look() -> None:
    """What the base makes of every task before anything is trained."""
    base, made = BASES.get(settings.DEFAULT_BASE), {}
    for task_id in tasks.TASK_IDS:
        task = tasks.task(task_id)
        encoded = [tasks.encode(base.tokenizer, example) for example in task.held_out]
        answers = finished(sample_answers(base.model, base, questions(task)))
        loss = held_out_loss(base.model, encoded, base.tokenizer.pad_token_id)
        made[task_id] = {"held_out_loss": loss, "answers": answers}
    found = {"base": base.id, "checksum": base.loaded_checksum, "tokens": SAMPLE_TOKENS, "dtype": base.dtype}
    measured_with = {"hardware": hardware(base), "versions": versions()}
    content = json.dumps(found | measured_with | {"tasks": made}, ensure_ascii=False, indent=1)
    looks.FILE.write_text(content + "\n", encoding="utf-8")


def score() -> None:
    """What the base and few-shot are worth on every task: what a training is held beside."""
    base, made = BASES.get(settings.DEFAULT_BASE), {}
    for task_id in tasks.TASK_IDS:
        task = tasks.task(task_id)
        shown = Variant(base.id), Variant(base.id, reference(base.id, base.architecture, task))
        made[task_id] = {one.method: scoring.recorded(base, one, task) for one in shown}
        print(task_id, {name: one["held_out_loss"] for name, one in made[task_id].items()}, flush=True)
    found = {"base": base.id, "checksum": base.loaded_checksum, "tokens": scoring.TOKENS, "dtype": base.dtype}
    measured_with = {"hardware": hardware(base), "versions": versions()}
    content = json.dumps(found | measured_with | {"tasks": made}, ensure_ascii=False, indent=1)
    scoring.FILE.write_text(content + "\n", encoding="utf-8")


def main() -> None:
    """
    Everything, or what is named as arguments: runs, as `runs/<id>`; `initialization`; `products`; adapters, after which
    whatever shows them is recorded again as well.
    """
    named = sys.argv[1:]
    for run in RUNS:
        if not named or f"runs/{run.id}" in named:
            record_run(run)
    if not named or RACE in named:
        race()
    if not named or PRODUCTS in named:
        products()
    adapters = [one for one in RECIPES if not named or one.id in named]
    if not adapters:
        return
    look()
    score()
    for recipe in adapters:
        train_one(recipe)
    for place, task_id in enumerate(QUESTIONS, start=1):
        record(place, task_id)
    measure()
    lessons()


if __name__ == "__main__":
    main()
