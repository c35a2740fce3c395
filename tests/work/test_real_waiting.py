"""
What is said about waiting while real runs go on: trainings with their looks, and comparisons, of a tiny model, by the lanes
that the page has. The clock counts what the model reads, so every machine sees the same.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from playground.actions import scores, train
from playground.actions.lanes import COMPARE, TRAIN
from playground.actions.train import length_of
from playground.adapt.tasks import Example, Task
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.compare.pool import LOOKS, SHARED
from playground.model.bases import BASES, Base
from playground.train.job import TrainingJob
from playground.train.leaderboard import trained
from playground.train.scoring import ScoreJob, score
from playground.work.jobs import Size
from playground.work.waiting import Length
from tests.conftest import variants
from tests.work.test_waiting import World

FLOOR = 0.2  # of the time that all of it takes: what is left then is not judged
RIGHT = 0.95  # of what is said before is within a factor of two
READ, PASS, BACK = 1e-3, 70e-3, 2.5  # seconds: a token, and a pass besides; times as long with going back
OFTEN = 0.5  # seconds from one look at the page to the next


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Whose clock moves when a model reads, for all that ask for the time."""
    found, passed = World(), [0.0]

    def reads(module: torch.nn.Module, given: Any, result: Any) -> None:
        if isinstance(module, torch.nn.Embedding) and module.num_embeddings > 200:
            passed[0] += (PASS + READ * given[0].numel()) * (BACK if torch.is_grad_enabled() else 1)
            if passed[0] > OFTEN:
                found.pass_by(passed[0])
                passed[0] = 0.0

    monkeypatch.setattr(time, "perf_counter", lambda: found.now + passed[0])
    monkeypatch.setattr(found.jobs, "_clock", time.perf_counter)
    handle = register_module_forward_hook(reads)
    yield found
    handle.remove()


@pytest.fixture
def words() -> Task:
    """Examples enough to be looked at in two batches."""
    said = [Example(f"say {number}", f"{number} it is, and that is all about it") for number in range(28)]
    return Task("pirate", tuple(said[:16]), tuple(said[16:]))


def check(world: World) -> None:
    """Most of what was said while more than the floor was left was right, and mostly something was."""
    floor = FLOOR * max(world.began.values())
    asked = [(wait, world.began[run] - now) for now, run, wait in world.said if world.began[run] - now > floor]
    told = [(wait, left) for wait, left in asked if wait is not None]
    wrong = [f"{wait:.1f} s were said, {left:.1f} s it was" for wait, left in told if not 0.5 <= wait / left <= 2]
    assert len(told) > len(asked) / 2
    assert len(wrong) <= (1 - RIGHT) * len(told), wrong


EQUAL = [("lora", 4)] * 10
UNEQUAL = [("lora", 3), ("ia3", 8), ("prompt_tuning", 5), ("lora", 12)] * 3
WITH_SHOTS = [("lora", 6), ("few_shot", None), ("ia3", 8), ("few_shot", None)] * 3


@pytest.mark.parametrize("asked", [EQUAL, UNEQUAL, WITH_SHOTS], ids=["equal", "unequal", "with few-shot"])
def test_trainings_with_their_looks(
    world: World, tiny: Base, words: Task, loaded: Callable[[Base], Base], asked: Sequence[tuple[str, int | None]]
) -> None:
    loaded(tiny)

    def begin() -> None:
        for seed, (method, steps) in enumerate(asked):
            job = TrainingJob(tiny.id, method, words, {}, steps, seed).checked()
            world.submit(TRAIN, partial(training, job), size=Size(16_000), length=length_of(job))

    world.run(begin)
    check(world)


def test_trainings_and_scorings(world: World, tiny: Base, words: Task, loaded: Callable[[Base], Base]) -> None:
    """
    Both wait for each other, so what is said is right only if their lengths are of one measure. The tiny model never ends an
    answer, so the right ones are as long as they may be.
    """
    loaded(tiny)
    (variant,) = variants(tiny.id, trained(TrainingJob(tiny.id, "lora", words, {}, 1), BASES.get)[0])

    def begin() -> None:
        for seed in range(6):
            job = TrainingJob(tiny.id, "lora", words, {}, 6, seed).checked()
            world.submit(TRAIN, partial(training, job), size=Size(16_000), length=length_of(job))
            unknown = replace(words, held_out=tuple(Example(one.prompt, f"{seed}" * 220) for one in words.held_out))
            asked = ScoreJob(unknown, (variant,))
            world.submit(TRAIN, partial(scoring, asked), length=scores.length_of(asked))

    world.run(begin)
    check(world)


@pytest.mark.parametrize("tokens", [(24,), (24, 8, 40)], ids=["equal", "unequal"])
def test_comparisons(world: World, tiny: Base, loaded: Callable[[Base], Base], tokens: Sequence[int]) -> None:
    loaded(tiny)
    lane = replace(COMPARE, width=4)

    def begin() -> None:
        for place in range(14):
            how = Decoding(max_new_tokens=tokens[place % len(tokens)])
            job = CompareJob(tiny.id, "What is a ship?", variants(tiny.id, None), how)
            world.submit(lane, partial(answering, job), length=Length(how.max_new_tokens))

    world.run(begin)
    check(world)


def answering(job: CompareJob, world: World, stop: Callable[[], bool]) -> Iterator[Any]:
    return compare(job, BASES.get, SHARED)


def scoring(job: ScoreJob, world: World, stop: Callable[[], bool]) -> Iterator[Any]:
    return score(job, BASES.get, stop, LOOKS)


def training(job: TrainingJob, world: World, stop: Callable[[], bool]) -> Iterator[Any]:
    return train.training(uuid.uuid4().hex, job)(stop)
