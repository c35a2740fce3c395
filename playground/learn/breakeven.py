"""
When training has cost less than examples in every prompt: operations counted over the tokens of a ready-made task.

A token that is read or written costs two operations a weight, 2N: a product and a sum (Kaplan et al. 2020, section 2.1,
arXiv 2001.08361). Going back costs 2N for what flows through and 2N for the gradients of the weights, which makes the 6N of
Liu et al. 2022; the last 2N fall away where the weights are frozen, so an adapter's training costs 4N a token. What
attention multiplies among tokens, and the adapter's own few numbers, are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from playground.adapt import tasks
from playground.adapt.methods import METHODS
from playground.bounds import Bound
from playground.learn.families import model
from playground.model import embedded
from playground.train.job import STEPS as TRAINED_STEPS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TASK, METHOD = "pirate", "lora"
ANSWERING, TRAINING = 2, 4  # operations a weight and token


def _default(method: str, name: str) -> Bound:
    return next(one for one in METHODS[method].hyperparameters if one.name == name)


REQUESTS = Bound("requests", 1000, 1, 100_000)
SHOTS = _default("few_shot", "examples")
STEPS = Bound("steps", METHODS[METHOD].steps, TRAINED_STEPS.minimum, TRAINED_STEPS.maximum)
BATCH: int = _default(METHOD, "batch_size").default


@dataclass(frozen=True)
class Lengths:
    """Mean tokens of a task, rounded: a question in its chat format, an answer, an example before it, one trained on."""

    question: int
    answer: int
    example: int
    trained: int


@dataclass(frozen=True)
class Compared:
    """Operations (FLOP) of one answer with examples and of one without, and of the training in between."""

    few_shot: float
    tuned: float
    training: float

    @property
    def even(self) -> float:
        """How many answers cost the same both ways."""
        return self.training / (self.few_shot - self.tuned)

    @property
    def paid(self) -> int:
        """The first answer after which training has cost less in all."""
        return math.floor(self.even) + 1

    def totals(self, requests: float) -> tuple[float, float]:
        """All that so many answers cost: with examples, and trained."""
        return requests * self.few_shot, self.training + requests * self.tuned


def compared(lengths: Lengths, shots: int, steps: int, batch: int = BATCH) -> Compared:
    """`shots` examples in every prompt beside `steps` of training, `batch` examples each, on the embedded base."""
    forward = ANSWERING * model().parameters
    alone = lengths.question + lengths.answer
    training = TRAINING * model().parameters * steps * batch * lengths.trained
    return Compared(forward * (shots * lengths.example + alone), forward * alone, training)


def lengths() -> Lengths | None:
    """Those of TASK with the embedded base's own tokenizer; None while that is still being prepared."""
    folder = embedded.folder()
    return _counted(folder) if (folder / "tokenizer.json").is_file() else None


@cache
def _counted(folder: Path) -> Lengths:
    from transformers import AutoTokenizer

    return counted(AutoTokenizer.from_pretrained(folder))


def counted(tokenizer: PreTrainedTokenizerBase) -> Lengths:
    task = tasks.task(TASK)
    first, *_ = task.held_out
    before = len(tasks.prompt_ids(tokenizer, first.prompt))

    def mean(lengths: Any) -> int:
        return round(fmean(lengths))

    asked = [len(tasks.prompt_ids(tokenizer, one.prompt)) for one in task.held_out]
    whole = [len(tasks.encode(tokenizer, one)[0]) for one in task.held_out]
    return Lengths(
        question=mean(asked),
        answer=mean(all - question for all, question in zip(whole, asked, strict=True)),
        example=mean(len(tasks.prompt_ids(tokenizer, first.prompt, (one,))) - before for one in task.train),
        trained=mean(len(tasks.encode(tokenizer, one)[0]) for one in task.train),
    )
