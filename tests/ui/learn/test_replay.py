"""A recorded training in a lesson: labelled, whole, and the way to the same one here."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from playground.learn.lessons import lesson
from playground.learn.recorded import recorded_run
from playground.learn.route import LESSONS
from playground.locales import machine, seconds, significant, text
from playground.ui.kit.recipes import SEED
from playground.ui.learn import replay
from playground.ui.train import linked
from tests.ui.drawn import Page, both_languages

REPLAYING = [one for one in LESSONS if lesson(one, "en").runs]


def sections(page: Page) -> list[dict[str, Any]]:
    return [attributes for _, attributes in page.elements if "data-replay" in attributes]


@both_languages
@pytest.mark.parametrize("lesson_id", REPLAYING)
def test_every_look_is_in_the_page_and_the_last_one_is_seen(lesson_id: str, language: str) -> None:
    one = lesson(lesson_id, language)
    page = Page(replay.replays(one, 0))
    found = sections(page)
    assert [each["data-replay"] for each in found] == list(one.runs)
    assert ["hidden" in each for each in found] == [place > 0 for place in range(len(found))]
    ranges = [attributes for tag, attributes in page.elements if tag == "input"]
    for each, field in zip(found, ranges, strict=True):
        run, looks = recorded_run(each["data-replay"]), json.loads(each["data-looks"])
        assert (field["type"], field["value"], field["max"]) == ("range", str(len(looks) - 1), str(len(looks) - 1))
        assert field["aria-valuetext"] == looks[-1]["said"][0]
        for look, shown in zip(run.looks, looks, strict=True):
            step, losses, *answers = shown["said"]
            assert step == text(language, "status.step", step=look.step, steps=run.steps)
            assert significant(language, look.held_out, 3) in losses
            assert answers == list(look.answers)
            assert shown["x"] == f"{100 * look.step / run.steps:.2f}%"
    assert page.attributes("x1").count("100.00%") >= 1 or "diverged" in {recorded_run(run).state for run in one.runs}


@both_languages
def test_it_says_where_it_was_recorded_how_long_it_took_and_what_waits_here(language: str) -> None:
    run = recorded_run("pirate-lora")
    at = {"machine": machine(language, run.hardware), "time": seconds(language, run.seconds), "seed": run.seed}
    for busy, key in ((0, "replay.busy.none"), (1, "replay.busy.one"), (3, "replay.busy")):
        said = Page(replay.replay(run, True, busy, language)).texts["pp-ways"]
        assert text(language, "replay.recorded", **at) in said
        assert text(language, key, count=busy) in said


def test_run_it_here_asks_for_the_whole_recipe() -> None:
    for run in (recorded_run(one) for each in REPLAYING for one in lesson(each, "en").runs):
        (address,) = Page(replay.replay(run, True, 0, "es")).attributes("href")
        query = dict(parse_qsl(address.removeprefix("?")))
        assert (query["lang"], query["tab"]) == ("es", "train")
        recipe = {"method": run.method, "task": run.task, "steps": run.steps, SEED: run.seed, **run.hyperparameters}
        assert linked.read(query) == {name: value for name, value in recipe.items() if value != ""}


def test_several_can_be_chosen_and_one_alone_has_no_choice() -> None:
    assert Page(replay.replays(lesson("start", "en"), 0)).attributes("data-run") == []
    page = Page(replay.replays(lesson("explosion", "en"), 0))
    assert page.attributes("aria-pressed") == ["true", "false"]
    assert text("en", "replay.diverged") in page.texts["pp-run-chips"]


def test_a_lesson_without_a_training_has_no_replay() -> None:
    assert replay.replays(lesson("sums", "en"), 0) == ""
