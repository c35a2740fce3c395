"""A race: racers learn what they would learn alone, what is no race is refused, and the outcome is what was measured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.actions.lanes import TRAIN
from playground.actions.race import (
    TRAINED,
    USUAL,
    changes,
    outcome,
    outcome_json,
    race_of,
    race_view,
    start_race,
    stop_race,
)  # fmt: skip
from playground.actions.train import start_training
from playground.adapt.tasks import OWN, SCORES, Task
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.settings import MAX_SESSION_JOBS
from playground.train.evaluation import answers, questions
from playground.train.scoring import TOKENS
from playground.train.training import train
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.conftest import model_of

RACERS: list[Any] = ["prompt_tuning", "ia3", {"method": "lora", "hyperparameters": {"rank": 2, "dropout": 0.1}}]


def over(runs: list[Run]) -> list[Run]:
    """The same once all have ended."""
    for _ in changes(runs):
        pass
    return runs


def told(run: Run, kind: str) -> list[Any]:
    return [event for event in run.events if event.event == kind]


def test_racers_learn_what_they_would_learn_alone(key: str, here: Base, small_task: Task) -> None:
    runs = over(start_race(key, "tiny", small_task, RACERS, steps=4, seed=5))
    assert [run.job.method for run in runs] == ["prompt_tuning", "ia3", "lora"]
    for run in runs:
        *alone, last = [event for event in train(run.job, lambda base_id: here) if event.event != "working"]
        for kind, value in (("step", "loss"), ("evaluation", "held_out_loss")):
            expected = [getattr(event, value) for event in alone if event.event == kind]
            assert [getattr(event, value) for event in told(run, kind)] == pytest.approx(expected, abs=1e-4)
        assert run.events[-1].event == last.event == "finished"


def test_all_of_them_move_together_and_all_are_kept(key: str, here: Base, small_task: Task) -> None:
    runs = start_race(key, "tiny", small_task, RACERS, steps=300)
    assert race_of(key) == runs
    next(None for _ in changes(runs) if all(told(run, "step") for run in runs))
    assert not any(run.ended for run in runs)  # each has made steps before one was through
    stop_race(key)
    kept = {run.events[-1].adapter.id for run in over(runs)}
    assert {adapter.id for adapter in SESSIONS.get(key).library.own()} == kept
    assert len(kept) == 3


def test_the_score_is_the_task_s_own_rule_on_what_the_adapter_answers(key: str, here: Base, small_task: Task) -> None:
    run = over(start_race(key, "tiny", small_task, ["ia3", "lora"], steps=2))[0]
    adapter = SESSIONS.get(key).library.get(run.events[-1].adapter.id)
    prompts = [here.tokenizer.apply_chat_template([{"role": "user", "content": one.prompt}], add_generation_prompt=True,
                                                  return_dict=True)["input_ids"] for one in small_task.held_out]  # fmt: skip
    said = answers(model_of(here, adapter), here, prompts, TOKENS)
    (score,) = told(run, "score")
    own = [SCORES["pirate"](example, answer) for example, answer in zip(small_task.held_out, said, strict=True)]
    assert (score.score, score.questions) == (sum(own) / len(own), len(own))
    assert told(run, "answers")[-1].answers == tuple(said[: len(questions(small_task))])
    lengths = [sum(map(len, event.answers)) for event in told(run, "answers")]
    assert lengths == sorted(lengths)  # they grow


def test_own_examples_have_no_rule_and_no_score(key: str, here: Base, small_task: Task) -> None:
    own = Task(OWN, small_task.train, small_task.held_out)
    runs = over(start_race(key, "tiny", own, ["ia3", "lora"], steps=1))
    assert not any(told(run, "score") for run in runs)
    assert all(told(run, "answers") for run in runs)
    assert [one["score"] for one in race_view(key, runs, "en")["racers"]] == [None, None]


@pytest.mark.parametrize(
    ("racers", "key_of_it"),
    [
        (["lora"], "race_count"),
        (["lora"] * 7, "race_count"),
        (["lora", "magic"], "unknown_method"),
        (["lora", "few_shot"], "race_untrained"),
        (["lora", {"method": "lora", "hyperparameters": {"rank": 8}}], "race_twice"),  # 8 is the default
        (["lora", 3], "racer_unreadable"),
        (["lora", {"rank": 3}], "racer_unreadable"),
        (["lora", {"method": "lora", "settings": {"rank": 4}}], "racer_unreadable"),
        (["lora", {"method": "lora", "hyperparameters": [4]}], "racer_unreadable"),
        (["lora", {"method": "lora", "hyperparameters": {"rank": 1000}}], "out_of_range"),
    ],
    ids=str,
)
def test_what_is_no_race_is_refused_and_nothing_has_begun(
    key: str, here: Base, small_task: Task, racers: list[Any], key_of_it: str
) -> None:
    with pytest.raises(PlaygroundError) as refused:
        start_race(key, "tiny", small_task, racers, steps=1)
    assert refused.value.key == key_of_it
    assert not SESSIONS.get(key).runs


def test_a_second_race_and_a_training_are_refused_meanwhile_and_stop_ends_all(
    key: str, here: Base, small_task: Task
) -> None:
    runs = start_race(key, "tiny", small_task, USUAL, steps=300)
    for again in (
        lambda: start_race(key, "tiny", small_task, USUAL),
        lambda: start_training(key, "tiny", "lora", small_task, {}),
    ):
        with pytest.raises(PlaygroundError) as refused:
            again()
        assert refused.value.key == "already_training"
    assert race_of(key) == runs
    stop_race(key)
    assert [run.state for run in over(runs)] == ["stopped"] * 3
    assert race_view(key, runs, "en")["outcome"] is None
    assert over(start_race(key, "tiny", small_task, ["ia3", "lora"], steps=1)) == race_of(key)  # the former make way


def test_a_training_that_runs_refuses_a_race(key: str, here: Base, small_task: Task) -> None:
    run = start_training(key, "tiny", "lora", small_task, {}, steps=300)
    with pytest.raises(PlaygroundError) as refused:
        start_race(key, "tiny", small_task, USUAL)
    assert refused.value.key == "already_training"
    assert SESSIONS.get(key).runs == {TRAIN: run}


def test_a_race_begins_whole_or_not_at_all_and_leaves_the_former_one(
    key: str, here: Base, small_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = over(start_race(key, "tiny", small_task, ["ia3", "lora"], steps=1))
    monkeypatch.setattr("playground.settings.MAX_SESSION_JOBS", 2)
    assert MAX_SESSION_JOBS >= 6  # a whole race has room
    with pytest.raises(PlaygroundError) as refused:
        start_race(key, "tiny", small_task, USUAL, steps=1)
    assert refused.value.key == "too_many_jobs"
    assert race_of(key) == former
    monkeypatch.setattr("playground.settings.MAX_SESSION_BYTES", 1000)
    with pytest.raises(PlaygroundError) as refused:
        start_race(key, "tiny", small_task, ["ia3", "lora"], steps=1)
    assert refused.value.key == "adapter_too_large"
    assert race_of(key) == former


def test_a_race_in_json_has_a_row_for_each_racer(key: str, here: Base, small_task: Task) -> None:
    runs = over(start_race(key, "tiny", small_task, RACERS, steps=2))
    made = outcome_json(key, runs)
    json.dumps(made, allow_nan=False)
    for run, row in zip(runs, made["racers"], strict=True):
        assert row["trainable_parameters"] == told(run, "started")[0].trainable_parameters
        assert row["held_out_loss"] == told(run, "evaluation")[-1].held_out_loss
        assert row["adapter"] == run.events[-1].adapter.id
        assert row["seconds"] == run.events[-1].seconds
    losses = {row["racer"]: row["held_out_loss"] for row in made["racers"]}
    assert min(losses, key=losses.__getitem__) in made["best"]


def racer(number: int, loss: float, parameters: int, state: str = "finished", score: float | None = None) -> dict[str, Any]:
    held_out = [(0, 4.0), (9, loss)]
    return {"number": number, "state": state, "held_out": held_out, "parameters": parameters, "score": score}


def test_who_is_best_is_who_is_shown_to_be() -> None:
    tied = outcome([racer(1, 1.2341, 10, score=0.5), racer(2, 1.2339, 20, score=0.75), racer(3, 1.3, 10, score=0.75)])
    assert tied == {"best": [1, 2], "fewest": [1, 3], "highest": [2, 3]}
    assert outcome([racer(1, 1.0, 10), racer(2, 0.5, 20, "stopped")]) is None
    exploded = outcome([racer(1, 1.0, 10), racer(2, 0.9, 5), racer(3, 0.5, 20, "diverged")])
    assert exploded == {"best": [2], "fewest": [2], "highest": []}
    assert outcome([racer(1, 1.0, 10), racer(2, 0.5, 20, "running")]) is None


def test_whatever_is_trained_can_race() -> None:
    assert set(USUAL) < set(TRAINED)
    assert "few_shot" not in TRAINED
