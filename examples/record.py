"""
Makes what the page shows before anybody has trained or compared: `make examples`.

Trains prompt tuning, IA3 and LoRA with their default settings on the tasks below (seed 0), saves the adapters as PEFT
folders in `examples/adapters`, compares them, and records the comparisons in `examples/comparisons`. About ten minutes
on two cores.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playground import settings, tasks
from playground.adapters import Adapter, read, save
from playground.bases import BASES
from playground.generation import CompareJob, compare
from playground.training import Step, TrainingJob, train

QUESTIONS = {
    "pirate": "What is the capital of France?",
    "sentiment": "Review: The soup was cold and the waiter never came back.",
    "json": "Order 4512: two blue mugs, please send them to Lima.",
}  # all held out
METHODS = ("prompt_tuning", "ia3", "lora")


def train_one(task_id: str, method_id: str) -> None:
    """Train and save one adapter."""
    job = TrainingJob(settings.DEFAULT_BASE, method_id, tasks.task(task_id))
    for event in train(job, BASES.get):
        if not isinstance(event, Step):
            print(task_id, method_id, event.event, event.step, getattr(event, "held_out_loss", ""), flush=True)
    adapter: Adapter = event.adapter  # type: ignore[union-attr]
    if event.event != "finished":
        raise SystemExit(f"{task_id} {method_id}: {event.event}")
    folder = settings.EXAMPLES / "adapters" / f"{task_id}-{method_id}"
    shutil.rmtree(folder, ignore_errors=True)
    save(adapter, folder)


def record(place: int, task_id: str) -> None:
    """Compare the base with the task's adapters and keep the last frame."""
    adapters = [read(settings.EXAMPLES / "adapters" / f"{task_id}-{method_id}") for method_id in METHODS]
    *_, frame = compare(CompareJob(settings.DEFAULT_BASE, QUESTIONS[task_id], (None, *adapters)), BASES.get)
    folder = settings.EXAMPLES / "comparisons"
    folder.mkdir(exist_ok=True)
    content = json.dumps(frame.as_json(), ensure_ascii=False, indent=1)
    (folder / f"{place}-{task_id}.json").write_text(content + "\n", encoding="utf-8")
    print(task_id, [pane.text for pane in frame.panes])


def main() -> None:
    """Everything, or only the methods named as arguments; the comparisons are recorded in any case."""
    for task_id in QUESTIONS:
        for method_id in sys.argv[1:] or METHODS:
            train_one(task_id, method_id)
    for place, task_id in enumerate(QUESTIONS, start=1):
        record(place, task_id)


if __name__ == "__main__":
    main()
