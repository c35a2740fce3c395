"""
How good a variant is at a task: its loss on the held-out responses, and its answers to the held-out questions, written
together and marked by the task's own rule.

Pauses after every batch and every token, so that others have their turn and the answers can be watched. What the base and
few-shot are worth is measured once for a base and a task; for the ready-made tasks and the embedded base it lies in
`examples/scores.json` (`make examples`). Knows nothing about the page.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt import tasks
from playground.adapt.attach import FEW_SHOT, attached
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import BASE, Variant
from playground.errors import PlaygroundError
from playground.model.memory import STORE
from playground.train.batches import Encoded
from playground.train.evaluation import SAMPLES, held_out_losses, rows_of, written
from playground.train.forgetting import Forgetting, forgetting
from playground.train.job import QUESTIONS as QUESTIONS
from playground.train.job import TOKENS as TOKENS
from playground.train.pauses import Result, Stopped, finished

if TYPE_CHECKING:
    from playground.compare.decoding import Row
    from playground.compare.pool import AnyPool
    from playground.model.bases import Base

FILE = settings.EXAMPLES / "scores.json"
BYTES = 20_000  # of what is kept of a variant, roughly


@dataclass(frozen=True)
class Answers:
    """The answers so far to the questions that a run answers as it goes (`evaluation.questions`)."""

    step: int
    answers: tuple[str, ...]
    event: str = "answers"


@dataclass(frozen=True)
class Marked:
    """A held-out question, the response that was held out, the answer, and what the task's rule gives it: 0 to 1."""

    prompt: str
    expected: str
    answer: str
    score: float


@dataclass(frozen=True)
class Scored:
    """
    What the variant `pane` is worth: the mean of the task's rule over so many held-out questions (None where it has no
    rule), and the mean loss in nats over the held-out response tokens (None where nobody asked).
    """

    step: int
    score: float | None
    questions: int
    held_out_loss: float | None = None
    examples: tuple[Marked, ...] = ()
    pane: str = ""
    forgetting: Forgetting | None = None  # of an adapter, where somebody asked
    event: str = "score"

    @property
    def right(self) -> int:
        """How many answers have the full score."""
        return sum(one.score == 1 for one in self.examples)


@dataclass(frozen=True)
class Unscored:
    """Why the variant `pane` has no score on this task."""

    pane: str
    error: PlaygroundError
    event: str = "unscored"


@dataclass(frozen=True)
class ScoreJob:
    """
    Score variants on the held-out examples of a task; `losses` of theirs that are known, by the variant's id. With
    `neutral`, also what the adapters among them have forgotten, but for few-shot as a reference.
    """

    task: Task
    variants: tuple[Variant, ...]
    losses: Mapping[str, float] = field(default_factory=dict)
    neutral: bool = False


def score(
    job: ScoreJob,
    get_base: Callable[[str], Base],
    stop: Callable[[], bool] = lambda: False,
    pool: AnyPool | None = None,
) -> Iterator[Scored | Unscored | None]:
    """A variant after the other, None for a pause; nothing more after a stop. `pool` as in `scored`."""
    for variant in job.variants:
        try:
            yield (yield from worth(job, variant, get_base(variant.base), stop, pool))
        except Stopped:
            return
        except PlaygroundError as error:
            yield Unscored(variant.id, error)


def worth(
    job: ScoreJob, variant: Variant, base: Base, stop: Callable[[], bool], pool: AnyPool | None
) -> Generator[None, None, Scored]:
    """What is known of a variant, or measured now. Raises Stopped, and PlaygroundError as `tasks.encode`."""
    found = known(base, variant, job.task)
    if found is None:
        found = yield from _measured(job, variant, base, stop, pool)
        keep(base, variant, job.task, found)
    if job.neutral and variant.adapter and variant.id != FEW_SHOT:
        found = replace(found, forgetting=(yield from _stoppable(forgetting(base, variant), stop)))
    return found


def _measured(
    job: ScoreJob, variant: Variant, base: Base, stop: Callable[[], bool], pool: AnyPool | None
) -> Generator[None, None, Scored]:
    loss = job.losses.get(variant.id)
    if loss is None:
        loss = yield from _stoppable(held_out_loss(base, variant, job.task), stop)
    found = Scored(_step(variant), None, 0, loss, pane=variant.id)
    if not job.task.rule:
        return found
    with closing(scored(variant, job.task, base, lambda: False, pool)) as events:
        for event in events:
            if stop():
                raise Stopped
            yield
            found = replace(event, held_out_loss=loss) if isinstance(event, Scored) else found
    return found


def _stoppable(work: Generator[None, None, Result], stop: Callable[[], bool]) -> Generator[None, None, Result]:
    while True:
        if stop():
            raise Stopped
        try:
            next(work)
        except StopIteration as done:
            result: Result = done.value
            return result
        yield


def scored(
    variant: Variant,
    task: Task,
    base: Base,
    stop: Callable[[], bool] = lambda: False,
    pool: AnyPool | None = None,
) -> Generator[Answers | Scored, None, None]:
    """
    Greedy answers to the first QUESTIONS held-out questions as they grow, then their score (`tasks.RULES`). A task
    without a rule, which a visitor's own may be, has only its first SAMPLES answered, and no score follows; nor does one
    after a stop. In a `pool` that somebody else steps they are written with the rows of others. `base` is the variant's.
    """
    step, rule, shots = _step(variant), task.rule, _shots(variant)
    examples = task.held_out[: QUESTIONS if rule else SAMPLES]
    base.pack()
    model = attached(base, variant).model
    prompts = [tasks.prompt_ids(base.tokenizer, one.prompt, shots) for one in examples]
    rows = rows_of(model, base, prompts, TOKENS)
    for _ in written(model, rows, pool):
        yield _so_far(step, rows)
        if stop():
            return
    yield _so_far(step, rows)
    if rule:
        yield _marked(task, [row.text() for row in rows], step, variant.id)


def held_out_loss(base: Base, variant: Variant, task: Task) -> Generator[None, None, float]:
    """Its mean loss in nats over the held-out response tokens, pausing between batches. Raises PlaygroundError."""
    encoded: list[Encoded] = [tasks.encode(base.tokenizer, one, _shots(variant)) for one in task.held_out]
    before = variant.adapter.record.hyperparameters.get("virtual_tokens", 0) if variant.adapter else 0
    base.check_room(before + max(len(ids) for ids, _ in encoded))
    return held_out_losses(attached(base, variant).model, encoded, base.tokenizer.pad_token_id)


def _marked(task: Task, answers: Sequence[str], step: int, pane: str) -> Scored:
    """Answers to the first held-out questions, by the task's rule."""
    rule = tasks.RULES[task.rule]
    marked = tuple(
        Marked(one.prompt, one.response, answer, float(rule(one, answer)))
        for one, answer in zip(task.held_out, answers, strict=False)
    )
    return Scored(step, sum(one.score for one in marked) / len(marked), len(marked), examples=marked, pane=pane)


def _so_far(step: int, rows: Sequence[Row]) -> Answers:
    return Answers(step, tuple(row.text() for row in rows[:SAMPLES]))


def _step(variant: Variant) -> int:
    return variant.adapter.record.steps if variant.adapter else 0


def _shots(variant: Variant) -> list[Example]:
    return [Example(*shot) for shot in variant.adapter.record.shots] if variant.adapter else []


# What was measured already


def known(base: Base, variant: Variant, task: Task) -> Scored | None:
    """What was measured of a variant on a task, here or when the examples were made. `base` is that of the variant."""
    found: Scored | None = STORE.find(_key(base, variant, task)) or _shipped(base, variant, task)
    return replace(found, pane=variant.id) if found else None


def keep(base: Base, variant: Variant, task: Task, found: Scored) -> None:
    """Remember it for as long as base and adapter are there and there is room."""
    of = (base,) if variant.adapter is None or variant.method == FEW_SHOT else (base, variant.adapter)
    STORE.keep(_key(base, variant, task), found, BYTES, of=of)


def _key(base: Base, variant: Variant, task: Task) -> Hashable:
    """Holds no visitor's examples. Few-shot is what its examples are, whoever has prepared it."""
    told = hashlib.sha256(repr((task.id, task.rule, task.held_out, _shots(variant))).encode()).digest()
    return "score", base, None if variant.method in (BASE, FEW_SHOT) else variant, told, TOKENS


def _shipped(base: Base, variant: Variant, task: Task) -> Scored | None:
    made = _recorded()
    same = (made["checksum"], made["tokens"]) == (base.loaded_checksum, TOKENS)
    if not same or variant.method not in (BASE, FEW_SHOT) or task.id not in tasks.TASK_IDS or task != tasks.task(task.id):
        return None
    one = made["tasks"].get(task.id, {}).get(variant.method)
    if one is None or [Example(*shot) for shot in one.get("shots", [])] != _shots(variant):
        return None
    return replace(_marked(task, one["answers"], 0, variant.id), held_out_loss=one["held_out_loss"])


def recorded(base: Base, variant: Variant, task: Task) -> dict[str, Any]:
    """What `examples/scores.json` holds of the base, or of few-shot, on a task."""
    shots = {"shots": [list(shot) for shot in variant.adapter.record.shots]} if variant.adapter else {}
    loss = finished(held_out_loss(base, variant, task))
    *_, last = scored(variant, task, base)
    return {"held_out_loss": loss, "answers": [one.answer for one in last.examples], **shots}  # type: ignore[union-attr]


@cache
def _recorded() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return recorded
