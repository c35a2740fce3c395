"""
How the learning rate of a run rises and falls.
"""

from __future__ import annotations

import math

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
