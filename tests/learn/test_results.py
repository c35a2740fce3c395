"""A student's file: what it says of a guess is what a teacher's page reads there, whatever the language of either."""

from __future__ import annotations

import pytest

from playground.learn.lessons import lesson
from playground.learn.progress import Progress
from playground.learn.results import COLUMNS, readable, rows
from playground.learn.route import LESSONS, figures
from playground.locales import DEFAULT, LANGUAGES


def guesses(lesson_id: str) -> list[float]:
    prediction = lesson(lesson_id, DEFAULT).prediction
    return [prediction.minimum, prediction.maximum] if prediction.kind == "number" else list(range(len(prediction.choices)))


@pytest.mark.parametrize("lesson_id", LESSONS)
def test_every_guess_is_written_so_that_it_is_read_again(lesson_id: str) -> None:
    known, prediction = readable(lesson_id), lesson(lesson_id, DEFAULT).prediction
    for guess in guesses(lesson_id):
        (row,) = rows(Progress().at(lesson_id).guess(guess))
        found = dict(zip(COLUMNS, row, strict=True))
        assert found["lesson"] == lesson_id
        assert not set(",;\"' \n") & set("".join(row))  # nothing that a file would have to quote
        if prediction.kind == "number":
            assert known["minimum"] <= float(found["guess"]) <= known["maximum"]
            assert float(found["off_by"]) == pytest.approx(guess - figures(lesson_id).answer, rel=1e-5)
            assert found["right"] == ""
        else:
            assert known["codes"].index(found["guess"]) == guess
            assert found["right"] == str(int(guess == known["right"]))
            assert len(set(known["codes"])) == len(prediction.choices)
        float(found["measured"])


def test_by_how_much_a_guess_is_off_is_the_guess_less_what_was_measured() -> None:
    assert rows(Progress().at("nf4").guess(4)) == [["nf4", "4", "4.5", "", "-0.5"]]
    (row,) = rows(Progress().at("fifty").guess(2))
    assert row[1] == "50"
    assert float(row[4]) == pytest.approx(50 - float(row[2]))
    assert row[3] == "0"
    assert rows(Progress().at("start").guess(2)) == [["start", "3", "3", "1", ""]]


def test_a_file_has_the_route_s_order_and_only_what_was_guessed() -> None:
    assert rows(Progress()) == []
    progress = Progress().at("nf4").guess(4).at("fifty").guess(1)
    assert [row[0] for row in rows(progress)] == ["fifty", "nf4"]


@pytest.mark.parametrize("lesson_id", LESSONS)
def test_numbers_to_choose_from_are_the_same_in_every_language(lesson_id: str) -> None:
    """Files of pages in several languages are counted together."""
    choices = [lesson(lesson_id, language).prediction.choices for language in LANGUAGES]
    assert len({tuple(one if not isinstance(one, str) else "" for one in each) for each in choices}) == 1
