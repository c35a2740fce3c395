"""
Tokens a second of a whole base in each form that has kernels on a machine: what was recorded of the embedded one. Imports no
torch, knows nothing about how they were measured (`writers`).
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from functools import cache

from playground.learn import timing

PLAIN = "float32"
FORMS = (PLAIN, "packed", "bfloat16", "int8_dynamic", "int8_weights", "int4_weights", "int8_vectorwise", "nf4")
APART = 0.25  # of the median: repetitions whose middle half spans more were disturbed


@dataclass(frozen=True)
class Written:
    """
    One of FORMS: `rates` in tokens a second, one of each repetition, none where the machine has no such kernels; the bytes
    of all weights as they are held.
    """

    form: str
    rates: tuple[float, ...]
    bytes: int = 0

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """Lower, median, upper."""
        low, middle, high = statistics.quantiles(self.rates, n=4, method="inclusive")
        return low, middle, high

    @property
    def disturbed(self) -> bool:
        low, middle, high = self.quartiles
        return high - low > APART * middle


@cache
def recorded() -> tuple[Written, ...]:
    """Those that lie beside the recorded products; nothing where they were not measured."""
    found = json.loads(timing.RECORD.read_text(encoding="utf-8")).get("written", [])
    return tuple(Written(one["form"], tuple(one["rates"]), one["bytes"]) for one in found)
