"""
What comes back: a pruned base, a LoRA trained on it, one distilled from the whole base, as many single weights trained in
place (a sparse update), and beside them the same LoRA on the whole base; each on the neutral text, on the task's held-out
examples, and with its answer. Knows nothing about the page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from playground.adapt.adapters import Adapter
from playground.adapt.attach import attached
from playground.adapt.tasks import Task, encode
from playground.adapt.variant import Variant
from playground.bounds import SEED, Bound
from playground.model.bases import Base
from playground.model.pruning import Pruning
from playground.prune.healed import TRAINED, WHO, Healed, Recovery
from playground.prune.healing import DistillationJob, distill
from playground.prune.table import read, written
from playground.train.evaluation import held_out_losses
from playground.train.job import Ended, Evaluation, Step, TrainingJob
from playground.train.pauses import between
from playground.train.schedule import Pace
from playground.train.scoring import Scored, scored
from playground.train.training import train

STEPS = Bound("steps", 8, 1, 40)
# Gently: at higher rates the neutral text is read worse than before
LORA = {"targets": "all_linear", "learning_rate": 5e-4, "batch_size": 4}
SPARSE = {"targets": "all_linear", "learning_rate": 1e-3, "batch_size": 4}  # as many numbers as LoRA's
RECIPES: dict[str, tuple[str, dict[str, Any]]] = dict.fromkeys(TRAINED, ("lora", LORA)) | {"sparse": ("shira", SPARSE)}
SOFT = 0.9  # of the distilled one's loss looks at the whole base
SCORED = 8  # held-out examples whose questions are answered: more take longer than a training
SELDOM = Pace(least=1, most=1, answered=0)  # what a row is worth is measured after it
GetBase = Callable[[str], Base]
Clock = Callable[[], float]


@dataclass(frozen=True)
class RecoveryJob:
    """Heal a pruning of a plain base on a task, in so many steps each."""

    base: str
    pruning: Pruning
    task: Task
    steps: int = STEPS.default
    seed: int = SEED.default

    def checked(self) -> RecoveryJob:
        """Raises PlaygroundError for what cannot be served."""
        for who in TRAINED:
            self.training(who).checked()
        return replace(self, steps=STEPS.check(self.steps))

    def training(self, who: str) -> TrainingJob:
        base = self.base if who == "whole_lora" else f"{self.base}:{self.pruning}"
        method, recipe = RECIPES[who]
        return TrainingJob(base, method, self.task, recipe, STEPS.check(self.steps), SEED.check(self.seed))


def recovery(
    job: RecoveryJob, get_base: GetBase, stop: Callable[[], bool] = lambda: False, clock: Clock = time.perf_counter
) -> Iterator[Recovery]:
    """
    What is known, again and again; a training's seconds are the `clock`'s. Raises PlaygroundError before the first event if
    the job cannot be served.
    """
    job = job.checked()
    seen = Recovery(job.base, str(job.pruning), job.task.id, steps=job.steps, seed=job.seed)
    for who in WHO:
        seen = replace(seen, working=who, step=None)
        yield seen
        if stop():
            return
        adapter, seconds = None, 0.0
        if who in TRAINED:
            adapter, seconds, seen = yield from _trained(job.training(who), who, seen, get_base, stop, clock)
            if adapter is None:
                return
            seen = replace(seen, step=None)
        base = get_base(job.base if who.startswith("whole") else f"{job.base}:{job.pruning}")
        one = yield from between(_healed(who, base, adapter, seconds, job.task), seen)
        seen = replace(seen, rows=(*seen.rows, one))
        yield seen
    yield replace(seen, working=None)


def _trained(
    training: TrainingJob, who: str, seen: Recovery, get_base: GetBase, stop: Callable[[], bool], clock: Clock
) -> Generator[Recovery, None, tuple[Adapter | None, float, Recovery]]:
    """The adapter, None where somebody has stopped it, and the seconds of its steps: no pause, no look at it counts."""
    events = (
        distill(DistillationJob(training, soft=SOFT), get_base, stop, SELDOM)
        if who == "distilled"
        else train(training, get_base, stop, pace=SELDOM)
    )
    spent = pending = 0.0
    while True:
        began = clock()
        event = next(events)
        pending += clock() - began
        if isinstance(event, Ended):
            break
        if isinstance(event, Step):
            spent, pending, seen = spent + pending, 0.0, replace(seen, step=event.step)
        elif isinstance(event, Evaluation):
            pending = 0.0
        yield seen
    if event.error:
        raise event.error
    return event.adapter if event.event == "finished" else None, spent, seen


def _healed(who: str, base: Base, adapter: Adapter | None, seconds: float, task: Task) -> Generator[None, None, Healed]:
    variant = Variant(base.id, adapter)
    model = attached(base, variant).model
    answer, _ = written(model, base)
    loss, _ = yield from read(model, base)
    encoded = [encode(base.tokenizer, one) for one in task.held_out]
    held_out = yield from held_out_losses(model, encoded, base.tokenizer.pad_token_id)
    score = None
    for event in scored(variant, replace(task, held_out=task.held_out[:SCORED]), base):
        score = event.score if isinstance(event, Scored) else None
        yield
    trained = adapter.record.trainable_parameters if adapter else 0
    return Healed(who, base.architecture.parameters, trained, seconds, loss, held_out, score, answer)
