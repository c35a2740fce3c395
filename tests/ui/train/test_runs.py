"""The session's runs: what has ended is in the table, also after a reload and without its adapter, and in the file too."""

from __future__ import annotations

import csv
import io
import json
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.race import changes, start_race
from playground.actions.runs import COLUMNS, POINTS, runs_csv, runs_view, session_record, thinned
from playground.actions.scores import AFTER, ELSEWHERE, elsewhere_view, scoring_of
from playground.actions.train import start_training
from playground.adapt.tasks import OWN, Task
from playground.locales import significant
from playground.model.bases import Base
from playground.model.catalogue import BaseSpec, typed
from playground.settings import DEFAULT_BASE
from playground.train import scoring
from playground.ui.api import endpoints
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import runs, runs_html, scores
from playground.ui.train.elsewhere import Asked, Elsewhere
from playground.ui.train.scores import Learned
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 4)


@pytest.fixture(scope="module")
def tab() -> Any:
    """The table, and the card above it."""
    with gr.Blocks():
        state = {"key": gr.State(""), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        visit = Controls(Visit, state)
        return runs.build(Wording(), visit), scores.build(Wording(), visit, gr.State(""))


@pytest.fixture
def key(tiny: Base, loaded: Callable[[Base], Base]) -> Iterator[str]:
    """A visitor, whose work is stopped in the end."""
    loaded(tiny)
    key = uuid.uuid4().hex
    yield key
    SESSIONS.stop_all(key)


def over(run: Run | None) -> Run:
    assert run
    for _ in run.changes():
        pass
    return run


def read(key: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(runs_csv(key))))


def test_trainings_and_racers_are_in_it_and_the_file_holds_what_is_shown(key: str, tab: Any, small_task: Task) -> None:
    visit, (table, _) = Visit(key, "es", "tiny"), tab
    assert table.show(visit)[table.card]["visible"] is False
    over(start_training(key, "tiny", "lora", small_task, {"rank": 2, "learning_rate": 0.001}, steps=3, seed=7, scored=True))
    over(scoring_of(key, AFTER))
    for _ in changes(start_race(key, "tiny", small_task, ["ia3", "lora"], steps=2)):
        pass
    (group,) = runs_view(key)
    alone, *raced = group["rows"]
    assert [one["number"] for one in group["rows"]] == [1, 2, 3]
    assert (alone["settings"], alone["steps"], alone["seed"]) == ({"rank": 2, "learning_rate": 0.001}, 3, 7)
    assert [one["method"] for one in group["references"]] == ["base", "few_shot"]
    assert all(one["score"] is not None and one["questions"] == 2 for one in (alone, *raced, *group["references"]))

    *references, first, second, third = read(key)
    assert [one["method"] for one in references] == ["base", "few_shot"]
    for row, one in zip((first, second, third), group["rows"], strict=True):
        assert tuple(row) == COLUMNS
        assert json.loads(row["settings"]) == one["settings"]
        assert float(row["held_out_loss"]) == one["held_out_loss"]
        assert (float(row["score"]), float(row["seconds"])) == (one["score"], one["seconds"])
        names = ("parameters", "steps", "planned_steps", "seed", "right", "questions")
        assert [int(row[name]) for name in names] == [one[name] for name in names]
    drawn = Page(table.show(visit)[table.result])
    assert b64decode(drawn.attributes("href")[0].partition("base64,")[2]).decode() == runs_csv(key)
    assert drawn.attributes("download") == ["peft-playground-runs.csv"]
    for one in (*group["rows"], *group["references"]):
        assert significant("es", one["held_out_loss"], 3) in drawn.text

    before = drawn.text
    SESSIONS.get(key).library.remove(alone["adapter"])
    after = Page(table.show(visit)[table.result]).text  # as after a reload: nothing of it is in the page
    assert after.replace("su adaptador ya no está", "") == before
    assert [bool(one["adapter"]) for one in read(key)] == [False, False, False, True, True]


def test_tasks_that_cannot_be_held_side_by_side_stand_apart_and_the_oldest_go(
    key: str, small_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playground.settings.MAX_SESSION_RUNS", 2)
    own = Task(OWN, small_task.train, small_task.held_out)
    for task in (small_task, own, small_task):
        over(start_training(key, "tiny", "ia3", task, {}, steps=1))
    assert [(one["task"], [row["number"] for row in one["rows"]]) for one in runs_view(key)] == [("pirate", [3]), (OWN, [2])]


def test_a_run_that_was_stopped_before_a_step_is_none(key: str, small_task: Task) -> None:
    run = start_training(key, "tiny", "ia3", small_task, {}, steps=300)
    run.stop()
    over(run)
    assert [row["steps"] > 0 for one in runs_view(key) for row in one["rows"]] in ([], [True])


def test_a_curve_is_kept_with_its_last_point_and_few_others() -> None:
    points = [(step, 1.0 / step) for step in range(1, 301)]
    kept = thinned(points)
    assert len(kept) <= POINTS
    assert kept[-1] == points[-1]
    assert set(kept) <= set(points)
    assert thinned(points[:5]) == tuple(points[:5])


def test_the_card_shows_the_scoring_of_its_adapter_and_offers_what_was_not_scored(
    key: str, tab: Any, small_task: Task
) -> None:
    _, card = tab
    adapter = over(start_training(key, "tiny", "ia3", small_task, {}, steps=1)).events[-1].adapter.id
    learned = Learned(key, "en", "tiny", adapter=adapter)
    assert next(card.show(Learned(key, "en", "tiny", adapter="")))[card.card]["visible"] is False
    (offered,) = card.show(learned)
    assert offered[card.go]["visible"]
    *_, asked = card.start(learned)
    assert (asked[card.go]["visible"], asked[card.stop]["visible"]) == (False, False)
    *_, again = card.show(Learned(key, "en", "tiny", adapter=f"{adapter}@1"))  # after a reload, at a checkpoint
    assert again == asked
    assert "fully right" in Page(again[card.result]).text
    assert Page(again[card.result]).text.count("on a neutral text the loss") == 1  # of the adapter, not of the references
    folded = Elsewhere(gr.Dropdown(), gr.HTML())
    asked_there = Asked(key, "en", "tiny", adapter=adapter, task=None)
    offered = folded.offer(asked_there)[folded.task]
    assert "pirate" not in [one for _, one in offered["choices"]]
    assert list(folded.show(asked_there)) == [{folded.result: ""}]
    *_, told = folded.start(replace(asked_there, task=offered["value"]))
    assert [one["id"] for one in elsewhere_view(key, over(scoring_of(key, ELSEWHERE)), "en")["rows"]] == ["base", adapter]
    assert "On this other task the adapter moved the score by 0 points: inside the noise" in Page(told[folded.result]).text
    *_, again = folded.show(asked_there)  # after a reload
    assert again == told


def test_programs_ask_for_the_score_and_hear_it_after_the_adapter(
    key: str, small_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "key_of", lambda request: key)
    monkeypatch.setattr("playground.adapt.tasks.task", lambda task_id: small_task)
    request: Any = None
    told: Any = list(endpoints.train("tiny", "ia3", "pirate", request, steps=1, score=True))
    names = [one["event"] for one in told]
    assert names[names.index("finished") :] == ["finished", "score", "score", "score"]
    assert [one["pane"] for one in told[-3:]] == ["base", "few_shot", told[-4]["adapter"]["id"]]
    assert set(told[-1]["examples"][0]) == {"prompt", "expected", "answer", "score"}
    json.dumps(told, allow_nan=False)
    last: Any = list(endpoints.train("tiny", "ia3", "pirate", request, steps=1))[-1]
    assert last["event"] == "finished"


def group(**changed: Any) -> dict[str, Any]:
    rows = [
        {"number": n, "method": "lora", "hyperparameters": {}, "settings": {}, "seed": 0, "planned_steps": 9, "steps": n,
         "state": state, "parameters": 9, "seconds": 1.5, "losses": [(1, 4.0)], "held_out": [(0, 4.0), (n, 2.0)],
         "here": False, "held_out_loss": 2.0 + n, "score": 0.5, "right": 1, "questions": 2, "adapter": "",
         "forgetting": 0.24, **changed}
        for n, state in enumerate(["finished", "stopped", "diverged"] * 3, start=1)
    ]  # fmt: skip
    reference = {"method": "base", "held_out_loss": 4.0, "score": 0.0, "right": 0, "questions": 2}
    return {"base": DEFAULT_BASE, "task": "pirate", "rule": "pirate", "rows": rows, "references": [reference]}


def test_many_runs_of_one_method_are_drawn_and_said_in_both_languages() -> None:
    assert_laws(lambda language: [runs_html.drawn([group(), group(method="few_shot", losses=[])], "a,b", language)])


@both_languages
def test_hostile_text_is_shown_as_text_and_never_obeyed(language: Any) -> None:
    def place(evil: str, language: str) -> str:
        values = {"initialization_text": evil}
        return runs_html.standings(group(method="prompt_tuning", hyperparameters=values), language)

    assert_shown_as_text(place, language)


def test_a_session_s_record_names_its_bases_and_adapters_in_words(key: str, small_task: Task) -> None:
    spec = BaseSpec("folder-0123456789", "tiny-llama", "local", "/models/tiny-llama", None)
    over(start_training(key, "tiny", "ia3", small_task, {}, steps=1))
    one = next(iter(SESSIONS.get(key).library.own()))
    SESSIONS.add(key, replace(one, id="of-a-folder", record=replace(one.record, base=spec.id), name=""))
    kept = typed(spec)
    first, last = session_record(key)["adapters"]
    assert (first["base_name"], first["name"]) == (kept.name, "ia3 pirate 2")
    assert last["name"] == "ia3 pirate 1"
    assert [(one["base"], one["base_name"]) for one in session_record(key)["runs"]] == [("tiny", "Tiny")]
