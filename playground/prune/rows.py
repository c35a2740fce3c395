"""
What is left of a base that was pruned, in numbers, and what came with the page of the embedded one. Imports no torch, knows
nothing about how they were measured (`table`).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from playground import settings

FILE = settings.EXAMPLES / "pruned.json"  # of the embedded base (tests.benchmarks.pruning)


@dataclass(frozen=True)
class Row:
    """
    One base with less of it. `parameters` are those that are there, `zeros` those of them that are zero in linear layers,
    `bytes` what they take as held; `loss` in nats a token of the neutral text; `right` the share of its tokens that were the
    likeliest.
    """

    pruning: str  # as `Pruning.parse` reads it; "" for the base itself
    parameters: int
    bytes: int
    zeros: int
    tokens_per_second: float
    loss: float
    right: float
    answer: str

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)


@dataclass(frozen=True)
class Table:
    """The rows so far, the base itself first."""

    base: str
    rows: tuple[Row, ...] = ()
    working: str | None = None


def recording(found: Table, machine: str) -> dict[str, Any]:
    """What the benchmark keeps for the page: the table and the machine that it was measured on."""
    return {"machine": machine, "base": found.base, "rows": [asdict(one) for one in found.rows]}


@cache
def recorded() -> tuple[Table, str]:
    """The table that came with the page, and its machine."""
    read = json.loads(FILE.read_text(encoding="utf-8"))
    return Table(read["base"], tuple(Row(**one) for one in read["rows"])), read["machine"]
