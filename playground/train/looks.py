"""
What the base itself makes of a task: its held-out loss and its answers to the sample questions, in float32. An adapter that
starts at zero begins with them, so they are measured once for a base and a task; for the ready-made tasks and the embedded
base they lie in `examples/looks.json` (`make examples`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt.tasks import TASK_IDS, task
from playground.model.memory import STORE
from playground.train import evaluation

if TYPE_CHECKING:
    from playground.adapt.tasks import Task
    from playground.model.bases import Base

FILE = settings.EXAMPLES / "looks.json"
BYTES = 2000  # of a look, roughly


@dataclass(frozen=True)
class Look:
    held_out_loss: float
    answers: tuple[str, ...]


def known(base: Base, learned: Task) -> Look | None:
    """What was measured of a base on a task, here or when the examples were made."""
    found: Look | None = STORE.find(_key(base, learned))
    return found or _shipped(base, learned)


def keep(base: Base, learned: Task, look: Look) -> None:
    """Remember what was measured, for as long as the base is there and there is room."""
    STORE.keep(_key(base, learned), look, BYTES, of=(base,))


def _key(base: Base, learned: Task) -> Hashable:
    """Holds no visitor's examples."""
    told = hashlib.sha256(repr(learned.held_out).encode()).digest()
    return "look", base, told, evaluation.SAMPLE_TOKENS


def _shipped(base: Base, learned: Task) -> Look | None:
    made = _recorded()
    same = (made["checksum"], made["tokens"]) == (base.loaded_checksum, evaluation.SAMPLE_TOKENS)
    if not same or learned.id not in TASK_IDS or learned != task(learned.id):
        return None
    one = made["tasks"][learned.id]
    return Look(one["held_out_loss"], tuple(one["answers"]))


@cache
def _recorded() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return recorded
