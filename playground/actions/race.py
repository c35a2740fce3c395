"""
A race: two to six methods or settings on one task with one seed, in plain values. Every racer is a training of its own, so
it learns what it would learn alone; the lane lets them go on together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from playground.actions import runs
from playground.actions.catalogue import count_parameters
from playground.actions.lanes import TRAIN
from playground.actions.train import ENDED, event_json, length_of, served, session_view, training
from playground.adapt import tasks
from playground.adapt.methods import METHODS, method
from playground.adapt.variant import Variant
from playground.bounds import finite, shown
from playground.errors import PlaygroundError
from playground.locales import DEFAULT
from playground.model.bases import BASES
from playground.train.job import STEPS, Ended, Evaluation, Sample, Started, Step, TrainingJob
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

LEAST, MOST = 2, 6  # racers
TRAINED = tuple(one.id for one in METHODS.values() if one.steps)  # who can race
USUAL = ("prompt_tuning", "ia3", "lora")
AFTER = 0.25  # of a racer's work, about: its answers and their score


@dataclass(frozen=True)
class Racer:
    """A method and what of its settings differs from the defaults."""

    method: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any) -> Racer:
        """As a program names one: a method's id, or {"method", "hyperparameters"}. Raises PlaygroundError otherwise."""
        if isinstance(given, Racer):
            return given
        named = {"method": given} if isinstance(given, str) else given
        if not isinstance(named, Mapping) or not {"method"} <= set(named) <= {"method", "hyperparameters"}:
            raise PlaygroundError("racer_unreadable", value=shown(given))
        values = named.get("hyperparameters") or {}
        if not isinstance(named["method"], str) or not isinstance(values, Mapping):
            raise PlaygroundError("racer_unreadable", value=shown(given))
        return cls(named["method"], values)


def start_race(
    key: str, base_id: str, task: str | tasks.Task, racers: Sequence[Any], *, steps: int | None = None, seed: int = 0
) -> list[Run]:
    """
    Queue a training for each racer (see `Racer.of`), all on the same examples in the order that the seed decides. Raises
    PlaygroundError at once, before anything has begun, if one of them cannot be served or kept.
    """
    if not LEAST <= len(racers) <= MOST:
        raise PlaygroundError("race_count", found=len(racers), minimum=LEAST, maximum=MOST)
    entered = [Racer.of(one) for one in racers]
    for one in entered:
        if not method(one.method).steps:
            raise PlaygroundError("race_untrained", method=one.method, known=", ".join(TRAINED))
    length = STEPS.check(STEPS.default if steps is None else steps)
    running = [served(base_id, one.method, task, one.hyperparameters, steps=length, seed=seed) for one in entered]
    for number, run in enumerate(running):
        if any(run.job == former.job for former in running[:number]):
            raise PlaygroundError("race_twice", method=run.job.method)
    SESSIONS.check_room(key, sum(one.kept for one in running))
    works = [(_racing(key, one.job), one.job, one.size, length_of(one.job) * (1 / (1 - AFTER))) for one in running]
    return SESSIONS.submit_together(key, TRAIN, works)


def _racing(key: str, job: TrainingJob) -> Callable[[Callable[[], bool]], Iterator[Any]]:
    """A training whose adapter, once it has made all its steps, is asked and scored before the last event."""

    def events(stop: Callable[[], bool]) -> Iterator[Any]:
        from playground.compare.pool import LOOKS
        from playground.train.scoring import Scored, keep, scored

        for event in training(key, job)(stop):
            if isinstance(event, Ended) and event.event == "finished":
                variant = Variant.of(job.base, SESSIONS.get(key).library.get(event.adapter.id))
                base, loss = BASES.get(variant.base), event.adapter.record.held_out[-1][1]
                for told in scored(variant, job.task, base, stop, LOOKS):
                    if isinstance(told, Scored):
                        told = replace(told, held_out_loss=loss)
                        keep(base, variant, job.task, told)
                        runs.mark(key, job.task, told)
                    yield told
            if isinstance(event, Started | Step | Evaluation | Sample):
                event = replace(event, left=AFTER + (1 - AFTER) * event.left)
            yield event

    return events


def race_of(key: str) -> list[Run]:
    """The session's latest race, a run for each racer; empty if there was none."""
    return SESSIONS.get(key).together(TRAIN)


def stop_race(key: str) -> None:
    """Stop all racers; each keeps what it has learned."""
    SESSIONS.stop_together(key, TRAIN)


def changes(runs: Sequence[Run], seconds: float = 0.3) -> Iterator[None]:
    """
    As `Run.changes`, until the last of them has ended: they step in turn, so one is watched, and what changes in another
    shows within `seconds`.
    """
    for run in runs:
        yield from run.changes(seconds)


def race_view(key: str, runs: Sequence[Run], language: str) -> dict[str, Any]:
    """What is shown of a race: every racer's view (`train.session_view`), and the outcome once there is one."""
    racers = [racer_view(key, number, run, language) for number, run in enumerate(runs, start=1)]
    questions: list[str] = next((one["questions"] for one in racers if one["questions"]), [])
    return {
        "racers": racers,
        "steps": max((one["steps"] for one in racers), default=STEPS.default),
        "base": racers[0]["base"] if racers else None,
        "task": racers[0]["task"] if racers else None,
        "rule": runs[0].job.task.rule if runs else "",
        "seed": racers[0]["seed"] if racers else 0,
        "questions": questions,
        "ended": all(one["state"] in ENDED for one in racers),
        "outcome": outcome(racers),
    }


def racer_view(key: str, number: int, run: Run, language: str) -> dict[str, Any]:
    """One racer: its training as far as it is; its score is None before the end, and where its task has no rule."""
    view = session_view(key, run, language)
    last = view["samples"][-1] if view["samples"] else {"step": 0, "answers": []}
    count = count_parameters(run.job.base, run.job.method, run.job.hyperparameters)
    asked = {"answers": last["answers"], "answered": last["step"], "score": None, "scored": 0}
    return asked | view | {"number": number, "parameters": count["trainable"]}


def outcome(racers: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """
    Who ended with the lowest held-out loss, to the three digits that are shown, who trained the fewest parameters, and who
    scored highest: numbers of racers, several where they are equal, none without scores. None before all have ended, and
    where fewer than two made all steps.
    """
    through = [one for one in racers if one["state"] == "finished" and one["held_out"]]
    if len(through) < LEAST or any(one["state"] not in ENDED for one in racers):
        return None
    losses = {one["number"]: float(f"{one['held_out'][-1][1]:.3g}") for one in through}
    fewest = min(one["parameters"] for one in through)
    scores = [one["score"] for one in through if one["score"] is not None]
    return {
        "best": [number for number, loss in losses.items() if loss == min(losses.values())],
        "fewest": [one["number"] for one in through if one["parameters"] == fewest],
        "highest": [one["number"] for one in through if scores and one["score"] == max(scores)],
    }


def racer_json(number: int, event: Any) -> dict[str, Any]:
    """One racer's event as the API gives it."""
    return {"racer": number, **event_json(event)}


def outcome_json(key: str, runs: Sequence[Run]) -> dict[str, Any]:
    """A race's last event: its table, and who ended with the lowest held-out loss."""
    view = race_view(key, runs, DEFAULT)
    rows = [
        {
            "racer": one["number"],
            "method": one["method"],
            "hyperparameters": one["hyperparameters"],
            "state": one["state"],
            "steps": one["step"],
            "trainable_parameters": one["parameters"],
            "held_out_loss": one["held_out"][-1][1] if one["held_out"] else None,
            "score": one["score"],
            "seconds": one.get("elapsed"),
            "answers": one["answers"],
            "adapter": one["adapter"]["id"] if one["adapter"] else None,
            "error": one["message"] or None,
        }
        for one in view["racers"]
    ]
    return finite({"event": "race", "racers": rows, "best": (view["outcome"] or {}).get("best", [])})  # type: ignore[no-any-return]
