"""
The lanes of this page's work: what waits for what, what goes on together, and how each behaves.
"""

from __future__ import annotations

from functools import cache

from playground import settings
from playground.model.needed import pick_device
from playground.work.jobs import Lane


def _write(seconds: float) -> None:
    """A token of each answer."""
    from playground.compare.pool import SHARED

    SHARED.step()


@cache
def _trainings() -> int:
    """How many go on together: on a GPU they take a step in one pass, elsewhere one after the other."""
    return settings.TOGETHER if pick_device()[0] == "cuda" else settings.MAX_TRAININGS_TOGETHER


def _train(seconds: float) -> None:
    """Those that step together do; those that write answers have as long for it as the longest of the others' steps."""
    from playground.compare.pool import LOOKS
    from playground.train.together import SHARED

    SHARED.step()
    LOOKS.step(max(seconds, settings.LOOKING_SECONDS))


TRAIN = Lane(
    "train", share=1.0, long=True, keeps=True, width=_trainings, room=settings.MAX_TRAINING_BYTES,
    step=_train,
)  # fmt: skip
COMPARE = Lane("compare", share=3.0, width=settings.MAX_COMPARISONS_TOGETHER, room=settings.MAX_COMPARING_BYTES, step=_write)
LAB = Lane("lab", share=3.0)  # short work of the labs, whose answers are waited for
MEASURE = Lane("measure", share=1.0)  # long measurements
