"""
What the rows of the leaderboard say: means with their spread, what is inside the noise, who is beaten by nobody. Imports no
torch, knows nothing about how the rows were measured (`leaderboard`) or about the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from playground import settings
from playground.adapt import tasks
from playground.adapt.methods import FRONT, METHODS, MORE
from playground.adapt.variant import BASE

FILE = settings.EXAMPLES / "leaderboard.json"
MEASURED = ("rows", "paces")  # of the file; the rest says with what
SEEDS = (0, 1, 2)
WIDE = ("pirate", "sentiment", "json")  # the tasks on which every method is measured; on the others those in front
UNIT = "lora"  # whose time is 1 where tasks were measured on several processors
T_95 = 2.131  # Student's t with 15 degrees of freedom (16 held-out examples), two-sided 95 %


@dataclass(frozen=True)
class Cell:
    """One run of the study. The base alone draws nothing: it has the first seed only."""

    task: str
    method: str
    seed: int


@dataclass(frozen=True)
class Row:
    """
    What one run came to. `recipe` are all hyperparameters and the steps, nothing for the base. `answers` are those to the
    held-out examples in their order; `held_out_loss` and the losses on the neutral text are means in nats a token, in
    float32. `bytes` are those of the adapter's file, `parameters` are trained. `cpu_seconds` is the processor's time for
    the whole run, all threads together, which other work on the machine does not lengthen (another `processor` does); with
    a GPU, which is then the `processor`, it is that of the threads that drive it and wait for it; 0 where nothing is
    trained. `prompt_tokens` are read for a request, the mean over the held-out examples. `neutral_before` is the loss of
    the base that was adapted, for QLoRA in 4 bits. `versions` are those of the libraries.
    """

    task: str
    method: str
    seed: int
    answers: tuple[str, ...]
    held_out_loss: float
    parameters: int
    bytes: int
    cpu_seconds: float
    prompt_tokens: float
    neutral_before: float
    neutral_after: float
    processor: str
    recipe: Mapping[str, Any]
    versions: Mapping[str, str]
    precision: str = "float32"  # of the products of frozen layers while it was trained

    @property
    def cell(self) -> Cell:
        return Cell(self.task, self.method, self.seed)

    @property
    def scores(self) -> tuple[float, ...]:
        """Of every held-out example, 0 to 1, by the task's own rule."""
        rule = tasks.SCORES[self.task]
        asked = tasks.task(self.task).held_out
        return tuple(rule(example, answer) for example, answer in zip(asked, self.answers, strict=True))

    @property
    def score(self) -> float:
        return fmean(self.scores)

    @property
    def forgetting(self) -> float:
        """How much worse the neutral text is read than before, in nats a token; below 0 where it is read better."""
        return self.neutral_after - self.neutral_before


@dataclass(frozen=True)
class Pace:
    """The processor's seconds of `UNIT` on a task, from every seed, on a processor that rows of others were measured on."""

    task: str
    processor: str
    seconds: tuple[float, ...]
    recipe: Mapping[str, Any]


def cells(task_ids: Sequence[str] = tasks.TASK_IDS) -> list[Cell]:
    """All runs in their order: task by task, and the methods in front first, so that what is there is comparable."""
    bases = {task: [Cell(task, BASE, SEEDS[0])] for task in task_ids}
    front = [cell for task in task_ids for cell in (*bases[task], *_runs(task, FRONT))]
    return front + [cell for task in task_ids if task in WIDE for cell in _runs(task, MORE)]


def recipe(cell: Cell) -> dict[str, Any]:
    """The task's own recipe for a method, if it has one, else the method's usual one; of the base none."""
    if cell.method == BASE:
        return {}
    chosen, own = METHODS[cell.method], tasks.RECOMMENDED.get(cell.task)
    if own and own.method == cell.method:
        return {"hyperparameters": chosen.complete(own.hyperparameters), "steps": own.steps}
    return {"hyperparameters": chosen.complete({}), "steps": chosen.steps}


def _runs(task: str, methods: Iterable[str]) -> list[Cell]:
    return [Cell(task, method, seed) for method in methods for seed in SEEDS]


def read(file: Path, measured_with: Mapping[str, Any] | None = None) -> list[Row]:
    """
    The rows of a file; none if there is none. Where it is said what would be measured with now: none if that was something
    else, and none whose recipe was another.
    """
    if not file.exists():
        return []
    found = json.loads(file.read_text(encoding="utf-8"))
    rows = [Row(**{**row, "answers": tuple(row["answers"])}) for row in found.pop("rows")]
    if measured_with is None:
        return rows
    return [row for row in rows if _is_of(found, measured_with) and row.recipe == recipe(row.cell)]


def read_paces(file: Path, measured_with: Mapping[str, Any] | None = None) -> list[Pace]:
    """The same of what `UNIT` took elsewhere."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    there = [Pace(**{**one, "seconds": tuple(one["seconds"])}) for one in found.get("paces", ())]
    if measured_with is None:
        return there
    usual = {one.task: recipe(Cell(one.task, UNIT, SEEDS[0])) for one in there}
    return [one for one in there if _is_of(found, measured_with) and one.recipe == usual[one.task]]


def _is_of(found: Mapping[str, Any], measured_with: Mapping[str, Any]) -> bool:
    return {name: value for name, value in found.items() if name not in MEASURED} == measured_with


def paces(rows: Iterable[Row], more: Iterable[Pace] = ()) -> dict[tuple[str, str], float]:
    """The least seconds of `UNIT` by task and processor, in its rows and in `more`."""
    timed = [((row.task, row.processor), row.cpu_seconds) for row in rows if row.method == UNIT]
    timed += [((one.task, one.processor), seconds) for one in more for seconds in one.seconds]
    return {place: min(seconds for where, seconds in timed if where == place) for place, _ in timed}


@dataclass(frozen=True)
class Spread:
    """A quantity over the seeds: every value, in the order of the seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class Standing:
    """One method on one task, all its seeds together. `examples` are the held-out examples' scores, means over the seeds."""

    method: str
    score: Spread
    examples: tuple[float, ...]
    loss: Spread
    parameters: int
    bytes: int
    seconds: Spread
    prompt_tokens: float
    forgetting: Spread
    processor: str
    recipe: Mapping[str, Any]


def standings(rows: Iterable[Row], task: str) -> list[Standing]:
    """Every method that has all its runs on a task, in the order of the registry, the base first."""
    there: dict[str, list[Row]] = {}
    for row in rows:
        if row.task == task:
            there.setdefault(row.method, []).append(row)
    whole = {one.method: sum(cell.method == one.method for cell in cells((task,))) for one in cells((task,))}
    return [_standing(there[method]) for method, count in whole.items() if len(there.get(method, ())) == count]


def comparable(rows: Sequence[Row]) -> list[str]:
    """The tasks on which several methods have all their runs."""
    return [task for task in dict.fromkeys(row.task for row in rows) if len(standings(rows, task)) > 1]


def _standing(rows: Sequence[Row]) -> Standing:
    def over(name: str) -> Spread:
        return Spread(tuple(getattr(row, name) for row in rows))

    first = rows[0]
    return Standing(
        method=first.method,
        score=over("score"),
        examples=tuple(map(fmean, zip(*(row.scores for row in rows), strict=True))),
        loss=over("held_out_loss"),
        parameters=first.parameters,
        bytes=first.bytes,
        seconds=over("cpu_seconds"),
        prompt_tokens=fmean(row.prompt_tokens for row in rows),
        forgetting=over("forgetting"),
        processor=listed_once(row.processor for row in rows),
        recipe=first.recipe,
    )


def listed_once(names: Iterable[str]) -> str:
    """Every one that rows were measured on, or with."""
    return ", ".join(dict.fromkeys(names))


def libraries(rows: Iterable[Row]) -> dict[str, str]:
    """The libraries that rows were measured with, by name, with every version of them."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for name, version in row.versions.items():
            found.setdefault(name, []).append(version)
    return {name: listed_once(versions) for name, versions in found.items()}


def inside_noise(one: Standing, other: Standing) -> bool:
    """
    Whether the difference of two scores may be chance. It counts only if another seed would not undo it, every seed of the
    one being above every seed of the other, and other questions would not: the 95 % interval of the mean difference over
    the held-out examples, paired (Student's t), leaves out zero.
    """
    if one.score.low <= other.score.high and other.score.low <= one.score.high:
        return True
    return not beyond_noise([mine - theirs for mine, theirs in zip(one.examples, other.examples, strict=True)])


def beyond_noise(differences: Sequence[float]) -> bool:
    """Whether the 95 % interval of the mean of 16 paired differences (Student's t) leaves out zero."""
    return abs(fmean(differences)) > T_95 * stdev(differences) / math.sqrt(len(differences))


@dataclass(frozen=True)
class Verdict:
    """
    On one task: the `best` mean score, `near` it within the noise, `below` it beyond, and the `cheapest` of the best and
    those near it: by trained parameters, then by what is read for a request.
    """

    best: Standing
    near: tuple[Standing, ...]
    below: tuple[Standing, ...]
    cheapest: Standing


def verdict(found: Sequence[Standing]) -> Verdict:
    """Of equal scores the one with the fewest parameters is the best."""
    best = min(found, key=lambda one: (-one.score.mean, one.parameters))
    near = tuple(one for one in found if one is not best and inside_noise(best, one))
    below = tuple(one for one in found if one is not best and one not in near)
    return Verdict(best, near, below, min((best, *near), key=lambda one: (one.parameters, one.prompt_tokens)))


def unbeaten(found: Sequence[Standing]) -> list[Standing]:
    """Those that no other one equals with fewer parameters or beats with no more, by mean score: from few to many."""
    front: list[Standing] = []
    for one in sorted(found, key=lambda one: (one.parameters, -one.score.mean)):
        if not front or one.score.mean > front[-1].score.mean:
            front.append(one)
    return front
