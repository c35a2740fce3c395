"""
The kinds of work that any place can do: a job in, its events out, with the bases and the batch engine of wherever that is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from playground.actions.lanes import COMPARE, TRAIN
from playground.model.bases import BASES
from playground.work.places import Kind

if TYPE_CHECKING:
    from playground.compare.job import CompareJob
    from playground.compare.many import ManyJob
    from playground.train.job import TrainingJob
    from playground.train.scoring import ScoreJob
    from playground.train.state import Save, State

Events = Generator[Any, None, None]
Stop = Callable[[], bool]


def _train(job: TrainingJob, stop: Stop, state: State | None = None, save: Save | None = None) -> Events:
    """A training's events, None for a pause."""
    from playground.compare.pool import LOOKS
    from playground.train.job import Working
    from playground.train.together import SHARED
    from playground.train.training import train

    for event in train(job, BASES.get, stop, SHARED, LOOKS, state=state, save=save):
        yield None if isinstance(event, Working) else event


def _score(job: ScoreJob, stop: Stop) -> Events:
    from playground.compare.pool import LOOKS
    from playground.train.scoring import score

    yield from score(job, BASES.get, stop, LOOKS)


def _compare(job: CompareJob, stop: Stop) -> Events:
    from playground.compare.comparison import compare
    from playground.compare.pool import SHARED

    yield from compare(job, BASES.get, SHARED)


def _many(job: ManyJob, stop: Stop) -> Events:
    from playground.compare.pool import SHARED
    from playground.compare.sampling import many

    yield from many(job, BASES.get, SHARED)


TRAINING, SCORING = Kind("train", TRAIN, _train, saves=True), Kind("score", TRAIN, _score)
COMPARING, REPEATING = Kind("compare", COMPARE, _compare), Kind("many", COMPARE, _many)
KINDS = {one.id: one for one in (TRAINING, SCORING, COMPARING, REPEATING)}


def kind(name: str) -> Kind:
    """The kind of a name, as workers find it."""
    return KINDS[name]
