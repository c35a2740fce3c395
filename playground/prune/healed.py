"""
What comes back of a pruned base, in numbers, and what came with the page of the embedded one. Imports no torch, knows
nothing about how they were measured (`recovery`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from playground import settings

FILE = settings.EXAMPLES / "healed.json"  # of the embedded base (tests.benchmarks.healing)
WHO = ("whole", "pruned", "lora", "distilled", "sparse", "whole_lora")
TRAINED = ("lora", "distilled", "sparse", "whole_lora")


@dataclass(frozen=True)
class Healed:
    """
    One of WHO: its parameters without an adapter's, those of the adapter and the `seconds` of the steps that trained it;
    `loss` in nats a token of the neutral text; of the task's held-out examples the loss, and the score of the first of them
    (None where the task has no rule); the answer to `table.QUESTION`.
    """

    who: str
    parameters: int
    trained: int
    seconds: float
    loss: float
    held_out: float
    score: float | None
    answer: str

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)


@dataclass(frozen=True)
class Recovery:
    """The rows so far; who is at work, and at which step of so many where it trains."""

    base: str
    pruning: str
    task: str
    rows: tuple[Healed, ...] = ()
    working: str | None = None
    step: int | None = None
    steps: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Recorded:
    """A table, the machine that it was measured on, and the seconds of one core that all of it took."""

    found: Recovery
    machine: str
    seconds: float


def recording(made: Recorded) -> dict[str, Any]:
    """What the benchmark keeps for the page."""
    told: Mapping[str, Any] = asdict(made.found)
    return {
        "machine": made.machine,
        "seconds": made.seconds,
        **{name: told[name] for name in ("base", "pruning", "task", "steps", "seed", "rows")},
    }


@cache
def recorded() -> Recorded:
    """The one that came with the page."""
    read = json.loads(FILE.read_text(encoding="utf-8"))
    rows = tuple(Healed(**one) for one in read.pop("rows"))
    machine, seconds = read.pop("machine"), read.pop("seconds")
    return Recorded(Recovery(**read, rows=rows), machine, seconds)
