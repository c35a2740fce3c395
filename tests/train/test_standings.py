"""What the leaderboard's rows say: the noise by cases worked out by hand, and who is beaten by nobody."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.adapt import tasks
from playground.adapt.methods import FRONT
from playground.train.board_tables import front_table
from playground.train.standings import (
    SEEDS,
    T_95,
    Pace,
    Row,
    Spread,
    Standing,
    cells,
    comparable,
    inside_noise,
    standings,
    unbeaten,
    verdict,
)  # fmt: skip

LAW = settings(deadline=None, derandomize=True, database=None, max_examples=50)
QUESTIONS, TASK = 16, "sentiment"


def standing(
    right: tuple[int, ...] = (16, 16, 16), method: str = "lora", parameters: int = 1, tokens: float = 1
) -> Standing:
    """A method that gets the first so many of sixteen questions right, seed by seed."""
    examples = tuple(sum(question < count for count in right) / len(right) for question in range(QUESTIONS))
    score, none = Spread(tuple(count / QUESTIONS for count in right)), Spread((0.0,))
    return Standing(method, score, examples, none, parameters, 0, none, tokens, none, "CPU", {})


@pytest.mark.parametrize(
    ("one", "other", "inside"),
    [
        ((16, 16, 16), (16, 16, 16), True),
        ((16, 15, 14), (14, 13, 12), True),  # the seeds meet at 14
        ((16, 16, 16), (15, 15, 15), True),  # no seed meets another, but all hangs on one question
        ((16, 16, 16), (13, 13, 13), True),  # three: 0.1875 ± 2.131 · 0.403 / 4 = 0.215
        ((16, 16, 16), (12, 12, 12), False),  # four: 0.25 ± 2.131 · 0.447 / 4 = 0.238
        ((16, 16, 16), (0, 0, 0), False),  # all: no question says otherwise
        ((16, 9, 16), (8, 8, 0), False),
        ((16, 8, 16), (8, 8, 0), True),
    ],
)
def test_a_difference_counts_if_neither_another_seed_nor_other_questions_undo_it(
    one: tuple[int, ...], other: tuple[int, ...], inside: bool
) -> None:
    assert inside_noise(standing(one), standing(other)) is inside
    assert inside_noise(standing(other), standing(one)) is inside


def test_the_interval_is_that_of_student_s_t_for_sixteen_questions() -> None:
    """The density integrated: 95 % lie within."""
    freedom, t = QUESTIONS - 1, np.linspace(-T_95, T_95, 20_001)
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    density = scale * (1 + t**2 / freedom) ** (-(freedom + 1) / 2)
    assert float(np.trapezoid(density, t)) == pytest.approx(0.95, abs=1e-4)
    assert {len(tasks.task(task).held_out) for task in tasks.TASK_IDS} == {QUESTIONS}


def test_the_verdict_names_everybody_once_and_the_cheapest_of_the_best() -> None:
    full, lora = standing((16, 16, 15), "full", 1000), standing((16, 15, 15), "lora", 10)
    few, base = standing((15, 15, 15), "few", 0, 200), standing((0,), "base", 0, 40)
    found = verdict([base, few, lora, full])
    assert found.best == full
    assert (found.near, found.below) == ((few, lora), (base,))
    assert found.cheapest == few
    assert verdict([full, standing((16, 16, 15), "smaller", 999)]).best.method == "smaller"  # of equals the smaller one
    assert verdict([full, few, standing((16, 16, 15), "short", 0, 40)]).cheapest.method == "short"


@LAW
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 16)), min_size=1, max_size=9))
def test_whoever_is_joined_is_beaten_by_nobody_and_nobody_else_is(pairs: list[tuple[int, int]]) -> None:
    found = [standing((right,), parameters=parameters) for parameters, right in pairs]
    front = unbeaten(found)

    def beaten(one: Standing) -> bool:
        here = (one.parameters, -one.score.mean)
        return any((p, -r / QUESTIONS) != here and p <= here[0] and -r / QUESTIONS <= here[1] for p, r in pairs)

    assert {(one.parameters, one.score.mean) for one in front} == {
        (one.parameters, one.score.mean) for one in found if not beaten(one)
    }
    assert [one.parameters for one in front] == sorted({one.parameters for one in front})


def test_a_method_counts_once_all_its_seeds_are_there() -> None:
    task = TASK
    right = [one.response for one in tasks.task(task).held_out]

    def row(method: str, seed: int, answers: list[str]) -> Row:
        return Row(task, method, seed, tuple(answers), seed, 8, 32, 1.0, 40.0, 3.0, 3.0 + seed, "CPU", {}, {})

    rows = [row(one.method, one.seed, right) for one in cells((task,)) if one.method in {"base", *FRONT} - {"lora"}]
    rows += [row("lora", 0, right), row("lora", 2, ["no"] * 8 + right[8:])]
    assert [one.method for one in standings(rows, task)] == ["base", *(one for one in FRONT if one != "lora")]
    assert comparable(rows[:2]) == []
    assert comparable(rows) == [task]
    lora = standings([*rows, row("lora", 1, right)], task)[list(FRONT).index("lora") + 1]
    assert (lora.score.mean, lora.score.low, lora.score.high) == (pytest.approx(5 / 6), 0.5, 1.0)
    assert lora.examples == pytest.approx([2 / 3] * 8 + [1.0] * 8)
    assert (lora.forgetting.low, lora.forgetting.high, lora.loss.mean) == (0, 2, 1)
    assert len(SEEDS) >= 3


def test_time_is_told_beside_that_of_the_same_processor_only() -> None:
    def row(method: str, seconds: float, processor: str) -> list[Row]:
        answers = ("no",) * len(tasks.task(TASK).held_out)
        return [Row(TASK, method, seed, answers, 1.0, 8, 32, seconds, 40.0, 3.0, 3.0, processor, {}, {}) for seed in SEEDS]

    def told(rows: list[Row], more: Sequence[Pace] = ()) -> dict[str, str]:
        cells = [line.split(" | ") for line in front_table(rows, more).splitlines()[2:]]
        return {line[0].strip("| `"): line[3] for line in cells}

    lora = row("lora", 20.0, "one")
    assert told([*lora, *row("ia3", 30.0, "one")]) == {"lora": "1.00", "ia3": "1.50"}
    assert told([*lora, *row("ia3", 30.0, "another")]) == {"lora": "1.00", "ia3": ""}
    timed = [Pace(TASK, "another", (13.0, 12.0, 14.0), {}), Pace("pirate", "another", (1.0,), {})]
    assert told([*lora, *row("ia3", 30.0, "another")], timed) == {"lora": "1.00", "ia3": "2.50"}
    assert {one.processor for one in standings([*lora, *row("ia3", 30.0, "another")], TASK)} == {"one", "another"}
