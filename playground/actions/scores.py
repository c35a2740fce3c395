"""
Asking what variants are worth on a task: held-out loss, score and the answers behind it, with the base and few-shot beside
them; and what comes of it in plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from playground.actions import catalogue, runs
from playground.actions.adapters import held_out_task
from playground.actions.catalogue import have
from playground.actions.compare import pane, renamed
from playground.actions.kinds import SCORING
from playground.actions.lanes import TRAIN
from playground.actions.work import expected_wait
from playground.adapt import tasks
from playground.adapt.variant import BASE, Variant
from playground.bounds import finite
from playground.compare.many import held_out
from playground.errors import PlaygroundError
from playground.train.effort import scoring
from playground.work.jobs import NOTHING, Run
from playground.work.places import Work
from playground.work.sessions import SESSIONS
from playground.work.waiting import Length

if TYPE_CHECKING:
    from playground.adapt.tasks import Task
    from playground.train.scoring import Scored, ScoreJob, Unscored
    from playground.work.sessions import Place

# Places of the session's runs: after a training, on another task than it was for, and of the panes of Compare
AFTER, ELSEWHERE, PANES = "score", "score-elsewhere", "score-panes"
FEW_SHOT = "few_shot"  # the id of few-shot as it is usually prepared


@dataclass(frozen=True)
class Subject:
    """What a scoring is about, for whoever shows it. Holds no tensors."""

    base: str
    task: str
    rule: str  # of `tasks.RULES`, "" without one
    panes: tuple[dict[str, Any], ...]  # what `Variant.summary` says of each

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in self.panes]


def start_scoring(
    key: str,
    base_id: str,
    task: str | Task,
    panes: Sequence[str],
    place: Place,
    losses: Mapping[str, float] | None = None,
    neutral: bool = False,
) -> Run:
    """
    Queue the scoring of panes (see `entrant`) on a task: an id, or the examples themselves. `losses` of theirs that are
    known, by their ids; with `neutral`, what adapters have forgotten. Raises PlaygroundError at once if it cannot be served.
    """
    from playground.train.scoring import ScoreJob

    learned = task if isinstance(task, tasks.Task) else task_of(key, task, panes)
    if not panes:
        raise PlaygroundError("no_panes")
    variants = tuple(entrant(key, base_id, one, learned) for one in dict.fromkeys(panes))
    bases = tuple(dict.fromkeys(one.base for one in variants))
    for needed in bases:
        have(needed)
    running = SESSIONS.get(key).runs.get(place)
    if running and not running.ended:
        raise PlaygroundError("already_scoring")
    parameters = catalogue.parameters(base_id)
    subject = Subject(base_id, learned.id, learned.rule, tuple(one.summary(parameters) for one in variants))
    known_first = tuple(sorted(variants, key=lambda one: one.id not in (BASE, FEW_SHOT)))
    job = ScoreJob(learned, known_first, losses or {}, neutral)
    work = Work(SCORING, job, bases, partial(_marked, key, learned))
    return SESSIONS.submit(key, TRAIN, work, subject, place, NOTHING, length_of(job))


def length_of(job: ScoreJob) -> Length:
    """How much work a scoring is, beside trainings (`actions.train.length_of`); what is shipped costs nothing."""
    ready = (BASE, FEW_SHOT) if job.task.id in tasks.SCORES else ()
    measured = [one for one in job.variants if one.id not in ready]
    return Length(sum(scoring(job.task) * max(1, catalogue.parameters(one.base)) for one in measured) or 1.0)


def _marked(key: str, task: Task, event: Any) -> Any:
    """The session's table of runs is told what a scoring says."""
    from playground.train.scoring import Scored

    if isinstance(event, Scored):
        runs.mark(key, task, event)
    return event


def with_references(panes: Sequence[str]) -> list[str]:
    """The panes, and the base and few-shot after them where they are not among them."""
    return list(dict.fromkeys([*panes, BASE, FEW_SHOT]))


def entrant(key: str, base_id: str, pane_id: str, task: Task) -> Variant:
    """A pane as `compare.pane` has it, or FEW_SHOT: usual few-shot with the task's own examples. Raises PlaygroundError."""
    from playground.train.few_shot import reference

    if pane_id == FEW_SHOT:
        return Variant(base_id, reference(base_id, catalogue.architecture(base_id), task))
    return pane(key, base_id, pane_id)


def task_of(key: str, task_id: str, panes: Sequence[str]) -> Task:
    """
    A task by its id; `tasks.OWN` is that of the first pane that was trained on a visitor's own examples here. Raises
    PlaygroundError if there is none.
    """
    if task_id != tasks.OWN:
        return tasks.task(task_id)
    library = SESSIONS.get(key).library
    own = [library.get(one).examples for one in panes if library.knows(one)]
    found = next((one for one in own if one), None)
    if found is None:
        raise PlaygroundError("no_own_examples")
    return found


def held_out_of(prompt: str) -> str:
    """The ready-made task that holds this question out; "" if none does."""
    found = held_out(prompt)
    return found[0] if found else ""


def score_adapter(key: str, adapter_id: str, task: Task | None = None) -> Run:
    """
    Queue the scoring of one of the session's adapters on the task that it has learned, with the base that it was asked for
    and few-shot beside it, and of what it has forgotten; the loss is that which its run has measured last. Raises
    PlaygroundError.
    """
    adapter = SESSIONS.get(key).library.get(adapter_id)
    task, record = task or held_out_task(adapter), adapter.record
    if task is None:
        raise PlaygroundError("no_held_out")
    measured = dict([(adapter.id, loss) for step, loss in record.held_out if step == record.steps][-1:])
    panes = [BASE, *([FEW_SHOT] if record.method != FEW_SHOT else []), adapter.id]
    return start_scoring(key, record.base, task, panes, AFTER, measured, neutral=True)


def other_tasks(key: str, adapter_id: str) -> list[str]:
    """The ready-made tasks that an adapter of the session was not trained for."""
    learned = SESSIONS.get(key).library.get(adapter_id).record.task
    return [one for one in tasks.TASK_IDS if one != learned]


def score_elsewhere(key: str, adapter_id: str, task_id: str) -> Run:
    """Queue the scoring of one of the session's adapters beside its base on another task. Raises PlaygroundError."""
    adapter = SESSIONS.get(key).library.get(adapter_id)
    return start_scoring(key, adapter.record.base, tasks.task(task_id).id, [BASE, adapter_id], ELSEWHERE)


def scoring_of(key: str, place: Place) -> Run | None:
    """The session's latest scoring of a place."""
    return SESSIONS.get(key).runs.get(place)


def stop_scoring(key: str, place: Place) -> None:
    """Stop it; what was scored by then stays."""
    SESSIONS.stop(key, place)


def score_view(key: str, run: Run, language: str) -> dict[str, Any]:
    """What is shown of a scoring: a row for each pane, with the name that it has by now."""
    found = {event.pane: event for event in run.events}
    rows = [{**one, **row_of(found.get(one["id"]), run.ended, language)} for one in run.job.panes]
    return {
        "base": run.job.base,
        "task": run.job.task,
        "rule": run.job.rule,
        "state": run.state,
        "position": run.position,
        "wait": expected_wait(run),
        "message": run.error.message(language) if run.error else "",
        "rows": renamed(key, {"panes": rows})["panes"],
    }


def row_of(found: Scored | Unscored | None, ended: bool, language: str) -> dict[str, Any]:
    """
    What is known of a pane: nothing, why it has no score, or its numbers with the answers behind them; whether more may
    come.
    """
    nothing: dict[str, Any] = dict.fromkeys(("held_out_loss", "score", "right", "forgetting"))
    nothing |= {"questions": 0, "examples": []}
    if found is None:
        return nothing | {"waits": not ended, "message": ""}
    if found.event == "unscored":
        return nothing | {"waits": False, "message": found.error.message(language)}  # type: ignore[union-attr]
    return score_json(found) | {"waits": False, "message": ""}  # type: ignore[arg-type]


def score_json(found: Scored) -> dict[str, Any]:
    """A score as the API gives it; None where numbers overflowed or the task has no rule."""
    return finite(  # type: ignore[no-any-return]
        {
            "held_out_loss": found.held_out_loss,
            "score": found.score,
            "right": found.right if found.score is not None else None,
            "questions": found.questions,
            "forgetting": asdict(found.forgetting) if found.forgetting else None,
            "examples": [dict(vars(one)) for one in found.examples],
        }
    )


def elsewhere_view(key: str, run: Run, language: str) -> dict[str, Any]:
    """The same of a scoring on another task, and how far the adapter `moved` the score once both are known."""
    view = score_view(key, run, language)
    before, after = ([one["score"] for one in row["examples"]] for row in view["rows"])
    return {**view, "moved": moved(before, after)}


def moved(before: Sequence[float], after: Sequence[float]) -> dict[str, Any] | None:
    """The change of the mean score, and whether it `differs` from noise; None unless both answered 16 questions."""
    from playground.train.scoring import QUESTIONS
    from playground.train.standings import beyond_noise

    if len(before) != QUESTIONS or len(after) != QUESTIONS:
        return None
    differences = [mine - theirs for mine, theirs in zip(after, before, strict=True)]
    return {"change": sum(differences) / len(differences), "differs": beyond_noise(differences)}


def answer_json(run: Run) -> dict[str, Any]:
    """The only score of a scoring that has ended. Raises the PlaygroundError that says why there is none."""
    (found,) = [event for event in run.events if event]
    if found.event == "unscored":
        raise found.error
    return {"pane": found.pane, "task": run.job.task, "base": run.job.base, **score_json(found)}
