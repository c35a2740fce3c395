"""
Trainings that were recorded for the lessons (`make examples`): what each one was asked for, and what it told at every look.

One file each in examples/runs. Knows nothing about the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from playground import settings

FOLDER = settings.EXAMPLES / "runs"


@dataclass(frozen=True)
class Look:
    """
    What was known at a step: the loss of its batch (None before the first), the held-out loss and the answers to the
    sample questions.
    """

    step: int
    training: float | None
    held_out: float
    answers: tuple[str, ...]


@dataclass(frozen=True)
class RecordedRun:
    """
    A recipe and what came of it, under the names of a training's view (`actions.train.training_view`). `state` is "finished"
    or "diverged", `ended` the last step that was taken; `seconds` of computing, looked at as often as a visitor's run.
    """

    id: str
    base: str
    method: str
    task: str
    hyperparameters: Mapping[str, Any]
    seed: int
    trainable_parameters: int
    steps: int
    state: str
    ended: int
    seconds: float
    hardware: str
    precision: str
    versions: Mapping[str, str]
    questions: list[str]
    losses: list[tuple[int, float | None]]
    held_out: list[tuple[int, float | None]]
    samples: list[Mapping[str, Any]]

    @property
    def looks(self) -> list[Look]:
        """In the order of their steps."""
        losses, answers = dict(self.losses), {one["step"]: tuple(one["answers"]) for one in self.samples}
        return [Look(step, losses.get(step), loss, answers[step]) for step, loss in self.held_out if loss is not None]

    @property
    def view(self) -> dict[str, Any]:
        """As whoever draws a training takes it."""
        return vars(self)


@cache
def recorded_run(run_id: str) -> RecordedRun:
    """Raises FileNotFoundError for one that was not recorded."""
    return RecordedRun(id=run_id, **_read(FOLDER / f"{run_id}.json"))


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
