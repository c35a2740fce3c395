"""
Makes what the page shows before anybody has trained or compared: `make examples`.

Measures the base on every task, and few-shot beside it. Trains prompt tuning, IA3 and LoRA with their default settings on
the tasks below (seed 0), and the variants that the labs compare with them; saves the adapters as PEFT folders in
`examples/adapters`, compares them, and records the comparisons in `examples/comparisons`; measures the base in every number
format; runs what the lessons show. About half an hour on two cores.
Needs the package installed, as `make` does it.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, field
from typing import Any

from playground import settings
from playground.actions.quantize import recording
from playground.adapt import tasks
from playground.adapt.adapters import read, save
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob
from playground.learn import mixed_precision, notebooks, timing
from playground.model.bases import BASES
from playground.model.catalogue import FORMS
from playground.quantize.wholemodel import WholeJob, survey
from playground.train import looks, scoring
from playground.train.evaluation import SAMPLE_TOKENS, held_out_loss, questions, sample_answers
from playground.train.few_shot import reference
from playground.train.job import Ended, Step, TrainingJob
from playground.train.pauses import finished
from playground.train.record import hardware, versions
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


def train_one(recipe: Recipe) -> None:
    """Train and save one adapter."""
    job = TrainingJob(
        settings.DEFAULT_BASE, recipe.method, tasks.task(recipe.task), recipe.hyperparameters, recipe.steps, recipe.seed
    )
    for event in train(job, BASES.get):
        if not isinstance(event, Step):
            print(recipe.id, event.event, event.step, getattr(event, "held_out_loss", ""), flush=True)
    if not isinstance(event, Ended) or event.event != "finished":
        raise SystemExit(f"{recipe.id}: {event.event}")
    folder = settings.EXAMPLES / "adapters" / recipe.id
    shutil.rmtree(folder, ignore_errors=True)
    save(event.adapter, folder)


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
    """What lessons show that were run for them: the notebooks, one run in several precisions, products in each type."""
    base = BASES.get(settings.DEFAULT_BASE)
    machine = hardware(base)
    found = {
        notebooks.RECORD: {"base": base.id, "machine": machine, "versions": versions(), "runs": notebooks.rerun(base)},
        mixed_precision.RECORD: mixed_precision.recording(base, machine),
        timing.RECORD: timing.recording(machine, base.device.type),
    }
    for path, content in found.items():
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


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
    """Everything, or only the adapters named as arguments; what is compared and measured is recorded in any case."""
    look()
    score()
    for recipe in RECIPES:
        if recipe.id in (sys.argv[1:] or [one.id for one in RECIPES]):
            train_one(recipe)
    for place, task_id in enumerate(QUESTIONS, start=1):
        record(place, task_id)
    measure()
    lessons()


if __name__ == "__main__":
    main()
