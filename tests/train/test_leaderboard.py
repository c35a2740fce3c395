"""The study: a run's numbers are PEFT's, the race's and the page's own; a killed one goes on; what is shipped is whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

from playground.actions import leaderboard as actions
from playground.actions.catalogue import count_parameters
from playground.actions.leaderboard import own_runs
from playground.actions.race import changes, start_race
from playground.adapt import tasks
from playground.adapt.adapters import WEIGHTS, save
from playground.adapt.methods import FRONT, METHODS
from playground.model.bases import Base
from playground.model.neutral import text_windows
from playground.train import leaderboard, looks, scoring
from playground.train.board_tables import front_table, whole_table
from playground.train.forgetting import neutral_loss
from playground.train.job import TrainingJob
from playground.train.leaderboard import row_of, study, timed, trained
from playground.train.standings import FILE, SEEDS, Cell, cells, paces, read, read_paces, recipe, standings
from playground.work.sessions import SESSIONS
from tests.conftest import model_of

ROOT = FILE.parent.parent
TASK = "sentiment"
GetBase = Callable[[str], Base]


def test_a_killed_study_goes_on_where_it_was_and_begins_again_with_other_recipes(
    tiny: Base, get_tiny: GetBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaderboard, "TOKENS", 1)
    wanted, file = [Cell(TASK, "base", 0), Cell(TASK, "ia3", 1)], tmp_path / "board.json"
    killed = study(file, tiny, get_tiny, wanted)
    first = next(killed)
    killed.close()  # type: ignore[attr-defined]  # a generator
    assert read(file) == [first]
    (rest,) = study(file, tiny, get_tiny, wanted)
    assert read(file) == [first, rest]
    assert [first.cell, rest.cell] == wanted
    assert [first.cpu_seconds > 0, rest.cpu_seconds > 0] == [False, True]  # only what makes steps
    monkeypatch.setattr(leaderboard, "TOKENS", 2)
    assert next(study(file, tiny, get_tiny, wanted)).cell == first.cell


def test_a_row_is_scored_as_the_race_scores_the_same_run_and_that_is_shown_beside_it(
    tiny: Base, get_tiny: GetBase, loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "leaderboard"
    monkeypatch.setattr(actions, "recorded", lambda: ({"base": "tiny"}, []))
    run = start_race(key, loaded(tiny).id, TASK, ["ia3", "lora"], steps=1)[0]
    for _ in changes([run]):
        pass
    told = {event.event: event for event in run.events if event}
    adapter = SESSIONS.get(key).library.get(told["finished"].adapter.id)
    row = row_of(Cell(TASK, "ia3", 0), adapter, 0.0, "tiny", get_tiny, scoring.TOKENS)
    (own, *_) = own_runs(key, TASK)
    assert (own["id"], own["score"], own["questions"]) == (adapter.id, told["score"].score, told["score"].questions)
    assert own_runs(key, "pirate") == own_runs("somebody else", TASK) == []
    monkeypatch.setattr(actions, "recorded", lambda: ({"base": "smollm2-135m"}, []))
    assert own_runs(key, TASK) == []  # those are another base's
    SESSIONS.stop_all(key)
    assert fmean(row.scores[: told["score"].questions]) == told["score"].score
    assert list(row.answers[:2]) == list(told["answers"].answers)
    assert row.held_out_loss == pytest.approx(told["evaluation"].held_out_loss, abs=1e-4)
    assert row.parameters == count_parameters("tiny", "ia3", {})["trainable"]


def test_the_neutral_text_is_read_behind_the_prompt_as_peft_reads_it(tiny: Base, get_tiny: GetBase, tmp_path: Path) -> None:
    job = TrainingJob("tiny", "prompt_tuning", tasks.task(TASK), {"virtual_tokens": 3}, steps=1)
    adapter, _ = trained(job, get_tiny)
    for model in (tiny.model, model_of(tiny, adapter)):
        total, count = 0.0, 0
        for window in text_windows(tiny):
            labels = window.clone()
            labels[0] = -100
            with torch.no_grad():
                loss = float(model(input_ids=window[None], labels=labels[None]).loss)
            total, count = total + loss * (len(window) - 1), count + len(window) - 1
        assert neutral_loss(model, tiny) == pytest.approx(total / count, rel=1e-5)
    shots = tasks.task(TASK).train[:2]
    assert neutral_loss(tiny.model, tiny, shots) != neutral_loss(tiny.model, tiny)
    save(adapter, tmp_path / "adapter")
    assert leaderboard.file_bytes(adapter) == (tmp_path / "adapter" / WEIGHTS).stat().st_size


# What is shipped

ABOUT = json.loads(FILE.read_text(encoding="utf-8"))
ROWS = read(FILE)


def test_what_is_shipped_was_measured_with_today_s_recipes_on_the_embedded_base() -> None:
    """Where it was not: `make leaderboard`."""
    assert all(row.recipe == recipe(row.cell) for row in ROWS)
    assert ABOUT["checksum"] == json.loads(looks.FILE.read_text(encoding="utf-8"))["checksum"]
    assert ABOUT["tokens"] == leaderboard.TOKENS


def test_what_is_shipped_is_whole_method_by_method() -> None:
    there = {(row.task, row.method) for row in ROWS}
    assert {method for _, method in there} >= {"base", "lora", "full_fine_tuning"}
    assert [row.cell for row in ROWS] == [cell for cell in cells() if (cell.task, cell.method) in there]
    assert {row.seed for row in ROWS if row.method == "lora"} == set(SEEDS)


def test_its_counts_are_those_that_are_known_before_training() -> None:
    plain = {row.task: row for row in ROWS if row.method == "base"}
    for row in ROWS:
        base = plain[row.task]
        chosen = row.recipe.get("hyperparameters", {})
        expected = count_parameters(ABOUT["base"], row.method, chosen)["trainable"] if row.method != "base" else 0
        assert row.parameters == expected
        if row.method in {"base", *FRONT}:  # others also keep what is not trained, or what was made of it
            assert 0 <= row.bytes - 4 * expected <= 0.05 * row.bytes + 40_000  # the names of the tensors
        assert len(row.scores) == len(tasks.task(row.task).held_out)
        more = row.prompt_tokens - base.prompt_tokens
        assert more > 0 if row.method == "few_shot" else more == chosen.get("virtual_tokens", 0)
        near = pytest.approx(base.neutral_before, abs=1e-4)  # another processor adds up in another order
        assert (row.neutral_before == near) == (row.method != "qlora")
        assert (row.cpu_seconds > 0) == (expected > 0)


def test_every_method_learns_the_style_with_its_defaults() -> None:
    """Of pirate words the base alone says none. BitFit finds no biases there."""
    base, *adapted = standings(ROWS, "pirate")
    assert base.score.mean == 0
    assert {one.method for one in adapted} == {*METHODS} - {"bitfit"}
    assert min(one.score.mean for one in adapted) > 0.3


def test_every_method_has_a_time_beside_lora_s() -> None:
    there = paces(ROWS, read_paces(FILE))
    assert {row.method for row in ROWS} == {row.method for row in ROWS if (row.task, row.processor) in there}


def test_where_rows_were_measured_lora_is_timed_once_and_rows_that_follow_keep_that(
    tiny: Base, get_tiny: GetBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaderboard, "TOKENS", 1)
    monkeypatch.setattr(leaderboard, "SEEDS", (0, 1))
    wanted, file = [Cell(TASK, "ia3", 0), Cell(TASK, "ia3", 1)], tmp_path / "board.json"
    list(study(file, tiny, get_tiny, wanted[:1]))
    (found,) = timed(file, tiny, get_tiny)
    assert (found.task, len(found.seconds)) == (TASK, 2)
    assert list(timed(file, tiny, get_tiny)) == []
    list(study(file, tiny, get_tiny, wanted))
    assert [row.cell for row in read(file)] == wanted
    assert read_paces(file) == [found]
    monkeypatch.setattr(leaderboard, "TOKENS", 2)  # another study
    assert read_paces(file, leaderboard.about(tiny)) == []
    assert paces(read(file), read_paces(file)) == {(TASK, found.processor): min(found.seconds)}


def test_the_base_is_as_it_was_looked_at() -> None:
    seen = json.loads(looks.FILE.read_text(encoding="utf-8"))["tasks"]
    base = [row for row in ROWS if row.method == "base"]
    assert [row.held_out_loss for row in base] == pytest.approx([seen[row.task]["held_out_loss"] for row in base], abs=1e-3)
    assert all(row.forgetting == 0 for row in base)


@pytest.mark.parametrize("table", [front_table, whole_table])
def test_readme_s_tables_are_the_file_s(table: Callable[[Any, Any], str]) -> None:
    """Where they are not: `make leaderboard` prints them."""
    assert table(ROWS, read_paces(FILE)) in (ROOT / "README.md").read_text(encoding="utf-8")
