"""What a browser has kept of the lessons, whatever it sends."""

from __future__ import annotations

from typing import Any

import pytest

from playground.learn.progress import Progress
from playground.learn.route import LESSONS


def test_lesson_and_guesses_come_back() -> None:
    progress = Progress().at("fifty").guess(2).at("nf4").guess(8.5)
    assert (progress.lesson, progress.guesses) == ("nf4", {"fifty": 2, "nf4": 8.5})
    assert Progress.of(progress.kept) == progress
    assert Progress.of(progress.again().kept).guesses == {"fifty": 2}


@pytest.mark.parametrize(
    "kept",
    [
        None, "", [], 3, {}, {"lesson": "none"}, {"lesson": ["fifty"]}, {"guesses": [1]},
        {"guesses": {"none": 1, "fifty": 9}},
        {"guesses": {"nf4": "8", "fifty": True}, "lesson": {}},
    ],
)  # fmt: skip
def test_what_cannot_be_is_left_out(kept: Any) -> None:
    assert Progress.of(kept) == Progress(LESSONS[0], {})


@pytest.mark.parametrize("guess", [None, 7, "0"])
def test_what_is_no_guess_changes_nothing(guess: Any) -> None:
    before = Progress().at("fifty").guess(1)
    assert before.guess(guess) == before
