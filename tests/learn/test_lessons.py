"""
Lessons: every file can be read, says the same in every language, and shows only figures that something computes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from playground.learn.lessons import FOLDER, Lesson, LessonError, lesson, read
from playground.learn.route import FIGURES, LESSONS, figures
from playground.locales import DEFAULT, LANGUAGES
from playground.ui.kit import links

every_lesson = pytest.mark.parametrize("lesson_id", LESSONS)
GOOD = """---
title: One
goal: Count.
question: "How many?"
lead: "There are {some}."
note: ""
minutes: 5
prediction:
  ask: "How many?"
  kind: choices
  choices: [1, 2]
bars: {some: some}
link: {tab: lowrank}
source: {text: somebody}
---
It is {some}.
"""


def in_every_language(lesson_id: str) -> list[Lesson]:
    return [lesson(lesson_id, language) for language in LANGUAGES]


def sentences(one: Lesson) -> list[str]:
    return [one.goal, one.question, one.lead, one.prediction.ask, one.note, one.meaning, *one.steps.values()]


def test_every_file_is_a_lesson_of_the_route_in_every_language() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {f"{one}.{language}.md" for one in LESSONS for language in LANGUAGES}
    assert len(LESSONS) >= 14


@every_lesson
def test_every_figure_that_a_lesson_names_is_computed_and_every_bar_has_its_word(lesson_id: str) -> None:
    for one in in_every_language(lesson_id):
        found = figures(lesson_id)
        assert one.placeholders <= set(found.written(one.language))
        assert set(one.bars) == {bar.label for bar in found.bars}
        assert all("{" not in one.filled(sentence, found) for sentence in sentences(one))


@every_lesson
def test_every_language_says_the_same(lesson_id: str) -> None:
    first, *others = in_every_language(lesson_id)
    for other in others:
        assert (first.placeholders, first.minutes, first.link, first.url) == (
            other.placeholders, other.minutes, other.link, other.url,
        )  # fmt: skip
        one, two = first.prediction, other.prediction
        assert (one.kind, len(one.choices), one.minimum, one.maximum) == (
            two.kind,
            len(two.choices),
            two.minimum,
            two.maximum,
        )
        assert [choice for choice in one.choices if not isinstance(choice, str)] == [
            choice for choice in two.choices if not isinstance(choice, str)
        ]
        assert list(first.steps) == list(other.steps)
        alike = set(sentences(first)) & set(sentences(other))
        assert {one for one in alike if " " in one} == set()


@every_lesson
def test_the_right_answer_can_be_guessed_and_is_one_choice_alone(lesson_id: str) -> None:
    prediction, answer = lesson(lesson_id, DEFAULT).prediction, figures(lesson_id).answer
    if prediction.kind == "number":
        assert prediction.sound(answer) == answer
        return
    place = prediction.nearest(answer)
    assert prediction.sound(place) == place
    numbers = [one for one in prediction.choices if not isinstance(one, str)]
    if numbers:
        assert numbers[place] == pytest.approx(answer, rel=0.1, abs=0.05)
        others = numbers[:place] + numbers[place + 1 :]
        assert min(abs(other - answer) for other in others) > 10 * abs(numbers[place] - answer)


@every_lesson
def test_nothing_that_stands_before_the_guess_gives_the_answer_away(lesson_id: str) -> None:
    one, found = lesson(lesson_id, DEFAULT), figures(lesson_id)
    answers = {
        name for name, written in found.written(DEFAULT).items() if written.split("\N{NO-BREAK SPACE}")[0] == answer(one)
    }
    before = Lesson(**{**vars(one), "meaning": "", "note": ""}).placeholders
    assert not before & answers


def answer(one: Lesson) -> str:
    """As it is written, without its unit."""
    prediction, found = one.prediction, figures(one.id)
    if prediction.kind == "number":
        return f"{found.answer:g}"
    return prediction.labels(DEFAULT)[prediction.nearest(found.answer)].split("\N{NO-BREAK SPACE}")[0]


@every_lesson
def test_it_means_two_sentences_and_has_a_source(lesson_id: str) -> None:
    for one in in_every_language(lesson_id):
        assert one.meaning.count(". ") == 1 or one.meaning.replace("BitNet b1.58", "").count(". ") == 1
        assert one.meaning.endswith(".")
        assert one.source
        assert len(one.lead) < 170


@every_lesson
def test_its_goal_is_one_sentence_without_the_answer(lesson_id: str) -> None:
    for one in in_every_language(lesson_id):
        assert one.goal.endswith(".")
        assert one.goal.count(".") == 1
        assert "{" not in one.goal


@every_lesson
def test_a_number_is_not_cut_by_the_end_of_a_line(lesson_id: str) -> None:
    """12 288 and 0,02 % hold together."""
    for one in in_every_language(lesson_id):
        assert [said for said in (*sentences(one), one.title) if re.search(r"\d \d{3}\b|\d %", said)] == []


@every_lesson
def test_its_link_opens_where_the_page_shows_it(lesson_id: str) -> None:
    link = dict(lesson(lesson_id, DEFAULT).link)
    assert link["tab"] in links.TABS
    assert links.read(link)["tab"] == link["tab"]
    assert links.read({"tab": "learn", "lesson": lesson_id})["lesson"] == lesson_id


@every_lesson
def test_its_figures_are_computed_once(lesson_id: str) -> None:
    assert figures(lesson_id) is figures(lesson_id)
    assert FIGURES[lesson_id]() == figures(lesson_id)


# Files that are wrong


def written(folder: Path, text: str) -> Path:
    path = folder / "one.en.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    one = read(written(tmp_path, GOOD))
    assert (one.id, one.language, one.title, one.meaning) == ("one", "en", "One", "It is {some}.")
    assert one.prediction.labels("es") == ["1", "2"]


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("title: One", "title: One: two", "one.en.md:2: mapping values"),  # yaml's own words
        ("title: One\n", "", "one.en.md:1: title: is missing"),
        ("lead:", "led:", "one.en.md:1: lead: is missing"),
        ("minutes: 5", "minutes: five", "one.en.md:7: minutes: should be a whole number"),
        ("kind: choices", "kind: choice", "one.en.md:8: prediction: kind should be one of choices, number"),
        ("choices: [1, 2]", "choices: [1]", "one.en.md:8: prediction: choices should be two or more"),
        ("choices: [1, 2]", "choices: [1, two]", "one.en.md:8: prediction: choices should be two or more"),
        ("kind: choices", "kind: number", "one.en.md:8: prediction: a number needs minimum and maximum"),
        ("  kind: choices", "  sort: choices", "one.en.md:8: prediction: "),
        ("{tab: lowrank}", "lowrank", "one.en.md:13: link: should be names with texts"),
        ("{text: somebody}", "{who: somebody}", "one.en.md:14: source: should be text and url"),
        ("It is {some}.\n", "", "one.en.md:1: values between"),
        ("---\ntitle", "title", "one.en.md:1: values between"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, good: str, bad: str, said: str) -> None:
    with pytest.raises(LessonError) as error:
        read(written(tmp_path, GOOD.replace(good, bad)))
    assert str(error.value).startswith(said)


# Guesses


@pytest.mark.parametrize("guess", [None, True, "1", -1, 2, 0.5, float("nan"), [0]])
def test_a_guess_that_is_no_choice_is_none(tmp_path: Path, guess: Any) -> None:
    prediction = read(written(tmp_path, GOOD)).prediction
    assert prediction.sound(guess) is None
    assert prediction.sound(1) == prediction.sound(1.0) == 1


@pytest.mark.parametrize("guess", [None, False, "8", 0.9, 33, float("nan"), float("inf")])
def test_a_number_beyond_the_bounds_is_no_guess(guess: Any) -> None:
    prediction = lesson("nf4", DEFAULT).prediction
    assert prediction.sound(guess) is None
    assert prediction.sound(4) == 4.0
