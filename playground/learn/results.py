"""
The results of a class: what a student's file says of each lesson that was guessed, and what a teacher's page needs in order
to read many of them.

A file is CSV with COLUMNS: no name, no time, no id. Its numbers are written the same in every language, so that files of
Spanish and of English pages are counted together. Browsers write and read it (ui/learn); nothing of it is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.learn.lessons import Prediction, lesson
from playground.learn.progress import Progress
from playground.learn.route import LESSONS, figures
from playground.locales import DEFAULT

COLUMNS = ("lesson", "guess", "measured", "right", "off_by")


def rows(progress: Progress) -> list[list[str]]:
    """A row for every lesson that was guessed, in the route's order."""
    return [_row(one, progress.guesses[one]) for one in LESSONS if one in progress.guesses]


def codes(prediction: Prediction) -> list[str]:
    """Its choices as a file has them: numbers as they are, words by their places, from 1. None where any number may be."""
    return [str(place) if isinstance(one, str) else _written(one) for place, one in enumerate(prediction.choices, start=1)]


def _row(lesson_id: str, guess: float) -> list[str]:
    """`right` is 1 or 0 and "" where any number may be guessed; `off_by` is guess less measured, "" where words are."""
    prediction, answer = lesson(lesson_id, DEFAULT).prediction, figures(lesson_id).answer
    if prediction.kind == "number":
        return [lesson_id, _written(guess), _written(answer), "", _written(guess - answer)]
    known, place, right = codes(prediction), int(guess), prediction.nearest(answer)
    choice = prediction.choices[place]
    if isinstance(choice, str):
        return [lesson_id, known[place], known[right], str(int(place == right)), ""]
    return [lesson_id, known[place], _written(answer), str(int(place == right)), _written(choice - answer)]


def _written(value: float) -> str:
    return f"{value:.6g}"


def readable(lesson_id: str) -> Mapping[str, Any]:
    """What a guess of a lesson may be in a file: the `codes` and the place of the right one, or a number's bounds."""
    prediction, answer = lesson(lesson_id, DEFAULT).prediction, figures(lesson_id).answer
    if prediction.kind == "number":
        return {"minimum": prediction.minimum, "maximum": prediction.maximum, "answer": answer}
    return {"codes": codes(prediction), "right": prediction.nearest(answer)}
