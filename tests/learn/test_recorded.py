"""Recorded trainings: each is what its recipe asks for, whole and small, and some lesson replays it."""

from __future__ import annotations

import importlib.util
import json
import sys
from functools import cache
from typing import Any

import pytest

from playground import settings
from playground.adapt.methods import METHODS
from playground.adapt.tasks import task
from playground.learn.lessons import lesson
from playground.learn.recorded import FOLDER, recorded_run
from playground.learn.route import LESSONS
from playground.locales import LANGUAGES
from playground.model.catalogue import CATALOGUE

SMALL = 60_000  # bytes
RUNS = sorted(path.stem for path in FOLDER.iterdir())
every_run = pytest.mark.parametrize("run_id", RUNS)


@cache
def recorder() -> Any:
    """examples/record.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("record", settings.EXAMPLES / "record.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["record"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_every_run_of_a_lesson_is_there_and_every_one_that_is_there_is_replayed() -> None:
    named = [list(lesson(one, language).runs) for one in LESSONS for language in LANGUAGES]
    assert named[::2] == named[1::2]
    assert {run for runs in named for run in runs} == set(RUNS) == {recipe.id for recipe in recorder().RUNS}


@every_run
def test_it_is_what_its_recipe_asks_for(run_id: str) -> None:
    run = recorded_run(run_id)
    (recipe,) = [one for one in recorder().RUNS if one.id == run_id]
    job = recorder().job_of(recipe)
    asked = (job.base, job.method, job.task.id, job.hyperparameters, job.steps, job.seed)
    assert (run.base, run.method, run.task, run.hyperparameters, run.steps, run.seed) == asked
    architecture = CATALOGUE[run.base].architecture
    assert architecture is not None
    assert run.trainable_parameters == METHODS[run.method].trainable(architecture, run.hyperparameters)
    assert set(run.versions) == {"torch", "transformers", "peft", "bitsandbytes"}
    assert run.hardware
    assert run.seconds > 0


@every_run
def test_every_step_and_every_look_is_in_it(run_id: str) -> None:
    run = recorded_run(run_id)
    assert [step for step, _ in run.losses] == list(range(1, run.ended + 1))
    expected = [step for step in recorder().CLOSELY.looks(run.steps) if step < run.ended or run.state == "finished"]
    assert [look.step for look in run.looks][: len(expected)] == expected
    assert [one["step"] for one in run.samples] == [step for step, _ in run.held_out]
    prompts = {example.prompt for example in task(run.task).held_out}
    assert set(run.questions) <= prompts
    assert all(len(look.answers) == len(run.questions) for look in run.looks)
    assert (FOLDER / f"{run_id}.json").stat().st_size < SMALL


@every_run
def test_it_ends_as_it_says(run_id: str) -> None:
    """One that finished has learned; one that diverged ends far above where it began."""
    run = recorded_run(run_id)
    first, last = run.looks[0], run.looks[-1]
    if run.state == "finished":
        assert run.ended == run.steps
        assert last.held_out < first.held_out
    else:
        assert run.state == "diverged"
        assert run.ended < run.steps
        assert [loss for _, loss in run.losses][-1] is None or run.losses[-1][1] > first.held_out + 1


def test_what_starts_as_the_base_begins_with_its_answers() -> None:
    """And those with the same task begin alike."""
    looked = json.loads((settings.EXAMPLES / "looks.json").read_text(encoding="utf-8"))["tasks"]
    for run in map(recorded_run, RUNS):
        if run.method in ("lora", "ia3"):
            first = run.looks[0]
            assert first.held_out == pytest.approx(looked[run.task]["held_out_loss"], abs=1e-4)
            assert list(first.answers) == looked[run.task]["answers"]
