"""
Not one answer but many: what such a comparison is asked and what it gives. A frozen description in, frozen frames out.
Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from playground import settings
from playground.adapt import tasks
from playground.adapt.tasks import Example
from playground.bounds import SEED, Bound
from playground.compare.job import CompareJob, Decoding
from playground.compare.verdict import Verdict
from playground.errors import PlaygroundError

TIMES = Bound("times", 8, 2, settings.MAX_ANSWERS)
USUAL_TEMPERATURE = 0.7  # where nobody has chosen one above 0, at which all answers would be the same


@dataclass(frozen=True)
class ManyJob:
    """The comparison `once`, whose panes answer so many times: with its seed, and with those that follow it."""

    once: CompareJob
    times: int = TIMES.default

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", TIMES.check(self.times))

    @property
    def seeds(self) -> range:
        first = self.once.decoding.seed
        return range(first, first + self.times)

    def asked(self, seed: int) -> CompareJob:
        """The comparison that gives the same answers as this one with a seed."""
        return replace(self.once, decoding=replace(self.once.decoding, seed=seed))

    def check(self) -> None:
        """Raises PlaygroundError if this cannot be served."""
        self.once.check()
        if not self.once.decoding.temperature:
            raise PlaygroundError("many_greedy", times=self.times)
        if self.seeds[-1] > SEED.maximum:  # type: ignore[operator]  # it has one
            raise PlaygroundError("many_seeds", times=self.times, last=self.seeds[-1], maximum=SEED.maximum)

    @property
    def scored_by(self) -> tuple[str, Example] | None:
        """
        The ready-made task that holds the question out, and its example; those that adapters of the panes have learned come
        first. None: then nothing says what is right.
        """
        learned = [one.adapter.record.task for one in self.once.variants if one.adapter]
        return held_out(self.once.prompt, learned)


def held_out(prompt: str, first: Sequence[str] = ()) -> tuple[str, Example] | None:
    """The ready-made task that holds a question out, and its example; `first` are asked before the others."""
    asked = prompt.strip()
    for one in dict.fromkeys([*(task for task in first if task in tasks.SCORES), *tasks.TASK_IDS]):
        for example in tasks.task(one).held_out:
            if example.prompt == asked:
                return one, example
    return None


@dataclass(frozen=True)
class Answer:
    """One that is written: `finish_reason` as in `Pane`, `score` from 0 to 1 by the task's rule, None without one."""

    seed: int
    text: str
    tokens: int
    finish_reason: str | None
    score: float | None = None


@dataclass(frozen=True)
class Answered:
    """A pane, and those of its answers that are written, by their seeds."""

    adapter: str
    summary: dict[str, Any]
    answers: tuple[Answer, ...] = ()

    @property
    def different(self) -> int:
        """How many different texts there are."""
        return len({answer.text for answer in self.answers})

    @property
    def values(self) -> list[float]:
        """What panes are compared by: the scores, or without them the lengths in tokens."""
        return [answer.tokens if answer.score is None else answer.score for answer in self.answers]

    @property
    def mean(self) -> float | None:
        return sum(self.values) / len(self.values) if self.values else None


@dataclass(frozen=True)
class ManyFrame:
    """
    What is written so far. `task`: whose rule scores the answers; None: `mean` and `verdicts` are of lengths in tokens. The
    verdicts, on every two panes, come with the last answer.
    """

    base: str
    base_parameters: int
    prompt: str
    decoding: Decoding
    times: int
    task: str | None
    panes: tuple[Answered, ...]
    verdicts: tuple[Verdict, ...] = ()
    finished: bool = False
    left: float = 1.0  # the share of the work that is left, if no answer ends by itself

    @property
    def written(self) -> int:
        return sum(len(pane.answers) for pane in self.panes)

    def as_json(self) -> dict[str, Any]:
        """Plain values; a pane's summary lies beside its other fields."""
        panes = [{**one.summary, **_plain(one), "different": one.different, "mean": one.mean} for one in self.panes]
        verdicts = [{**asdict(one), "differs": one.differs} for one in self.verdicts]
        named = {name: getattr(self, name) for name in ("base", "base_parameters", "prompt", "times", "task", "finished")}
        return {**named, "decoding": asdict(self.decoding), "panes": panes, "verdicts": verdicts}


def _plain(pane: Answered) -> dict[str, Any]:
    return {"adapter": pane.adapter, "answers": [asdict(answer) for answer in pane.answers]}
