"""
The reference that trains nothing: its adapter is a few examples that are put before every question.

A job in, the same events out as from training. Knows nothing about where it runs or who watches.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from playground.adapt import tasks
from playground.adapt.adapters import Adapter, Record
from playground.adapt.methods import METHODS
from playground.adapt.tasks import Example, Task
from playground.compare.pool import AnyPool
from playground.model.architecture import Architecture
from playground.model.bases import Base
from playground.train.effort import Effort
from playground.train.evaluation import held_out_losses, questions, sample_answers
from playground.train.job import Ended, Evaluation, Event, Sample, Started, TrainingJob
from playground.train.pauses import Stopped, pausing, timed
from playground.train.record import new_id, record


def reference(base_id: str, architecture: Architecture, task: Task) -> Adapter:
    """Few-shot as it is usually prepared, for whoever is held beside it: the usual number of examples, seed 0."""
    chosen = METHODS["few_shot"]
    usual = chosen.complete({})
    shots = [(shot.prompt, shot.response) for shot in choose(task, usual["examples"], seed=0)]
    counts = chosen.counts(architecture, usual)
    return Adapter("few_shot", Record(base_id, chosen.id, task.id, usual, seed=0, steps=0, **counts, shots=shots))


def choose(task: Task, count: int, seed: int) -> list[Example]:
    """So many of the training examples, or all where there are fewer."""
    return random.Random(seed).sample(task.train, min(count, len(task.train)))


def few_shot(job: TrainingJob, base: Base, stop: Callable[[], bool], pool: AnyPool | None = None) -> Iterator[Event]:
    """
    The examples are chosen by the seed of a checked job. `stop` is asked between two batches: the prompt is kept, as far
    as it has been measured. Raises PlaygroundError before the first event if it is too long. `pool` as in `train`.
    """
    shots = choose(job.task, job.hyperparameters["examples"], job.seed)
    asked = questions(job.task)
    counts = METHODS[job.method].counts(base.architecture, job.hyperparameters)
    encoded = [tasks.encode(base.tokenizer, example, shots) for example in job.task.held_out]
    base.check_room(max(len(ids) for ids, _ in encoded))
    yield Started(**counts, steps=0, questions=tuple(asked))
    event, losses, samples, spent = "finished", list[tuple[int, float]](), list[dict[str, Any]](), list[float]()
    try:
        reading = timed(held_out_losses(base.model, encoded, base.tokenizer.pad_token_id), spent.append)
        loss = yield from pausing(reading, 0, stop)
        losses.append((0, loss))
        effort = Effort.of(job, base.device.type == "cuda")
        yield Evaluation(0, loss, left=effort.answers / effort.whole(first_look=True))
        written = yield from pausing(sample_answers(base.model, base, asked, shots, pool, spent.append), 0, stop)
        samples.append({"step": 0, "answers": written})
        yield Sample(0, tuple(written), left=0.0)
    except Stopped:
        event = "stopped"
    seconds = sum(spent)
    made = record(
        job, base, seconds, steps=0, **counts, held_out=losses, samples=samples, questions=asked,
        shots=[(shot.prompt, shot.response) for shot in shots],
    )  # fmt: skip
    yield Ended(event, 0, Adapter(new_id(), made, examples=job.own), seconds)
