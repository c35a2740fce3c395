"""
Lessons: one file each and language in examples/lessons, YAML between two lines of ---, then what it means.

Everything that a visitor reads stands in these files; figures stand in them as {placeholders}, which
`playground.learn.route` computes. What is wrong in a file is said with its name and line. Knows nothing about the page.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import yaml

from playground import settings
from playground.learn.figures import Figures, plainly

FOLDER = settings.EXAMPLES / "lessons"
TEXTS = ("title", "goal", "question", "lead", "note")
FIELDS = {*TEXTS, "minutes", "prediction", "bars", "link", "source"}
MAYBE = {"steps", "runs"}  # what only some lessons have
KINDS = ("choices", "number")


class LessonError(ValueError):
    """A lesson's file that cannot be read: its name, the line, what is wrong."""


@dataclass(frozen=True)
class Prediction:
    """
    What is to be guessed: one of `choices`, numbers of `unit` or words, or any number from `minimum` to `maximum`.
    """

    ask: str
    kind: str
    choices: tuple[float | str, ...] = ()
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 0.0

    def labels(self, language: str) -> list[str]:
        """The choices as they are read."""
        return [one if isinstance(one, str) else plainly(language, one, self.unit) for one in self.choices]

    def nearest(self, answer: float) -> int:
        """The choice that is right: the nearest number, or of words the one at that place."""
        if isinstance(self.choices[0], str):
            return int(answer)
        return min(range(len(self.choices)), key=lambda place: abs(float(self.choices[place]) - answer))

    def sound(self, guess: object) -> float | None:
        """A guess that can be one: a choice by its place, or a number within the bounds. None for anything else."""
        if isinstance(guess, bool) or not isinstance(guess, int | float):
            return None
        if self.kind == "number":
            return float(guess) if self.minimum <= guess <= self.maximum else None
        return int(guess) if guess in range(len(self.choices)) else None


@dataclass(frozen=True)
class Lesson:
    """
    One idea: its short `title`, the `goal` that a teacher has with it, the `question` and one line that leads to it, the
    prediction, the two sentences of what it means, what its bars are called and measure (`note`), where the page shows it
    (fields of a link), who says so, and the recorded trainings that it replays, by their ids, with what it calls them. A
    longer one goes in `steps`, a sentence or two each.
    """

    id: str
    language: str
    title: str
    goal: str
    question: str
    lead: str
    minutes: int
    prediction: Prediction
    meaning: str
    link: Mapping[str, str]
    source: str
    note: str
    url: str = ""
    bars: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)

    def filled(self, sentence: str, figures: Figures) -> str:
        """One of its sentences with the figures in their places."""
        return sentence.format(**figures.written(self.language))

    @property
    def placeholders(self) -> set[str]:
        """The figures that its sentences name."""
        sentences = (self.question, self.lead, self.prediction.ask, self.meaning, self.note, *self.steps.values())
        return {name for one in sentences for _, name, _, _ in string.Formatter().parse(one) if name is not None}


@cache
def lesson(lesson_id: str, language: str) -> Lesson:
    """Raises LessonError, and FileNotFoundError where there is no such file."""
    return read(FOLDER / f"{lesson_id}.{language}.md")


def read(path: Path) -> Lesson:
    """Raises LessonError."""
    begin, front, body = _parts(path)
    lines = front.splitlines()

    def wrong(name: str, what: str) -> NoReturn:
        place = next((number for number, line in enumerate(lines) if line.startswith(f"{name}:")), -1)
        raise LessonError(f"{path.name}:{place + 2}: {name}: {what}")

    if set(begin) - MAYBE != FIELDS:
        name = sorted((set(begin) - MAYBE) ^ FIELDS)[0]
        wrong(name, "is missing" if name in FIELDS else f"is none of {', '.join(sorted(FIELDS | MAYBE))}")
    for name in TEXTS:
        if not isinstance(begin[name], str):
            wrong(name, "should be text")
    if not isinstance(begin["minutes"], int):
        wrong("minutes", "should be a whole number")
    for name in ("bars", "link", "source", *sorted(MAYBE & set(begin))):
        if not isinstance(begin[name], dict) or not all(isinstance(one, str) for one in begin[name].values()):
            wrong(name, "should be names with texts")
    if not {"text"} <= set(begin["source"]) <= {"text", "url"}:
        wrong("source", "should be text and url")
    try:
        prediction = _prediction(begin["prediction"])
    except (TypeError, ValueError) as error:
        wrong("prediction", str(error))
    id, language = path.name.removesuffix(".md").split(".")
    texts = {name: begin[name] for name in (*TEXTS, "minutes", "bars", "link", *sorted(MAYBE & set(begin)))}
    return Lesson(
        id=id, language=language, prediction=prediction, meaning=body, source=begin["source"]["text"],
        url=begin["source"].get("url", ""), **texts,
    )  # fmt: skip


def _parts(path: Path) -> tuple[dict[str, Any], str, str]:
    """The values before the text, as they are read and as they are written, and the text."""
    opening, front, body = [*path.read_text(encoding="utf-8").split("---\n", 2), "", ""][:3]
    if opening or not body.strip():
        raise LessonError(f"{path.name}:1: values between two lines of ---, then text")
    try:
        found = yaml.safe_load(front)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise LessonError(f"{path.name}:{line + 2}: {error.problem}") from error
    if not isinstance(found, dict):
        raise LessonError(f"{path.name}:2: names with values")
    return found, front, " ".join(body.strip().split("\n"))


def _prediction(given: Any) -> Prediction:
    """Raises TypeError for what it has no field for, and ValueError."""
    found = Prediction(**{**given, "choices": tuple(given.get("choices", ()))})
    if found.kind not in KINDS:
        raise ValueError(f"kind should be one of {', '.join(KINDS)}")
    if found.kind == "number" and not found.minimum < found.maximum:
        raise ValueError("a number needs minimum and maximum")
    if found.kind == "choices" and (len(found.choices) < 2 or len({isinstance(one, str) for one in found.choices}) > 1):
        raise ValueError("choices should be two or more, all numbers or all texts")
    return found
