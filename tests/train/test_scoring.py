"""What a variant is worth is the task's own rule and the loss on its held-out examples, however it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from playground.actions.race import changes, start_race
from playground.actions.scores import (
    AFTER,
    PANES,
    held_out_of,
    score_adapter,
    score_view,
    scoring_of,
    start_scoring,
    with_references,
)  # fmt: skip
from playground.actions.train import event_json, start_training
from playground.adapt import tasks
from playground.adapt.tasks import OWN, TASK_IDS, Example, Task
from playground.adapt.variant import BASE, Variant
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.memory import STORE
from playground.train import looks, scoring
from playground.train.evaluation import EvaluateJob, evaluate, questions
from playground.train.few_shot import reference
from playground.train.job import TrainingJob
from playground.train.scoring import Scored, ScoreJob, Unscored, known, recorded, score
from playground.train.training import train
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

GetBase = Callable[[str], Base]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 12)


def task_of(word: str, task_id: str = "pirate") -> Task:
    """One that no other test has scored."""
    some = [Example(f"{word} {n}", f"arrr {n}!") for n in range(12)]
    return Task(task_id, tuple(some[:8]), tuple(some[8:]))


def over(run: Run | None) -> dict[str, Scored | Unscored]:
    """What a scoring has found, by pane, once it has ended."""
    assert run
    for _ in run.changes():
        pass
    return {event.pane: event for event in run.events}


def test_a_score_is_what_the_evaluation_says_of_each_and_the_loss_is_the_training_s(
    key: str, here: Base, get_tiny: GetBase
) -> None:
    task = task_of("each")
    run = start_training(key, "tiny", "ia3", task, {}, steps=2, scored=True)
    for _ in run.changes():
        pass
    found, adapter = over(scoring_of(key, AFTER)), SESSIONS.get(key).library.own()[0]
    assert list(found) == [BASE, "few_shot", adapter.id]
    *_, shot = train(TrainingJob("tiny", "few_shot", task), get_tiny)
    for one, same in ((BASE, None), ("few_shot", shot.adapter), (adapter.id, adapter)):
        *scores, report = evaluate(EvaluateJob("tiny", same, task, scoring.TOKENS), get_tiny)
        event: Any = found[one]
        assert [(each.prompt, each.answer, each.score) for each in event.examples] == [
            (each.prompt, each.answer, each.score) for each in scores
        ]
        assert event.score == report.mean
        assert event.held_out_loss == pytest.approx(report.held_out_loss, abs=1e-4)
    told = [event.held_out_loss for event in run.events if event.event == "evaluation"]
    assert found[adapter.id].held_out_loss == told[-1]


def test_it_equals_what_the_race_says_of_the_same_run(key: str, here: Base) -> None:
    runs = start_race(key, "tiny", task_of("race"), ["ia3", "lora"], steps=2)
    for _ in changes(runs):
        pass
    for run in runs:
        (raced,) = [event for event in run.events if event.event == "score"]
        adapter = run.events[-1].adapter.id
        STORE.forget(raced)  # it would be read again
        mine: Any = over(score_adapter(key, adapter, run.job.task))[adapter]
        assert mine.forgetting
        assert replace(mine, forgetting=None) == raced


def test_trained_is_said_before_it_is_scored_and_a_new_training_stops_that(key: str, here: Base) -> None:
    first = start_training(key, "tiny", "ia3", task_of("first"), {}, steps=1, scored=True)
    for _ in first.changes():
        pass
    scored = scoring_of(key, AFTER)
    assert scored is not None
    assert first.events[-1].event == "finished"
    start_training(key, "tiny", "ia3", task_of("first"), {}, steps=1)
    over(scored)
    assert scored.state in ("stopped", "finished")  # whichever came first


def test_what_was_scored_before_a_stop_stays(here: Base, get_tiny: GetBase) -> None:
    task, found = task_of("stop"), list[Any]()
    job = ScoreJob(task, (Variant("tiny"), Variant("tiny", reference("tiny", here.architecture, task))))
    found.extend(event for event in score(job, get_tiny, found.__len__) if event)  # stopped once there is one
    assert [one.pane for one in found] == [BASE]


def test_panes_are_scored_side_by_side_and_what_cannot_be_read_says_why(key: str, here: Base) -> None:
    long = Task("pirate", (Example("x" * 300, "y" * 300),) * 8, task_of("long").held_out)
    found = over(start_scoring(key, "tiny", long, with_references(["base:int8", BASE]), PANES))
    assert list(found) == [BASE, "few_shot", "base:int8"]  # first what may be known
    assert found["few_shot"].event == "unscored"
    view = score_view(key, SESSIONS.get(key).runs[PANES], "es")
    assert [one["id"] for one in view["rows"]] == ["base:int8", BASE, "few_shot"]
    assert "ejemplos" in view["rows"][2]["message"]
    told: Any = found["few_shot"]
    assert event_json(told)["error"]


def test_own_examples_have_a_loss_and_no_score(key: str, here: Base) -> None:
    own = task_of("mine", OWN)
    run = start_training(key, "tiny", "lora", own, {}, steps=1)
    for _ in run.changes():
        pass
    adapter = run.events[-1].adapter.id
    for one in over(start_scoring(key, "tiny", OWN, [BASE, adapter], PANES)).values():
        assert isinstance(one, Scored)
        assert (one.score, one.examples) == (None, ())
        assert one.held_out_loss is not None


@pytest.mark.parametrize(
    ("task", "panes", "why"),
    [
        ("magic", [BASE], "unknown_task"),
        (OWN, [BASE], "no_own_examples"),
        ("pirate", [], "no_panes"),
        ("pirate", ["nobody"], "unknown_adapter"),
        ("pirate", ["pirate-lora"], "other_base"),
    ],
)
def test_what_cannot_be_scored_is_refused_at_once(key: str, here: Base, task: str, panes: list[str], why: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        start_scoring(key, "tiny", task, panes, PANES)
    assert refused.value.key == why
    assert not SESSIONS.get(key).runs


def test_base_and_few_shot_are_measured_once_and_read_again_where_they_are_shipped(
    tiny: Base, get_tiny: GetBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 3)
    pirate = tasks.task("pirate")
    variants = (Variant("tiny"), Variant("tiny", reference("tiny", tiny.architecture, pirate)))
    made = {one.method: recorded(tiny, one, pirate) for one in variants}
    assert [known(tiny, one, pirate) for one in variants] == [None, None]
    fresh = list(filter(None, score(ScoreJob(pirate, variants), get_tiny)))
    assert [known(tiny, one, pirate) for one in variants] == fresh  # once
    STORE.forget(fresh[0])
    STORE.forget(fresh[1])
    shipped = {"checksum": tiny.loaded_checksum, "tokens": 3, "tasks": {"pirate": made}}
    monkeypatch.setattr(scoring, "_recorded", lambda: shipped)
    assert [known(tiny, one, pirate) for one in variants] == fresh
    one, other = (Task("pirate", pirate.train[4:], pirate.held_out), Task("pirate", pirate.train, pirate.held_out[1:]))
    assert known(tiny, Variant("tiny", reference("tiny", tiny.architecture, one)), pirate) is None  # other examples
    assert known(tiny, variants[0], other) is None


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_what_is_shipped_agrees_with_what_the_base_was_seen_to_do(base: Base, monkeypatch: Any, task_id: str) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 64)
    monkeypatch.setattr("playground.train.evaluation.SAMPLE_TOKENS", 20)
    task = tasks.task(task_id)
    plain = known(base, Variant(base.id), task)
    look = looks.known(base, task)
    assert plain is not None
    assert look is not None
    assert plain.held_out_loss == pytest.approx(look.held_out_loss, abs=1e-4)
    assert [one.prompt for one in plain.examples[:2]] == questions(task)
    assert all(one.answer.startswith(said) for one, said in zip(plain.examples, look.answers, strict=False))
    shot = known(base, Variant(base.id, reference(base.id, base.architecture, task)), task)
    assert shot is not None
    assert shot.questions == plain.questions == len(task.held_out)


def test_a_held_out_question_names_its_task() -> None:
    assert held_out_of(" " + tasks.task("json").held_out[3].prompt) == "json"
    assert held_out_of(tasks.task("json").train[0].prompt) == held_out_of("") == ""
