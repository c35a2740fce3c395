"""
Asking for a training, and what comes of it in plain values: its events one by one for programs, all that they have told
for the page, and the Python that does it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from playground.actions.adapters import list_adapters
from playground.actions.catalogue import architecture, count_parameters, have, parameters
from playground.actions.kinds import TRAINING
from playground.actions.lanes import TRAIN
from playground.actions.runs import remember
from playground.actions.scores import AFTER, ELSEWHERE, score_adapter, score_json, stop_scoring
from playground.actions.work import expected_end, expected_wait
from playground.adapt import tasks
from playground.adapt.fitting import check_fits
from playground.adapt.initialization import copies
from playground.adapt.methods import method
from playground.bounds import finite
from playground.errors import PlaygroundError
from playground.train import recipe
from playground.train.effort import Effort
from playground.train.job import Ended, TrainingJob, kept_bytes
from playground.work.jobs import Run, Size
from playground.work.places import Work, as_it_is
from playground.work.sessions import SESSIONS
from playground.work.waiting import Length

if TYPE_CHECKING:
    from playground.train.job import Event, Started

ENDED = ("finished", "stopped", "diverged", "failed")  # states of a view of a training


def start_training(
    key: str,
    base_id: str,
    method_id: str,
    task: str | tasks.Task,
    values: Mapping[str, Any],
    *,
    steps: int | None = None,
    seed: int = 0,
    scored: bool = False,
) -> Run:
    """
    Queue a training for a session. `task` is the id of a teaching task or `own.task_of`; `values` and `steps` take the
    method's defaults where they are left out. To be `scored`, it queues that too as soon as it has made all its steps
    (`scores.AFTER`). Raises PlaygroundError at once if it cannot be served.
    """
    one = served(base_id, method_id, task, values, steps=steps, seed=seed)
    SESSIONS.check_room(key, one.kept)
    job, length = one.job, length_of(one.job)
    work = training(key, job, partial(_score_after, key, job) if scored else as_it_is)
    run = SESSIONS.submit(key, TRAIN, work, job, size=one.size, length=length)
    for place in (AFTER, ELSEWHERE):
        stop_scoring(key, place)  # of the training before
    return run


def _score_after(key: str, job: TrainingJob, event: Event) -> Event:
    """Whoever hears that a training has finished finds the scoring queued, unless there is no room for it."""
    if isinstance(event, Ended) and event.event == "finished":
        with suppress(PlaygroundError):  # it can be asked for again
            score_adapter(key, event.adapter.id, job.task)
    return event


@dataclass(frozen=True)
class Served:
    """A checked job that can be served; of its adapter `changed` numbers change while it trains, and it has `held` bytes."""

    job: TrainingJob
    changed: int
    held: int

    @property
    def size(self) -> Size:
        """What a training holds, float32: the adapter, and for what changes its gradients and AdamW's two moments."""
        return Size(max(self.held, 4 * self.changed) + 3 * 4 * self.changed)

    @property
    def kept(self) -> int:
        """Bytes that a session will hold of it."""
        return kept_bytes(self.changed, self.held)


def served(
    base_id: str, method_id: str, task: str | tasks.Task, values: Mapping[str, Any], *, steps: int | None, seed: int
) -> Served:
    """A training that can be served. Raises PlaygroundError."""
    learned = tasks.task(task) if isinstance(task, str) else task
    job = TrainingJob(base_id, method_id, learned, dict(values), steps, seed).checked()
    chosen = method(method_id)
    check_fits(chosen, base_id, architecture(base_id))
    have(chosen.base_id(base_id, job.hyperparameters))
    count = count_parameters(base_id, method_id, job.hyperparameters)
    return Served(job, copies(job.hyperparameters) * count["trainable"], count["bytes"])


def training(key: str, job: TrainingJob, then: Callable[[Event], Event] = as_it_is) -> Work:
    """A training wherever it runs; the session keeps what it has learned before the last event, and `then`, tells so."""

    def receive(event: Event) -> Event:
        if isinstance(event, Ended):
            event = keep(key, event)
            remember(key, job, event)
        return then(event)

    return Work(TRAINING, job, (method(job.method).base_id(job.base, job.hyperparameters),), receive)


def length_of(job: TrainingJob) -> Length:
    """How much work a training is, beside others: tokens that are read, times the parameters that read them."""
    shipped = job.task.id in tasks.TASK_IDS and job.task == tasks.task(job.task.id)  # what the base itself makes of it
    first_look = not (job.steps and method(job.method).starts_as_base and shipped)
    told = Effort.of(job).length(first_look)
    return replace(told, work=told.work * max(1, parameters(job.base)))


def keep(key: str, ended: Ended) -> Ended:
    """A session keeps what a run has learned; the event tells it without the tensors."""
    if ended.adapter.record.untrained:
        return replace(ended, adapter=ended.adapter.outline(), kept=False)
    gone = SESSIONS.add(key, ended.adapter)
    mine = SESSIONS.get(key).library.get(ended.adapter.id)
    return replace(ended, adapter=mine.outline(), gave_way=tuple(one.summary() for one in gone))


def stop_training(key: str) -> None:
    """Stop the session's training, if one runs or waits; it keeps what it has learned."""
    SESSIONS.stop(key, TRAIN)


def python_code(key: str, adapter_id: str, language: str) -> str:
    """The Python that makes an adapter of the session again. Raises PlaygroundError if there is no such adapter."""
    return recipe.python(SESSIONS.get(key).library.get(adapter_id), language)


def event_json(event: Event) -> dict[str, Any]:
    """
    One training event as the API gives it; the last one names the adapter, if one was kept, instead of carrying it. A number
    that overflowed is None.
    """
    plain = {name: value for name, value in vars(event).items() if name not in ("adapter", "error", "kept")}
    if plain["event"] == "score":
        plain |= score_json(event)  # type: ignore[arg-type]
    if plain["event"] == "unscored":
        plain |= {"error": str(event.error)}  # type: ignore[union-attr]
    if plain["event"] in ("finished", "stopped", "failed"):
        ended: Any = event
        adapter = ended.adapter.summary() if ended.kept else None
        plain |= {"adapter": adapter, "error": str(ended.error) if ended.error else None}
    return finite({name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()})  # type: ignore[no-any-return]


def training_view(run: Run | None, language: str) -> dict[str, Any]:
    """What the Train tab draws: the run's state and everything that its events have told so far."""
    if run is None:
        return {"state": "idle", "losses": [], "held_out": [], "samples": [], "questions": [], "method": None, "steps": 24}
    job = run.job
    view: dict[str, Any] = {
        "state": "queued" if run.state == "queued" else "preparing",
        "position": run.position,
        "stopping": run.stopping,
        "again": run.again,
        "again_from": run.events[run.kept - 1].step if run.kept else 0,
        "wait": expected_wait(run),
        "base": job.base,
        "method": job.method,
        "task": job.task.id,
        "hyperparameters": job.hyperparameters,
        "step": 0,
        "steps": job.steps,
        "seed": job.seed,
        "losses": [],
        "held_out": [],
        "samples": [],
        "questions": [],
        "message": "",
        "adapter": None,
    }
    for event in run.events:
        _VIEW[event.event](view, event)
    if view["step"] and run.state == "running":  # a run knows its own past alone, the worker all that goes on and waits
        view["remaining"] = expected_end(run) or view["remaining"]
    if run.state == "queued":  # also where it waits to go on after what it has told
        view["state"] = "queued"
    if run.state == "failed" and view["state"] not in ("diverged",):
        view["state"] = "failed"
    if run.state == "stopped" and view["state"] in ("queued", "preparing", "running"):
        view["state"] = "stopped"
    error = run.error or view.pop("error", None)
    view["message"] = error.message(language) if error else ""
    return view


def session_view(key: str, run: Run | None, language: str) -> dict[str, Any]:
    """A run's view with its adapter as the session has it now: perhaps under another name, None once it is deleted."""
    view = training_view(run, language)
    mine = {one["id"]: one for one in list_adapters(key) if one["own"]}
    return view | {"adapter": mine.get(view["adapter"]["id"])} if view.get("adapter") else view


def _started(view: dict[str, Any], event: Started) -> None:
    view |= {"state": "running", "questions": list(event.questions), "precision": event.precision}
    view |= {"remaining": event.estimated_seconds} if event.steps else {}


def _step(view: dict[str, Any], event: Any) -> None:
    view["losses"].append((event.step, event.loss))
    view |= {"seconds_per_step": event.elapsed / event.step}
    view |= {
        name: getattr(event, name)
        for name in ("step", "elapsed", "remaining", "tokens_per_second", "learning_rate", "gradient_norm")
    }


def _evaluation(view: dict[str, Any], event: Any) -> None:
    view["held_out"].append((event.step, event.held_out_loss))


def _sample(view: dict[str, Any], event: Any) -> None:
    view["samples"].append({"step": event.step, "answers": list(event.answers)})


def _answers(view: dict[str, Any], event: Any) -> None:
    view |= {"answers": list(event.answers), "answered": event.step}


def _score(view: dict[str, Any], event: Any) -> None:
    view |= {"score": event.score, "scored": event.questions}


def _ended(view: dict[str, Any], event: Any) -> None:
    state = "diverged" if event.event == "failed" else event.event
    view |= {"state": state, "elapsed": event.seconds, "own_seconds": True, "error": event.error}
    view["beginning"] = event.adapter.record.beginning
    if event.kept:
        view["adapter"] = event.adapter.summary()
        view["checkpoints"] = [checkpoint.step for checkpoint in event.adapter.checkpoints]
    view["gave_way"] = list(event.gave_way)


_VIEW = {
    "started": _started, "step": _step, "evaluation": _evaluation, "sample": _sample, "answers": _answers, "score": _score,
    "finished": _ended, "stopped": _ended, "failed": _ended,
}  # fmt: skip
