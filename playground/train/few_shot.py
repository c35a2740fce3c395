"""
The reference that trains nothing: its adapter is a few examples that are put before every question.

A job in, the same events out as from training. Knows nothing about where it runs or who watches.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.methods import METHODS
from playground.model.bases import Base
from playground.train.evaluation import held_out_loss, questions, sample_answers
from playground.train.job import Ended, Evaluation, Event, Sample, Started, TrainingJob
from playground.train.record import new_id, record


def few_shot(job: TrainingJob, base: Base) -> Iterator[Event]:
    """The examples are chosen by the seed of a checked job."""
    begin = time.perf_counter()
    shots = random.Random(job.seed).sample(job.task.train, min(job.hyperparameters["examples"], len(job.task.train)))
    asked = questions(job.task)
    counts = METHODS[job.method].counts(base.architecture, job.hyperparameters)
    yield Started(**counts, steps=0, questions=tuple(asked))
    encoded = [tasks.encode(base.tokenizer, example, shots) for example in job.task.held_out]
    loss = held_out_loss(base.model, encoded, base.tokenizer.pad_token_id)
    yield Evaluation(0, loss)
    written = sample_answers(base.model, base, asked, shots)
    yield Sample(0, tuple(written))
    seconds = time.perf_counter() - begin
    made = record(
        job, base, seconds, steps=0, **counts, held_out=[(0, loss)], samples=[{"step": 0, "answers": written}],
        questions=asked, shots=[(shot.prompt, shot.response) for shot in shots],
    )  # fmt: skip
    yield Ended("finished", 0, Adapter(new_id(), made), seconds)
