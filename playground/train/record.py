"""
What is written down of a run: how it was asked for, with which versions, on which machine. Knows nothing about training.
"""

from __future__ import annotations

import math
import platform
import uuid
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import torch

from playground.adapt.adapters import Checkpoint, Record
from playground.bounds import finite
from playground.model.bases import Base
from playground.train.job import TrainingJob


@dataclass
class Progress:
    """What a run has seen so far; it becomes the record."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    seconds: float = 0.0
    beginning: float = 0.0  # of them

    def copy(self) -> Progress:
        """The same so far; what comes changes one of them."""
        seen = {name: list(getattr(self, name)) for name in ("losses", "held_out", "samples", "checkpoints")}
        return replace(self, **seen)  # type: ignore[arg-type]

    @property
    def diverged(self) -> bool:
        """
        Not finite, or the mean of the last three losses 3 nats above where the held-out loss began (and half as much
        again). High rates climb a little before they learn; a run that explodes passes this within a few steps.
        """
        losses, start = [loss for _, loss in self.losses], self.held_out[0][1]
        if not math.isfinite(losses[-1]):
            return True
        return len(losses) >= 3 and sum(losses[-3:]) / 3 > max(start + 3.0, 1.5 * start)


def record(job: TrainingJob, base: Base, seconds: float, precision: str = "float32", **seen: Any) -> Record:
    """
    The record of an adapter that a checked job made on a base, with products in `precision`; `seen` is what its method has
    to tell besides.
    """
    return Record(
        base=job.base,
        method=job.method,
        task=job.task.id,
        hyperparameters=job.hyperparameters,
        seed=job.seed,
        planned_steps=job.steps or 0,
        seconds=round(seconds, 3),
        versions=versions(),
        hardware=hardware(base),
        precision=precision,
        **finite(seen),
    )


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "transformers", "peft", "bitsandbytes")}


def new_id() -> str:
    return uuid.uuid4().hex[:10]


def hardware(base: Base) -> str:
    return (
        f"{base.device_name}, {torch.get_num_threads()} threads, {platform.machine()}"
        if base.device.type == "cpu"
        else base.device_name
    )
