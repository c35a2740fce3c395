"""
What a training is asked and what it tells: a frozen job in, frozen events out. Imports no torch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from playground import settings
from playground.adapt.adapters import Adapter
from playground.adapt.methods import method
from playground.adapt.tasks import OWN, Task
from playground.bounds import SEED, Bound
from playground.errors import PlaygroundError

STEPS = Bound("steps", 24, 1, settings.MAX_STEPS)
SAMPLES = 2  # held-out questions that a run answers as it goes
SAMPLE_TOKENS = 20  # how far a run answers its held-out questions as it goes
QUESTIONS = 16  # held-out questions that are answered at most where a variant is scored
TOKENS = 64  # of such an answer at most: a held-out response has up to 51


@dataclass(frozen=True)
class TrainingJob:
    """What to train. `hyperparameters` may leave out what shall be the method's default."""

    base: str
    method: str
    task: Task
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    steps: int | None = None  # None: the method's default
    seed: int = SEED.default

    @property
    def own(self) -> Task | None:
        """The visitor's own examples, if the task is made of them."""
        return self.task if self.task.id == OWN else None

    def checked(self) -> TrainingJob:
        """The same job with everything filled in. Raises PlaygroundError if it cannot be served."""
        chosen = method(self.method)
        steps = chosen.steps if self.steps is None else self.steps
        return dataclasses.replace(
            self,
            hyperparameters=chosen.complete(self.hyperparameters),
            steps=STEPS.check(steps) if chosen.steps else 0,
            seed=SEED.check(self.seed),
        )


@dataclass(frozen=True)
class Started:
    trainable_parameters: int
    total_parameters: int
    bytes: int
    steps: int
    questions: tuple[str, ...]
    estimated_seconds: float = 0.0
    precision: str = "float32"  # of the products of frozen layers; what is trained is float32
    left: float = 1.0  # the share of the run's work that is left, here and in what follows
    event: str = "started"
    step: int = 0


@dataclass(frozen=True)
class Working:
    """Nothing new: a pause between two batches, in which others have their turn."""

    step: int
    event: str = "working"


@dataclass(frozen=True)
class Step:
    """One optimizer step. Seconds are wall time from the first step on; `tokens_per_second` counts the tokens read."""

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    elapsed: float
    remaining: float
    left: float
    event: str = "step"


@dataclass(frozen=True)
class Evaluation:
    step: int
    held_out_loss: float
    left: float
    event: str = "evaluation"


@dataclass(frozen=True)
class Sample:
    step: int
    answers: tuple[str, ...]
    left: float
    event: str = "sample"


@dataclass(frozen=True)
class Ended:
    """The last event: "finished", "stopped" (by request) or "failed" (diverged; the adapter is the last good one)."""

    event: str
    step: int
    adapter: Adapter
    seconds: float
    error: PlaygroundError | None = None
    gave_way: tuple[dict[str, Any], ...] = ()  # summaries of the adapters that a session had no room for beside it
    kept: bool = True  # by a session; not where nothing was learned


Event = Started | Working | Step | Evaluation | Sample | Ended


def checkpoint_bytes(trainable: int) -> int:
    """
    What the checkpoints of a run may hold of the numbers that change, float32; 0 where all of them would be too much, so
    none is kept. What does not change they share with the adapter.
    """
    every = settings.MAX_CHECKPOINTS * max(1, trainable * 4)
    return every if every <= settings.MAX_CHECKPOINT_BYTES else 0


def kept_bytes(changed: int, held: int) -> int:
    """What a session will hold of a run at most: an adapter of so many bytes, and checkpoints of the numbers that change."""
    return held + checkpoint_bytes(changed)
