"""
The endpoints of every subject, in the order in which they are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from playground.ui.api import (
    another,
    catalogue,
    gpu_jobs,
    leaderboard,
    lowrank,
    many,
    mix,
    own,
    prune,
    quantize,
    race,
    score,
)

ROOMS = (
    catalogue,
    lowrank,
    another,
    race,
    many,
    score,
    own,
    leaderboard,
    mix,
    quantize,
    prune,
    gpu_jobs,
)
EVERY: Mapping[str, Callable[..., Any]] = {name: one for room in ROOMS for name, one in room.ENDPOINTS.items()}
