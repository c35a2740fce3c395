"""
Training: a job in, a stream of events out (see `job`), an adapter at the end.

PEFT wraps a private view of the base, AdamW moves what PEFT made trainable. Knows nothing about where it runs or who
watches; it pauses at every event.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from playground.adapt import initialization, tasks
from playground.adapt.adapters import Adapter, Checkpoint
from playground.adapt.methods import Method, method
from playground.compare.pool import AnyPool
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.kernels import halved
from playground.model.randomness import drawn_apart
from playground.train import allocation, looks
from playground.train.batches import by_length, shares, shuffled
from playground.train.beginning import beginning
from playground.train.effort import STEP, Account, Effort
from playground.train.evaluation import Loss, check_lengths, held_out_losses, questions, sample_answers, seconds_to_read
from playground.train.few_shot import few_shot
from playground.train.job import Ended, Evaluation, Event, Sample, Started, Step, TrainingJob, Working, checkpoint_bytes
from playground.train.looks import Look
from playground.train.pauses import Stopped, between, finished, pausing, timed
from playground.train.products import products_of
from playground.train.record import Progress, new_id, record
from playground.train.schedule import USUAL, Pace, rate_factor
from playground.train.state import Save, State, is_small
from playground.train.together import Company, Request
from playground.train.trainable import fitting, held_tensors, optimizer_of, trainable_in, wrap

CLIP = 1.0


def train(
    job: TrainingJob,
    get_base: Callable[[str], Base],
    stop: Callable[[], bool] = lambda: False,
    company: Company | None = None,
    pool: AnyPool | None = None,
    pace: Pace = USUAL,
    loss: Loss | None = None,
    state: State | None = None,
    save: Save | None = None,
) -> Iterator[Event]:
    """
    Events from "started" to the one that carries the adapter, with a "working" one between two batches that are read for
    the same step. `stop` is asked before every batch; the steps that were done until then are kept. Seeded: the same job
    gives the same adapter on the same machine, but for rounding also in `company`, which somebody steps between two events.
    So does somebody a `pool`, if its answers are written there: then it pauses after every token of them, too. A run with a
    `loss` of its own steps alone.

    `save` is told the run's state after every look between its steps, unless that is too large or nothing is trained. With
    a `state` the same job goes on from there: its events are those that came after it.

    Raises PlaygroundError before the first event if the job cannot be served.
    """
    job = job.checked()
    chosen = method(job.method)
    base = get_base(chosen.base_id(job.base, job.hyperparameters))
    if chosen.id == "few_shot":
        yield from few_shot(job, base, stop, pool)
    else:
        yield from _Run(job, chosen, base, stop, company, pool, pace, get_base, loss, state, save).events()


class _Run:
    """One training run: model, data and optimizer, set up once and stepped through."""

    def __init__(
        self, job: TrainingJob, chosen: Method, base: Base, stop: Callable[[], bool],
        company: Company | None, pool: AnyPool | None, pace: Pace,
        get_base: Callable[[str], Base], loss: Loss | None, state: State | None, save: Save | None,
    ) -> None:  # fmt: skip
        self.job, self.base, self.stop, self.progress, self.loss = job, base, stop, Progress(), loss
        self.company = company if company and company.pays(base) and loss is None else None
        self.pool, self.state = pool, state
        self.asked: list[Request] = []  # for the next step
        self.values: dict[str, Any] = job.hyperparameters
        self.steps, self.done = job.steps or 0, state.step if state else 0
        self.train_set = [tasks.encode(base.tokenizer, example) for example in job.task.train]
        self.held_out_set = [tasks.encode(base.tokenizer, example) for example in job.task.held_out]
        examples, sets = (*job.task.train, *job.task.held_out), (*self.train_set, *self.held_out_set)
        check_lengths(base, examples, sets, self.values.get("virtual_tokens", 0))
        self.questions = questions(job.task)
        with drawn_apart(base.device):
            torch.manual_seed(job.seed)
            self.model, self.config = wrap(base, chosen, self.values, self.steps)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.trainable, self.counts = trainable_in(self.model), chosen.counts(base.architecture, self.values)
        self.beginning = beginning(job, base, self.model, self.train_set, get_base)
        self.optimizer = optimizer_of(self.model, self.values)
        self.schedule = LambdaLR(self.optimizer, lambda done: rate_factor(done + 1, self.steps))
        self.best: tuple[int, Mapping[str, torch.Tensor]] = (0, {})
        self.batches = itertools.islice(shuffled(self.train_set, self.values["batch_size"], job.seed), self.done, None)
        adapts = self.config is not None and chosen.starts_as_base
        self.starts_as_base = adapts and initialization.chosen(self.values) != "loftq"
        self.halves, self.precision = products_of(base if adapts else None)
        self.keeps_checkpoints = checkpoint_bytes(self.trainable) > 0
        self.save = save if is_small(self.trainable, self.counts["bytes"], allocation.numbers(self.model)) else None
        self.known = looks.known(base, job.task) if self.starts_as_base else None
        self.effort = Effort.of(job, base.device.type == "cuda", pace)
        self.account = Account(self.effort.whole(first_look=not self.known))

    def events(self) -> Iterator[Event]:
        if not self.state:
            with fitting(method(self.job.method), self.base):  # it reads for the first time
                started = self._started()
            yield started
        try:
            yield from self._begin()
            while self.done < self.steps:
                if self.stop():
                    yield from self._last_look()
                    raise Stopped
                yield from self._step()
                if self.progress.diverged:
                    yield self._failed()
                    return
                if self.effort.looks(self.done):
                    yield from self._look()
                    if not math.isfinite(self.progress.held_out[-1][1]):
                        yield self._failed()
                        return
                    if self.save is not None and self.done < self.steps:
                        self.save(self._state())
        except Stopped:
            if self.keeps_checkpoints and self.progress.checkpoints[-1:] and self.progress.checkpoints[-1].step != self.done:
                self.progress.checkpoints.append(Checkpoint(self.done, held_tensors(self.model, self.config, self.best[1])))
            yield self._ended("stopped")
        else:
            yield self._ended("finished")
        finally:
            if self.company:
                self.company.leave(self.asked)

    def _started(self) -> Started:
        """With the seconds that the run will take, from one forward pass now."""
        with halved(self.halves):
            batch = self.train_set[: self.values["batch_size"]]
            read = seconds_to_read(self.model, batch, self.base.tokenizer.pad_token_id)
        seconds, asked = read * STEP * self.account.whole / self.effort.step, tuple(self.questions)
        return Started(**self.counts, steps=self.steps, questions=asked, estimated_seconds=seconds, precision=self.precision)

    def _begin(self) -> Iterator[Event]:
        """All that comes before the first step, or before the first one after its state. Raises Stopped in between."""
        try:
            yield from pausing(timed(self.beginning, self._spend), self.done, self.stop)
        finally:  # also for who is stopped: what was learned is kept
            if self.state:
                self.state.put_back(self.model, self.optimizer, self.schedule)
                self.progress, self.best = self.state.progress.copy(), self.state.best
                self.account = self.state.account.resumed()
        if not self.state:
            self.progress.beginning = self.progress.seconds if initialization.begins(self.values) else 0.0
            yield from self._look()
            self.account.begin()

    def _state(self) -> State:
        return State.of(self.done, self.model, self.optimizer, self.schedule, self.progress, self.best, self.account)

    def _step(self) -> Iterator[Event]:
        """One optimizer step on a batch. Raises Stopped as `_gradients`."""
        step, before = self.done + 1, self.progress.seconds
        requests = self.asked = self.asked or self._requests()
        value = yield from self._gradients(requests)
        begin = time.perf_counter()
        allocation.penalize(self.model)
        norm = float(nn.utils.clip_grad_norm_(self.parameters, CLIP))
        rate = float(self.schedule.get_last_lr()[0])
        if math.isfinite(norm):
            self.optimizer.step()
            allocation.allocate(self.model, step)
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done = step
        self.progress.losses.append((step, value))
        self._spend(time.perf_counter() - begin)
        elapsed = self.account.elapsed
        self.asked = self._requests() if self.company and self.done < self.steps else []  # answered while this is told
        yield Step(
            step=step,
            loss=value,
            learning_rate=rate,
            gradient_norm=norm,
            tokens_per_second=sum(len(ids) for one in requests for ids, _ in one.batch) / (self.progress.seconds - before),
            elapsed=elapsed,
            left=self.account.left_after(self.effort.step),
            remaining=self.account.remaining(elapsed),
        )

    def _requests(self) -> list[Request]:
        """The next batch, in parts where it is long; of the company, its first part is asked at once."""
        seed, parts = self.job.seed * 100_003 + self.done + 1, shares(next(self.batches))
        found = [
            Request(
                self.base, self.model, self.parameters, part, share, seed + place * 2**40, self.halves, loss_of=self.loss
            )
            for place, (part, share) in enumerate(parts)
        ]
        if self.company:
            self.company.ask(found[0])
        return found

    def _gradients(self, requests: Sequence[Request]) -> Generator[Event, None, float]:
        """
        The gradients of a batch's mean loss, and that loss. Raises Stopped, without gradients, if that is asked for between
        two parts.
        """
        loss = 0.0
        for place, request in enumerate(requests):
            if place:
                yield Working(self.done)
                if self.stop():
                    self.optimizer.zero_grad(set_to_none=True)
                    raise Stopped
            if self.company:
                yield from between(self.company.answers(request), Working(self.done))
            else:
                request.alone()
            loss += request.result()
            self._spend(request.seconds)
        return loss

    def _look(self) -> Iterator[Event]:
        """Held-out loss, a checkpoint, now and then the sample answers, as the model is now. Raises Stopped in between."""
        known = None if self.done else self.known
        loss = known.held_out_loss if known else (yield from self._held_out_loss())
        self.progress.held_out.append((self.done, loss))
        best = loss <= min(value for _, value in self.progress.held_out)
        if self.keeps_checkpoints or best:
            tensors = held_tensors(self.model, self.config, self.best[1])
            self.best = (self.done, tensors) if best else self.best
            self.progress.checkpoints += [Checkpoint(self.done, tensors)] if self.keeps_checkpoints else []
        yield Evaluation(self.done, loss, self.account.left_after(0 if known else self.effort.held_out))
        if not self.effort.is_answered(self.done):
            return
        written = known.answers if known else (yield from self._answers())
        if self.starts_as_base and not (self.done or known):
            looks.keep(self.base, self.job.task, Look(loss, written))
        self.progress.samples.append({"step": self.done, "answers": list(written)})
        yield Sample(self.done, written, self.account.left_after(0 if known else self.effort.answers))

    def _held_out_loss(self) -> Generator[Event, None, float]:
        halves = self.halves if self.done else {}  # what the base is measured with does not depend on the machine
        if self.company and not self.stop():
            reading = self.company.held_out_loss(self.base, self.model, self.held_out_set, halves, self._spend)
        else:
            alone = held_out_losses(self.model, self.held_out_set, self.base.tokenizer.pad_token_id)
            reading = timed(alone, self._spend, partial(halved, halves))
        return (yield from pausing(reading, self.done, self.stop))

    def _answers(self) -> Generator[Event, None, tuple[str, ...]]:
        if self.company and self.asked:  # a step reads in training mode
            yield from between(self.company.answers(self.asked[0]), Working(self.done))
        self.base.pack()
        writing = sample_answers(self.model, self.base, self.questions, pool=self.pool, spent=self._spend)
        return tuple((yield from pausing(writing, self.done, self.stop)) if self.pool else finished(writing))

    def _spend(self, seconds: float) -> None:
        """What is counted as the run's own: what it does in its turns, and in full the passes and steps that it shares."""
        self.progress.seconds += seconds

    def _last_look(self) -> Iterator[Event]:
        """What a stopped run keeps is measured, if that takes no more than a batch."""
        if self.progress.held_out[-1][0] != self.done and len(by_length(self.held_out_set)) == 1:
            yield from self._look()

    def _failed(self) -> Ended:
        """Ends a diverged run with the adapter as it was when the held-out loss was lowest."""
        (best, tensors), rate = self.best, self.values["learning_rate"]
        error = PlaygroundError("diverged" if best else "diverged_at_once", step=self.done, best=best, learning_rate=rate)
        ended = self._ended("failed", error)
        kept = dataclasses.replace(ended.adapter.record, steps=best)
        return dataclasses.replace(ended, adapter=dataclasses.replace(ended.adapter, loaded=tensors, record=kept))

    def _ended(self, event: str, error: PlaygroundError | None = None) -> Ended:
        seen, step = self.progress, self.done
        made = record(
            self.job, self.base, seen.seconds, self.precision, steps=step, **self.counts,
            losses=seen.losses, held_out=seen.held_out, samples=seen.samples, questions=self.questions,
            beginning=round(seen.beginning, 3), undone=initialization.undone(self.values),
        )  # fmt: skip
        tensors, kept = held_tensors(self.model, self.config, self.best[1]), tuple(seen.checkpoints)
        adapter = Adapter(new_id(), made, self.config, tensors, checkpoints=kept, examples=self.job.own)
        return Ended(event, step, adapter, seen.seconds, error)
