"""
Training: a job in, a stream of events out, an adapter at the end.

PEFT wraps a private view of the base, AdamW moves what PEFT made trainable. Knows nothing about where it runs or who
watches; it pauses at every event.
"""

from __future__ import annotations

import dataclasses
import math
import platform
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
from peft import get_peft_model_state_dict
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from playground import settings
from playground.adapt import adapters, tasks
from playground.adapt.adapters import Adapter, Checkpoint, Record
from playground.adapt.attach import wrapped
from playground.adapt.methods import Method, method
from playground.adapt.tasks import Task
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.train.evaluation import Encoded, answers, held_out_loss, response_logits, response_loss

SAMPLES, SAMPLE_TOKENS = 2, 20
EVALUATIONS = 4, 11  # at least and at most, besides the one before the first step
CLIP = 1.0
WARMUP = 0.1  # of the steps
STEPS = Bound("steps", 24, 1, settings.MAX_STEPS)
SEED = Bound("seed", 0, 0, 2**31 - 1)


@dataclass(frozen=True)
class TrainingJob:
    """What to train. `hyperparameters` may leave out what shall be the method's default."""

    base: str
    method: str
    task: Task
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    steps: int | None = None  # None: the method's default
    seed: int = 0

    def checked(self) -> TrainingJob:
        """The same job with everything filled in. Raises PlaygroundError if it cannot be served."""
        chosen = method(self.method)
        steps = chosen.steps if self.steps is None else self.steps
        return dataclasses.replace(
            self,
            hyperparameters=chosen.complete(self.hyperparameters),
            steps=STEPS.check(steps) if chosen.steps else 0,
            seed=SEED.check(self.seed),
        )


@dataclass(frozen=True)
class Started:
    trainable_parameters: int
    total_parameters: int
    bytes: int
    steps: int
    questions: tuple[str, ...]
    estimated_seconds: float = 0.0
    event: str = "started"
    step: int = 0


@dataclass(frozen=True)
class Step:
    """One optimizer step. Seconds are wall time; `tokens_per_second` counts the tokens read."""

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    elapsed: float
    remaining: float
    event: str = "step"


@dataclass(frozen=True)
class Evaluation:
    step: int
    held_out_loss: float
    event: str = "evaluation"


@dataclass(frozen=True)
class Sample:
    step: int
    answers: tuple[str, ...]
    event: str = "sample"


@dataclass(frozen=True)
class Ended:
    """The last event: "finished", "stopped" (by request) or "failed" (diverged; the adapter is the last good one)."""

    event: str
    step: int
    adapter: Adapter
    seconds: float
    error: PlaygroundError | None = None
    gave_way: tuple[dict[str, Any], ...] = ()  # summaries of the adapters that a session had no room for beside it


Event = Started | Step | Evaluation | Sample | Ended


def train(job: TrainingJob, get_base: Callable[[str], Base], stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """
    Events from "started" to the one that carries the adapter. `stop` is asked before every step; what was learned until
    then is kept. Seeded: the same job gives the same adapter on the same machine.

    Raises PlaygroundError before the first event if the job cannot be served.
    """
    job = job.checked()
    chosen = method(job.method)
    base = get_base(chosen.base_id(job.base, job.hyperparameters))
    if chosen.id == "few_shot":
        yield from _few_shot(job, base)
    else:
        yield from _Run(job, chosen, base).events(stop)


@dataclass
class _Progress:
    """What a run has seen so far; it becomes the record."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    seconds: float = 0.0


class _Run:
    """One training run: model, data and optimizer, set up once and stepped through."""

    def __init__(self, job: TrainingJob, chosen: Method, base: Base) -> None:
        self.job, self.base, self.progress = job, base, _Progress()
        self.values: dict[str, Any] = job.hyperparameters
        self.steps = job.steps or 0
        self.train_set = [tasks.encode(base.tokenizer, example) for example in job.task.train]
        self.held_out_set = [tasks.encode(base.tokenizer, example) for example in job.task.held_out]
        self.questions = [example.prompt for example in job.task.held_out[:SAMPLES]]
        with torch.random.fork_rng():
            torch.manual_seed(job.seed)
            self.model, self.config = wrap(base, chosen, self.values)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.trainable = sum(parameter.numel() for parameter in self.parameters)
        self.counts = chosen.counts(base.architecture, self.values)
        self.optimizer = torch.optim.AdamW(self.parameters, lr=self.values["learning_rate"], weight_decay=0.0)
        self.schedule = LambdaLR(self.optimizer, lambda done: rate_factor(done + 1, self.steps))
        self.best: tuple[int, dict[str, torch.Tensor]] = (0, {})
        self.batches = _batches(self.train_set, self.values["batch_size"], job.seed)
        self.keeps_checkpoints = checkpoint_bytes(self.trainable) > 0
        least, most = EVALUATIONS
        self.every = math.ceil(self.steps / min(most, max(least, self.steps // 8)))

    def events(self, stop: Callable[[], bool]) -> Iterator[Event]:
        yield Started(**self.counts, steps=self.steps, questions=tuple(self.questions), estimated_seconds=self._estimate())
        yield from self._look(0)
        step, started = 0, time.perf_counter()
        while step < self.steps:
            if stop():
                if self.progress.held_out[-1][0] != step:
                    yield from self._look(step)
                yield self._ended("stopped", step)
                return
            step += 1
            yield self._step(step, started)
            if self._diverged():
                yield self._failed(step)
                return
            if step % self.every == 0 or step == self.steps:
                yield from self._look(step)
        yield self._ended("finished", step)

    @torch.no_grad()
    def _estimate(self) -> float:
        """Seconds that the run will take, from one forward pass now: going back costs about twice as much again."""
        batch = self.train_set[: self.values["batch_size"]]
        self.model.eval()
        begin = time.perf_counter()
        response_logits(self.model, batch, self.base.tokenizer.pad_token_id)
        forward = time.perf_counter() - begin
        looks = 1 + math.ceil(self.steps / self.every)
        return forward * (3 * self.steps + looks * 1.5 * len(self.held_out_set) / len(batch))

    def _step(self, step: int, started: float) -> Step:
        begin = time.perf_counter()
        batch = next(self.batches)
        self.model.train()
        with torch.random.fork_rng():  # dropout is seeded by the step: other work in between changes nothing
            torch.manual_seed(self.job.seed * 100_003 + step)
            loss = response_loss(self.model, batch, self.base.tokenizer.pad_token_id)
            loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.parameters, CLIP))
        rate = float(self.schedule.get_last_lr()[0])
        if math.isfinite(norm):
            self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        value = loss.item()
        self.progress.losses.append((step, value))
        now = time.perf_counter()
        self.progress.seconds += now - begin
        elapsed = now - started
        return Step(
            step=step,
            loss=value,
            learning_rate=rate,
            gradient_norm=norm,
            tokens_per_second=sum(len(ids) for ids, _ in batch) / (now - begin),
            elapsed=elapsed,
            remaining=elapsed / step * (self.steps - step),
        )

    def _look(self, step: int) -> Iterator[Event]:
        """Held-out loss, a checkpoint, and the sample questions answered, as the model is now."""
        begin = time.perf_counter()
        loss = held_out_loss(self.model, self.held_out_set, self.base.tokenizer.pad_token_id)
        self.progress.held_out.append((step, loss))
        best = loss <= min(value for _, value in self.progress.held_out)
        if self.keeps_checkpoints or best:
            tensors = self._tensors()
            self.best = (step, tensors) if best else self.best
            self.progress.checkpoints += [Checkpoint(step, tensors)] if self.keeps_checkpoints else []
        self.progress.seconds += time.perf_counter() - begin
        yield Evaluation(step, loss)
        begin = time.perf_counter()
        prompts = [tasks.prompt_ids(self.base.tokenizer, question) for question in self.questions]
        written = answers(self.model, self.base, prompts, SAMPLE_TOKENS)
        self.progress.samples.append({"step": step, "answers": written})
        self.progress.seconds += time.perf_counter() - begin
        yield Sample(step, tuple(written))

    def _diverged(self) -> bool:
        """
        Not finite, or the mean of the last three losses 3 nats above where the held-out loss began (and half as much
        again). High rates climb a little before they learn; a run that explodes passes this within a few steps.
        """
        losses = [loss for _, loss in self.progress.losses]
        if not math.isfinite(losses[-1]):
            return True
        start = self.progress.held_out[0][1]
        return len(losses) >= 3 and sum(losses[-3:]) / 3 > max(start + 3.0, 1.5 * start)

    def _failed(self, step: int) -> Ended:
        """Ends a diverged run with the adapter as it was when the held-out loss was lowest."""
        best, tensors = self.best
        error = PlaygroundError("diverged", step=step, best=best, learning_rate=f"{self.values['learning_rate']:g}")
        ended = self._ended("failed", step, error)
        record = dataclasses.replace(ended.adapter.record, steps=best)
        return dataclasses.replace(ended, adapter=dataclasses.replace(ended.adapter, loaded=tensors, record=record))

    def _ended(self, event: str, step: int, error: PlaygroundError | None = None) -> Ended:
        record = Record(
            base=self.job.base,
            method=self.job.method,
            task=self.job.task.id,
            hyperparameters=self.values,
            seed=self.job.seed,
            steps=step,
            planned_steps=self.steps,
            **self.counts,
            losses=self.progress.losses,
            held_out=self.progress.held_out,
            samples=self.progress.samples,
            questions=self.questions,
            seconds=round(self.progress.seconds, 3),
            versions=_versions(),
            hardware=hardware(self.base),
        )
        adapter = Adapter(new_id(), record, self.config, self._tensors(), checkpoints=tuple(self.progress.checkpoints))
        return Ended(event, step, adapter, self.progress.seconds, error)

    def _tensors(self) -> dict[str, torch.Tensor]:
        """A copy on the CPU of what was trained, under the names that PEFT saves."""
        if self.config is None:
            state: Any = dict(self.model.named_parameters())
        else:
            state = get_peft_model_state_dict(self.model, save_embedding_layers=False)  # else PEFT asks the hub
        return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}


def wrap(base: Base, chosen: Method, values: dict[str, Any]) -> tuple[nn.Module, dict[str, Any] | None]:
    """
    A private trainable model over the base, and its PEFT config as JSON. Full fine-tuning clones the weights instead
    and has no config. Raises PlaygroundError if full fine-tuning would not fit.
    """
    if chosen.config is None:
        if base.architecture.parameters > settings.MAX_FULL_FINE_TUNING_PARAMETERS or ":" in base.id:
            raise PlaygroundError(
                "full_too_large", parameters=base.architecture.parameters, maximum=settings.MAX_FULL_FINE_TUNING_PARAMETERS
            )
        return deepcopy(base.model).requires_grad_(True), None
    config = chosen.config(base, values)
    return wrapped(base, config), adapters.config_json(config, base.spec.repository)


def _few_shot(job: TrainingJob, base: Base) -> Iterator[Event]:
    """Nothing is trained: the adapter is k examples, chosen by the seed, that are put before every question."""
    begin = time.perf_counter()
    shots = random.Random(job.seed).sample(job.task.train, min(job.hyperparameters["examples"], len(job.task.train)))
    questions = [example.prompt for example in job.task.held_out[:SAMPLES]]
    count = method(job.method).counts(base.architecture, job.hyperparameters)
    yield Started(**count, steps=0, questions=tuple(questions))
    encoded = [tasks.encode(base.tokenizer, example, shots) for example in job.task.held_out]
    loss = held_out_loss(base.model, encoded, base.tokenizer.pad_token_id)
    yield Evaluation(0, loss)
    prompts = [tasks.prompt_ids(base.tokenizer, question, shots) for question in questions]
    written = answers(base.model, base, prompts, SAMPLE_TOKENS)
    yield Sample(0, tuple(written))
    record = Record(
        base=job.base, method=job.method, task=job.task.id, hyperparameters=job.hyperparameters, seed=job.seed, steps=0,
        **count, held_out=[(0, loss)], samples=[{"step": 0, "answers": written}], questions=questions,
        shots=[(shot.prompt, shot.response) for shot in shots],
        seconds=round(time.perf_counter() - begin, 3), versions=_versions(), hardware=hardware(base),
    )  # fmt: skip
    yield Ended("finished", 0, Adapter(new_id(), record), time.perf_counter() - begin)


def checkpoint_bytes(trainable: int) -> int:
    """What the checkpoints of a run may hold, float32; 0 where all of them would be too much, so none is kept."""
    every = settings.MAX_CHECKPOINTS * max(1, trainable * 4)
    return every if every <= settings.MAX_CHECKPOINT_BYTES else 0


def kept_bytes(trainable: int) -> int:
    """What a session will hold of a run at most: the adapter in float32 and its checkpoints."""
    return 4 * trainable + checkpoint_bytes(trainable)


def rate_factor(step: int, steps: int) -> float:
    """
    What the learning rate is multiplied with at `step` (from 1): a linear rise over the first tenth, then half a cosine
    down to almost nothing. Unlike transformers' `get_scheduler` it gives the first step a rate: there are few steps here.
    """
    warmup = max(1, round(WARMUP * steps))
    if step <= warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup + 1)))


def _batches(examples: Sequence[Encoded], size: int, seed: int) -> Iterator[list[Encoded]]:
    """Endless batches; every example once per pass, in an order that the seed decides."""
    order, shuffle = list(examples), random.Random(seed).shuffle
    while True:
        shuffle(order)
        for start in range(0, len(order), size):
            yield order[start : start + size]


def new_id() -> str:
    return uuid.uuid4().hex[:10]


def hardware(base: Base) -> str:
    return (
        f"{base.device_name}, {torch.get_num_threads()} threads, {platform.machine()}"
        if base.device.type == "cpu"
        else base.device_name
    )


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "transformers", "peft", "bitsandbytes")}
