"""
What comes back: a pruned base, a LoRA trained on it, one distilled from the whole base, and beside them the same LoRA on the
whole base; each on the neutral text, on the task's held-out examples, and with its answer. Knows nothing about the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from playground.adapt.adapters import Adapter
from playground.adapt.attach import attached
from playground.adapt.tasks import Task, encode
from playground.adapt.variant import Variant
from playground.bounds import SEED, Bound
from playground.model.bases import Base
from playground.model.pruning import Pruning
from playground.prune.healing import DistillationJob, distill
from playground.prune.table import read, written
from playground.train.evaluation import held_out_losses
from playground.train.job import Ended, Step, TrainingJob
from playground.train.pauses import between
from playground.train.training import train

STEPS = Bound("steps", 8, 1, 40)
RECIPE = {"targets": "all_linear", "learning_rate": 5e-4, "batch_size": 4}  # gently: the neutral text is read worse at more
SOFT = 0.9  # of the distilled one's loss looks at the whole base
WHO = ("whole", "pruned", "lora", "distilled", "whole_lora")
TRAINED = ("lora", "distilled", "whole_lora")
GetBase = Callable[[str], Base]


@dataclass(frozen=True)
class RecoveryJob:
    """Heal a pruning of a plain base with LoRA on a task, in so many steps each."""

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
        return TrainingJob(base, "lora", self.task, RECIPE, STEPS.check(self.steps), SEED.check(self.seed))


@dataclass(frozen=True)
class Healed:
    """
    One of WHO: its parameters without an adapter's, those of the adapter, loss in nats a token of the neutral text and the
    share of its tokens that were the likeliest, loss on the task's held-out responses, the answer to `table.QUESTION`.
    """

    who: str
    parameters: int
    trained: int
    loss: float
    right: float
    held_out: float
    answer: str

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)


@dataclass(frozen=True)
class Recovery:
    """The rows so far; who is at work, and at which step of so many where it trains."""

    base: str
    pruning: str
    task: str
    rows: tuple[Healed, ...] = ()
    working: str | None = None
    step: int | None = None
    steps: int = 0


def recovery(job: RecoveryJob, get_base: GetBase, stop: Callable[[], bool] = lambda: False) -> Iterator[Recovery]:
    """What is known, again and again. Raises PlaygroundError before the first event if the job cannot be served."""
    job = job.checked()
    seen = Recovery(job.base, str(job.pruning), job.task.id, steps=job.steps)
    for who in WHO:
        seen = replace(seen, working=who, step=None)
        yield seen
        if stop():
            return
        adapter: Adapter | None = None
        if who in TRAINED:
            adapter, seen = yield from _trained(job.training(who), who, seen, get_base, stop)
            if adapter is None:
                return
        base = get_base(job.base if who.startswith("whole") else f"{job.base}:{job.pruning}")
        one = yield from between(_healed(who, base, adapter, job.task), seen)
        seen = replace(seen, rows=(*seen.rows, one), step=None)
        yield seen
    yield replace(seen, working=None)


def _trained(
    training: TrainingJob, who: str, seen: Recovery, get_base: GetBase, stop: Callable[[], bool]
) -> Generator[Recovery, None, tuple[Adapter | None, Recovery]]:
    """The adapter, None where somebody has stopped it."""
    started = (
        distill(DistillationJob(training, soft=SOFT), get_base, stop)
        if who == "distilled"
        else train(training, get_base, stop)
    )
    for event in started:
        seen = replace(seen, step=event.step) if isinstance(event, Step) else seen
        yield seen
    assert isinstance(event, Ended)
    if event.error:
        raise event.error
    return event.adapter if event.event == "finished" else None, seen


def _healed(who: str, base: Base, adapter: Adapter | None, task: Task) -> Generator[None, None, Healed]:
    model = attached(base, Variant(base.id, adapter)).model
    answer, _ = written(model, base)
    loss, right = yield from read(model, base)
    encoded = [encode(base.tokenizer, one) for one in task.held_out]
    held_out = yield from held_out_losses(model, encoded, base.tokenizer.pad_token_id)
    trained = adapter.record.trainable_parameters if adapter else 0
    return Healed(who, base.architecture.parameters, trained, loss, right, held_out, answer)
