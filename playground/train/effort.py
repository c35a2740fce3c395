"""
How much work a training is, part by part, in tokens that are read forward once, and a scoring; of it a training tells which
share is left. Roughly, from what it was asked alone: what matters is how its parts compare. Imports no torch.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from statistics import mean

from playground.adapt.tasks import Task
from playground.train.batches import BATCH
from playground.train.job import QUESTIONS, SAMPLE_TOKENS, SAMPLES, TOKENS, TrainingJob
from playground.train.schedule import USUAL, Pace
from playground.work.waiting import Length

STEP = 3  # times as long as reading forward: going back costs about twice as much again
LETTERS = 3.5  # of a token, about
CHAT = 25  # tokens of the chat format, about
WRITERS = 3  # runs whose answers are written in one pass, about, while somebody waits
WRITING = 6  # turns in which sample answers are written, about: as many tokens in each as a step of the others takes
PASS = 50, 5000  # tokens' time of a pass on a CPU, where it fetches the weights, and on a GPU, where it starts kernels


@dataclass(frozen=True)
class Effort:
    """Of a run of so many steps: what a step, a held-out loss and the sample answers cost."""

    steps: int
    step: float
    held_out: float
    answers: float
    pace: Pace = USUAL
    batches: int = 1  # of the held-out examples

    @classmethod
    def of(cls, job: TrainingJob, gpu: bool = False, pace: Pace = USUAL) -> Effort:
        """Of a checked job."""
        train, held_out = [tokens(one.prompt + one.response) for one in job.task.train], job.task.held_out
        values, start = job.hyperparameters, PASS[gpu]
        before = values.get("virtual_tokens", 0)  # of every prompt
        shots = values.get("examples", 0) * mean(train)  # read once, as the opening that all prompts share
        read = shots + len(held_out) * before + _read(job.task, start)
        asked = [start + before + tokens(one.prompt) for one in held_out[:SAMPLES]]
        return cls(
            job.steps or 0,
            STEP * (start + values.get("batch_size", 0) * (before + mean(train))),
            read,
            sum(asked) + SAMPLE_TOKENS * (start / WRITERS + len(asked)),
            pace,
            math.ceil(len(held_out) / BATCH),
        )

    def looks(self, step: int) -> bool:
        """Whether the held-out loss is measured after this step."""
        return step in self.pace.looks(self.steps)

    def is_answered(self, step: int) -> bool:
        """Whether the sample questions are answered as well."""
        return step in self.pace.answers(self.steps)

    def whole(self, first_look: bool) -> float:
        """Of the run, with the look before the first step or without."""
        looks, answers = self._seen(first_look)
        return self.steps * self.step + looks * self.held_out + answers * self.answers

    def length(self, first_look: bool) -> Length:
        """The same, and in how many turns: one for the start, each step, each batch that is read, each question."""
        looks, answers = self._seen(first_look)
        turns = 1 + self.steps + looks * self.batches + answers * (SAMPLES + WRITING)
        return Length(self.whole(first_look), turns)

    def _seen(self, first_look: bool) -> tuple[int, int]:
        """How often the held-out loss is measured, and how often the sample questions are answered."""
        steps = range(0 if first_look else 1, self.steps + 1)
        return sum(map(self.looks, steps)), sum(map(self.is_answered, steps))


@dataclass
class Account:
    """What a run has done of its `whole` effort, and in how many seconds since its first step began."""

    whole: float
    worked: float = 0.0
    before: float = 0.0  # of that, done before the first step
    begun: float = 0.0  # when that was, on this process's clock

    def begin(self) -> None:
        """The first step begins."""
        self.before, self.begun = self.worked, time.perf_counter()

    def left_after(self, effort: float) -> float:
        """The share of the run's work that is left when this is done as well."""
        self.worked += effort
        return max(0.0, 1 - self.worked / self.whole)

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.begun

    def remaining(self, elapsed: float) -> float:
        """Seconds, if what is left goes as what was done in so many."""
        return elapsed * (self.whole - self.worked) / (self.worked - self.before)

    def paused(self) -> Account:
        """As it is now, for any clock: `resumed` makes it go on."""
        return replace(self, begun=-self.elapsed)

    def resumed(self) -> Account:
        return replace(self, begun=self.begun + time.perf_counter())


def scoring(task: Task, gpu: bool = False) -> float:
    """Of scoring one variant: its held-out loss, and its answers, written together and as long as they should be."""
    start, asked = PASS[gpu], task.held_out[:QUESTIONS]
    written = [min(TOKENS, len(one.response) / LETTERS) for one in asked]
    prompts = sum(start + tokens(one.prompt) for one in asked)
    return _read(task, start) + prompts + start * max(written) + sum(written)


def _read(task: Task, start: float) -> float:
    """Of the held-out loss: every held-out example in its batch."""
    return sum(tokens(one.prompt + one.response) for one in task.held_out) + start * math.ceil(len(task.held_out) / BATCH)


def tokens(text: str) -> float:
    """Of an example, about."""
    return CHAT + len(text) / LETTERS
