"""What the base makes of a task is measured once, and what is shipped is what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from playground.adapt import tasks
from playground.adapt.tasks import TASK_IDS, Example, Task, encode
from playground.model.bases import Base
from playground.train import evaluation, looks, training
from playground.train.evaluation import held_out_loss, questions, sample_answers
from playground.train.job import Evaluation, Sample, TrainingJob
from playground.train.looks import Look
from playground.train.pauses import finished
from playground.train.training import train
from tests.conftest import walk

GetBase = Callable[[str], Base]


def task_of(word: str) -> Task:
    """One that no other test has measured."""
    return Task("own", *(tuple(Example(f"{word} {n}", f"{n}!") for n in some) for some in (range(8), range(8, 10))))


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 3)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that were looked at by reading."""
    seen: list[int] = []
    look = training._Run._held_out_loss

    def counted(run: Any) -> Any:
        seen.append(run.done)
        return look(run)

    monkeypatch.setattr(training._Run, "_held_out_loss", counted)
    return seen


def first_look(events: list[Any]) -> list[Any]:
    return [replace(event, left=0.0) for event in events if isinstance(event, Evaluation | Sample) and event.step == 0]


@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_what_starts_at_zero_begins_with_what_the_base_was_measured_to_do(
    tiny: Base, get_tiny: GetBase, read: list[int], method: str
) -> None:
    job = TrainingJob("tiny", method, task_of(method), steps=1)
    measured = first_look(list(train(job, get_tiny)))
    assert read == [0, 1]
    for other in ("lora", "ia3"):
        assert first_look(list(train(replace(job, method=other, seed=5), get_tiny))) == measured
    assert read == [0, 1, 1, 1]


@pytest.mark.parametrize("method", ["prompt_tuning", "full_fine_tuning"])
def test_what_may_begin_otherwise_is_measured_itself(tiny: Base, get_tiny: GetBase, read: list[int], method: str) -> None:
    looks.keep(tiny, task_of("itself"), Look(99.0, ("never said", "")))
    events = list(train(TrainingJob("tiny", method, task_of("itself"), steps=1), get_tiny))
    assert first_look(events)[0].held_out_loss != 99.0
    assert read == [0, 1]


def test_a_look_is_of_one_base_and_of_its_very_held_out_examples(tiny: Base) -> None:
    mine, look = task_of("mine"), Look(1.0, ("a", "b"))
    looks.keep(tiny, mine, look)
    assert looks.known(tiny, mine) == look
    assert looks.known(tiny, replace(mine, train=mine.train[:4])) == look, "the base has seen none of them"
    assert looks.known(tiny, replace(mine, held_out=mine.held_out[::-1])) is None
    assert looks.known(replace(tiny, id="other"), mine) is None


def test_what_is_shipped_is_of_the_embedded_base_and_of_the_ready_made_tasks_alone(
    tiny: Base, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 20)
    pirate = tasks.task("pirate")
    assert looks.known(base, pirate) is not None
    assert looks.known(tiny, pirate) is None
    assert looks.known(base, replace(pirate, held_out=pirate.held_out[1:])) is None
    assert looks.known(base, replace(pirate, id="own")) is None
    assert looks.known(replace(base, loaded_checksum="another"), pirate) is None
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 19)
    assert looks.known(base, pirate) is None


@pytest.mark.parametrize("task_id", walk(TASK_IDS, ["pirate"]))
def test_what_is_shipped_is_what_is_measured(base: Base, monkeypatch: pytest.MonkeyPatch, task_id: str) -> None:
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 20)
    task = tasks.task(task_id)
    shipped = looks.known(base, task)
    assert shipped is not None
    encoded = [encode(base.tokenizer, example) for example in task.held_out]
    assert held_out_loss(base.model, encoded, base.tokenizer.pad_token_id) == pytest.approx(shipped.held_out_loss, abs=1e-4)
    if task_id in ("pirate", "json"):
        assert tuple(finished(sample_answers(base.model, base, questions(task)))) == shipped.answers
