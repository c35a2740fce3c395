"""
How the learning rate of a run rises and falls, and when the run is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WARMUP = 0.1  # of the steps


def rate_factor(step: int, steps: int) -> float:
    """
    What the learning rate is multiplied with at `step` (from 1): a linear rise over the first tenth, then half a cosine
    down to almost nothing. Unlike transformers' `get_scheduler` it gives the first step a rate: there are few steps here.
    """
    warmup = max(1, round(WARMUP * steps))
    if step <= warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup + 1)))


@dataclass(frozen=True)
class Pace:
    """
    How often a run is looked at: evaluations at least and at most, besides the one before the first step. With every
    `answered`-th of them and at the end the sample questions are answered as well: writing takes longer. 0: never.
    """

    least: int = 3
    most: int = 11
    answered: int = 3

    def looks(self, steps: int) -> list[int]:
        """The steps after which the held-out loss is measured."""
        return sorted({*range(0, steps + 1, self._every(steps)), steps})

    def answers(self, steps: int) -> list[int]:
        """Those of them at which the sample questions are answered."""
        if not self.answered:
            return []
        return sorted({*range(0, steps + 1, self.answered * self._every(steps)), steps})

    def _every(self, steps: int) -> int:
        return max(1, math.ceil(steps / min(self.most, max(self.least, steps // 8))))


USUAL = Pace()
