"""
Measuring a model on a task: loss on held-out responses, and the score of its answers.

Knows nothing about how the model was adapted, nor about the page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.tasks import IGNORE, Example, Task
from playground.adapt.variant import Variant
from playground.compare.decoding import Row
from playground.compare.job import Decoding
from playground.compare.overflow import norms_of, overflowing, watched
from playground.compare.pool import AnyPool, write
from playground.compare.reading import Opening, common
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.train import packing
from playground.train.batches import BATCH, Encoded, by_length, shares
from playground.train.job import SAMPLE_TOKENS as SAMPLE_TOKENS
from playground.train.job import SAMPLES as SAMPLES
from playground.train.pauses import finished, timed

Loss = Callable[[nn.Module, Sequence[Encoded], int], torch.Tensor]  # (model, batch, padding) → a scalar with gradient


def check_lengths(base: Base, examples: Sequence[Example], encoded: Sequence[Encoded], before: int) -> None:
    """Raises PlaygroundError for an example that a base cannot read behind `before` virtual tokens."""
    for example, (ids, _) in zip(examples, encoded, strict=True):
        found = before + len(ids)
        if base.context is not None and found > base.context:
            raise PlaygroundError("example_too_long", prompt=example.prompt[:40], found=found, maximum=base.context)


def response_logits(model: nn.Module, batch: Sequence[Encoded], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Logits and targets of the responses in a batch, example after example: (tokens, vocabulary) and (tokens,). NaN where
    numbers overflow, also where a norm's division would hide it. Read as one row where the model allows it (`packing`).
    """
    if packing.packs(model, batch):
        packed = packing.pack(batch, next(model.parameters()).device)
        with watched(norms_of(model)) as seen:
            logits = packing.packed_logits(model, packed)
        if overflowing(seen, 1).any():
            logits = torch.full_like(logits, torch.nan)
        return logits.float(), packed.targets
    return padded_logits(model, batch, pad)


def padded_logits(model: nn.Module, batch: Sequence[Encoded], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The same, a row for every example.

    Rows are padded on the right, as PEFT's prompt tuning needs it; the output head runs only from the end of the
    shortest prompt on, which saves much of its work.
    """
    longest = max(len(ids) for ids, _ in batch)
    device = next(model.parameters()).device
    ids = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in batch], device=device)
    labels = torch.tensor([labels + [IGNORE] * (longest - len(labels)) for _, labels in batch], device=device)
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in batch], device=device)
    first = int((labels != IGNORE).any(0).nonzero()[0])
    with watched(norms_of(model)) as seen:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=longest - first + 1).logits
    overflows = overflowing(seen, len(batch))
    if overflows.any():
        logits = logits.masked_fill(overflows.to(device)[:, None, None], torch.nan)
    targets = labels[:, first:]
    wanted = targets != IGNORE
    return logits[:, :-1][wanted].float(), targets[wanted]


def response_loss(model: nn.Module, batch: Sequence[Encoded], pad: int) -> torch.Tensor:
    """Mean cross-entropy in nats over the response tokens of a batch, a scalar with gradient."""
    return functional.cross_entropy(*response_logits(model, batch, pad))


def held_out_loss(model: nn.Module, encoded: Sequence[Encoded], pad: int, batch_size: int = BATCH) -> float:
    """Mean cross-entropy in nats over all response tokens of `encoded`; the model's train or eval mode is kept."""
    return finished(held_out_losses(model, encoded, pad, batch_size))


def held_out_losses(
    model: nn.Module, encoded: Sequence[Encoded], pad: int, batch_size: int = BATCH
) -> Generator[None, None, float]:
    """`held_out_loss`, with a pause between its batches."""
    total, count = 0.0, 0
    for place, batch in enumerate(by_length(encoded, batch_size)):
        if place:
            yield
        with measured(model):
            logits, targets = response_logits(model, batch, pad)
            total += float(functional.cross_entropy(logits, targets, reduction="sum"))
        count += len(targets)
    return total / count


def seconds_to_read(model: nn.Module, batch: Sequence[Encoded], pad: int) -> float:
    """What a forward pass over a batch takes now, by its first part; the model's train or eval mode is kept."""
    part = shares(list(batch))[0][0]
    with measured(model):
        begin = time.perf_counter()
        response_logits(model, part, pad)
        return (time.perf_counter() - begin) * len(batch) / len(part)


def answers(model: nn.Module, base: Base, prompts: Sequence[list[int]], max_new_tokens: int) -> list[str]:
    """Greedy answers of one model to several prompts (token ids), written together; train or eval mode is kept."""
    rows = rows_of(model, base, prompts, max_new_tokens)
    finished(written(model, rows))
    return [row.text() for row in rows]


def rows_of(model: nn.Module, base: Base, prompts: Sequence[list[int]], max_new_tokens: int) -> list[Row]:
    """One greedy answer to each prompt, nothing of it read or written yet."""
    opening = Opening(common(prompts), cut=True) if len(prompts) > 1 else None
    how = Decoding(max_new_tokens=max_new_tokens)
    return [Row(model, base.tokenizer, prompt, how, opening=opening) for prompt in prompts]


def written(model: nn.Module, rows: Sequence[Row], pool: AnyPool | None = None) -> Generator[None, None, None]:
    """
    Reads and writes them, with a pause after every prompt and every token; in a `pool` that somebody else steps, with the
    rows of others. The model is in eval mode until then, also between the pauses.
    """
    with _evaluating(model):
        for row in rows:
            row.prefill()
            yield
        yield from write(rows, pool)


@contextmanager
def measured(model: nn.Module) -> Iterator[None]:
    """The model in eval mode and without gradients meanwhile; afterwards in the mode that it was in."""
    with _evaluating(model), torch.no_grad():
        yield


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def questions(task: Task) -> list[str]:
    """The held-out questions that a run answers as it goes."""
    return [example.prompt for example in task.held_out[:SAMPLES]]


def sample_answers(
    model: nn.Module,
    base: Base,
    asked: Sequence[str],
    shots: Sequence[Example] = (),
    pool: AnyPool | None = None,
    spent: Callable[[float], None] = lambda seconds: None,
) -> Generator[None, None, list[str]]:
    """
    How a model answers them now, in SAMPLE_TOKENS tokens at most; pauses as `written`. `spent` is told the seconds of work:
    steps of a `pool` count in full, whoever else is written in them, as those of a company do.
    """
    rows = rows_of(model, base, [tasks.prompt_ids(base.tokenizer, one, shots) for one in asked], SAMPLE_TOKENS)
    try:
        yield from timed(written(model, rows, pool), spent)
    finally:
        if pool:
            spent(max(row.seconds for row in rows))
    return [row.text() for row in rows]


@dataclass(frozen=True)
class EvaluateJob:
    """Score an adapter (None: the base) on the held-out examples of a task."""

    base: str
    adapter: Adapter | None
    task: Task
    max_new_tokens: int = 64


@dataclass(frozen=True)
class Score:
    """One held-out example answered: `score` from 0 to 1 by the task's own rule."""

    prompt: str
    answer: str
    score: float


@dataclass(frozen=True)
class Report:
    scores: tuple[Score, ...]
    held_out_loss: float

    @property
    def mean(self) -> float:
        return sum(score.score for score in self.scores) / len(self.scores)


def evaluate(job: EvaluateJob, get_base: Callable[[str], Base]) -> Iterator[Score | Report]:
    """The scores of the held-out examples, BATCH at a time, then the Report."""
    variant = Variant.of(job.base, job.adapter)
    base = get_base(variant.base)
    shots = [Example(*shot) for shot in job.adapter.record.shots] if job.adapter else []
    encoded = [tasks.encode(base.tokenizer, example, shots) for example in job.task.held_out]
    base.check_room(max(len(ids) for ids, _ in encoded))
    model = attach(base, variant).model
    rule, scores = tasks.RULES[job.task.rule], []
    for start in range(0, len(job.task.held_out), BATCH):
        examples = job.task.held_out[start : start + BATCH]
        prompts = [tasks.prompt_ids(base.tokenizer, example.prompt, shots) for example in examples]
        for example, answer in zip(examples, answers(model, base, prompts, job.max_new_tokens), strict=True):
            scores.append(Score(example.prompt, answer, rule(example, answer)))
            yield scores[-1]
    yield Report(tuple(scores), held_out_loss(model, encoded, base.tokenizer.pad_token_id))
