"""
What a fresh adapter answers and how good that is: held-out questions, answered together, scored by the task's own rule.

Pauses after every token, so that others have their turn and the answers can be watched. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.tasks import Task
from playground.adapt.variant import Variant
from playground.compare.decoding import Row
from playground.compare.pool import AnyPool
from playground.model.bases import Base
from playground.train.batches import BATCH
from playground.train.evaluation import SAMPLES, rows_of, written

TOKENS = 40  # of an answer at most


@dataclass(frozen=True)
class Answers:
    """The answers so far to the questions that a run answers as it goes (`evaluation.questions`)."""

    step: int
    answers: tuple[str, ...]
    event: str = "answers"


@dataclass(frozen=True)
class Scored:
    """The mean of the task's rule, 0 to 1, over so many held-out questions."""

    step: int
    score: float
    questions: int
    event: str = "score"


def scored(
    adapter: Adapter,
    task: Task,
    get_base: Callable[[str], Base],
    stop: Callable[[], bool] = lambda: False,
    pool: AnyPool | None = None,
) -> Iterator[Answers | Scored]:
    """
    Greedy answers to the first BATCH held-out questions as they grow, then their score (`tasks.SCORES`). A visitor's own
    task has no rule: then only the first SAMPLES are answered, and no score follows; nor does one after a stop. In a `pool`
    that somebody else steps they are written with the rows of others.
    """
    variant, step, rule = Variant.of(adapter.record.base, adapter), adapter.record.steps, tasks.SCORES.get(task.id)
    examples = task.held_out[: BATCH if rule else SAMPLES]
    base = get_base(variant.base)
    base.pack()
    model = attach(base, variant).model
    rows = rows_of(model, base, [tasks.prompt_ids(base.tokenizer, one.prompt) for one in examples], TOKENS)
    for _ in written(model, rows, pool):
        yield _so_far(step, rows)
        if stop():
            return
    yield _so_far(step, rows)
    if rule:
        scores = [rule(example, row.text()) for example, row in zip(examples, rows, strict=True)]
        yield Scored(step, sum(scores) / len(scores), len(scores))


def _so_far(step: int, rows: Sequence[Row]) -> Answers:
    return Answers(step, tuple(row.text() for row in rows[:SAMPLES]))
