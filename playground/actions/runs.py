"""
The trainings of a session, racers included, once they have ended: what was asked, what came of it, what it is worth. They
stay in the session when their adapters go.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from playground import settings
from playground.actions.adapters import plain_name
from playground.adapt.methods import METHODS
from playground.adapt.variant import BASE, Variant
from playground.bounds import finite
from playground.model.catalogue import spec_of
from playground.model.memory import STORE
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.adapt.tasks import Task
    from playground.train.job import Ended, TrainingJob
    from playground.train.scoring import Scored

POINTS = 60  # of a curve that are kept
REFERENCES = (BASE, "few_shot")
COLUMNS = (
    "run", "method", "settings", "base", "task", "parameters", "steps", "planned_steps", "seed", "held_out_loss", "score",
    "right", "questions", "forgetting", "seconds", "state", "adapter",
)  # fmt: skip


class Worth(NamedTuple):
    """The numbers of a score, without the answers behind it."""

    held_out_loss: float | None = None
    score: float | None = None
    right: int | None = None
    questions: int = 0
    forgetting: float | None = None  # nats a token on the neutral text, after less before

    @classmethod
    def of(cls, found: Scored) -> Worth:
        right = found.right if found.score is not None else None
        forgotten = found.forgetting.change if found.forgetting else None
        return cls(found.held_out_loss, found.score, right, found.questions, forgotten)

    def after(self, former: Worth) -> Worth:
        """What the run itself has measured stays, and what nobody asked for this time."""
        loss = self.held_out_loss if former.held_out_loss is None else former.held_out_loss
        forgotten = former.forgetting if self.forgetting is None else self.forgetting
        return self._replace(held_out_loss=loss, forgetting=forgotten)


@dataclass(frozen=True)
class Done:
    """A training that has ended. `group` says what it can be held beside: the same base and the same held-out examples."""

    number: int  # in the session, from 1
    group: tuple[str, str, str, str]
    method: str
    hyperparameters: dict[str, Any]
    seed: int
    planned_steps: int
    steps: int
    state: str
    parameters: int
    seconds: float
    losses: tuple[tuple[int, float], ...]
    held_out: tuple[tuple[int, float], ...]
    adapter: str  # its id; "" where nothing was kept
    worth: Worth
    beside: dict[str, Worth]  # REFERENCES as far as they are known


def remember(key: str, job: TrainingJob, ended: Ended) -> None:
    """Add a training that has ended; the oldest go where there are too many. One that has done no step is none."""
    record, past = ended.adapter.record, SESSIONS.get(key).past
    if record.untrained and not ended.step:
        return
    losses = [loss for step, loss in record.held_out if step == record.steps]
    past.append(
        Done(
            number=past[-1].number + 1 if past else 1,
            group=group_of(job.base, job.task),
            method=job.method,
            hyperparameters=job.hyperparameters,
            seed=job.seed,
            planned_steps=job.steps or 0,
            steps=record.steps,
            state="diverged" if ended.event == "failed" else ended.event,
            parameters=record.trainable_parameters,
            seconds=ended.seconds,
            losses=thinned(record.losses),
            held_out=thinned(record.held_out),
            adapter=ended.adapter.id if ended.kept else "",
            worth=Worth(losses[-1] if losses else None),
            beside=_known(job),
        )
    )
    del past[: -settings.MAX_SESSION_RUNS]


def _known(job: TrainingJob) -> dict[str, Worth]:
    """What was measured of the references before."""
    from playground.train.few_shot import reference
    from playground.train.scoring import known

    base = STORE.find(job.base)
    if base is None:
        return {}
    variants = (Variant(base.id), Variant(base.id, reference(base.id, base.architecture, job.task)))
    found = [(name, known(base, one, job.task)) for name, one in zip(REFERENCES, variants, strict=True)]
    return {name: Worth.of(one) for name, one in found if one}


def mark(key: str, task: Task, found: Scored) -> None:
    """A score has come: of a run's adapter on what it was trained for, or of a reference that stands beside runs."""
    past = SESSIONS.get(key).past
    for place, one in enumerate(past):
        if one.group[1:] == group_of("", task)[1:]:
            if found.pane == one.adapter:
                past[place] = replace(one, worth=Worth.of(found).after(one.worth))
            elif found.pane in REFERENCES:
                past[place] = replace(one, beside={**one.beside, found.pane: Worth.of(found)})


def group_of(base_id: str, task: Task) -> tuple[str, str, str, str]:
    """
    Base, task, by what it is scored, and which held-out examples: a visitor's own differ from table to table. Holds none of
    them.
    """
    return base_id, task.id, task.rule, hashlib.sha256(repr(task.held_out).encode()).hexdigest()[:16]


def thinned(points: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most POINTS of a curve, its last one among them."""
    every = -(-len(points) // POINTS) or 1
    return tuple(reversed([(step, loss) for step, loss in reversed(points)][::every]))


def runs_view(key: str) -> list[dict[str, Any]]:
    """
    The session's trainings by what can be held side by side, that of the latest first: {base, task, rule, rows,
    references}. A row is a view as a racer's, with the numbers of its score, and says whether its adapter is still here.
    """
    session = SESSIONS.get(key)
    groups: dict[tuple[str, str, str, str], list[Done]] = {}
    for one in reversed(list(session.past)):
        groups.setdefault(one.group, []).insert(0, one)
    here = {one.id for one in session.library.own()}
    return [
        {
            "base": base,
            "task": task,
            "rule": rule,
            "rows": [_row(one, one.adapter in here) for one in members],
            "references": _references(members),
        }
        for (base, task, rule, _), members in groups.items()
    ]


def session_record(key: str) -> dict[str, Any]:
    """
    All that a session has made, in plain values: the records of its adapters, newest first, with losses and answers, and
    its trainings as `runs_view` has them. Neither weights nor a visitor's own examples are in it.
    """
    own = SESSIONS.get(key).library.own() if key else []
    adapters = [
        {**one.summary(), "name": plain_name(one), "base_name": _base_name(one.record.base), "record": asdict(one.record)}
        for one in own
    ]
    runs = [{"base_name": _base_name(one["base"]), **one} for one in (runs_view(key) if key else [])]
    return {"adapters": finite(adapters), "runs": runs}


def _base_name(base_id: str) -> str:
    """A base's repository, of a folder its last name; its id where nobody has it any more."""
    spec = spec_of(base_id)
    return base_id if spec is None else spec.name if spec.source == "local" else spec.repository


def _row(one: Done, here: bool) -> dict[str, Any]:
    usual = METHODS[one.method].complete({})
    other = {name: value for name, value in one.hyperparameters.items() if value != usual[name]}
    plain = {name: value for name, value in vars(one).items() if name not in ("group", "worth", "beside")}
    return finite({**plain, **one.worth._asdict(), "settings": other, "here": here})  # type: ignore[no-any-return]


def _references(members: Iterable[Done]) -> list[dict[str, Any]]:
    found: dict[str, Worth] = {}
    for one in members:
        found |= one.beside
    return [{"method": name, **finite(found[name]._asdict())} for name in REFERENCES if name in found]


def runs_csv(key: str) -> str:
    """The session's trainings as CSV with the header COLUMNS: commas, points in numbers, empty where nothing is known."""
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for group in runs_view(key):
        place = {"base": group["base"], "task": group["task"]}
        for one in group["references"]:
            table.writerow({**one, **place})
        for one in group["rows"]:
            shown = {"run": one["number"], "settings": json.dumps(one["settings"], ensure_ascii=False)}
            table.writerow({**one, **place, **shown, "adapter": one["adapter"] if one["here"] else ""})
    return written.getvalue()
