"""
How far a visitor has come: the lesson that is open, and every guess. A browser keeps it; nothing personal is in it.

What a browser sends may be anything: whatever cannot be is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from playground.learn.lessons import lesson
from playground.learn.route import LESSONS
from playground.locales import DEFAULT


@dataclass(frozen=True)
class Progress:
    """`guesses` by lesson: the place of a choice, or a number. A lesson with one is done."""

    lesson: str = LESSONS[0]
    guesses: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: object) -> Progress:
        """From what a browser has kept."""
        given: Mapping[Any, Any] = kept if isinstance(kept, dict) else {}
        guesses = given.get("guesses")
        found = cls().at(given.get("lesson"))
        for one, guess in guesses.items() if isinstance(guesses, dict) else ():
            found = found.at(one).guess(guess).at(found.lesson) if one in LESSONS else found
        return found

    @property
    def kept(self) -> dict[str, Any]:
        """What a browser is to keep."""
        return {"lesson": self.lesson, "guesses": dict(self.guesses)}

    def at(self, lesson_id: object) -> Progress:
        """With another lesson open; as it is for one that there is not."""
        return replace(self, lesson=lesson_id) if lesson_id in LESSONS else self

    def guess(self, guess: object) -> Progress:
        """With a guess for the lesson that is open; as it is for what cannot be one."""
        sound = lesson(self.lesson, DEFAULT).prediction.sound(guess)
        return self if sound is None else replace(self, guesses={**self.guesses, self.lesson: sound})

    def again(self) -> Progress:
        """The lesson that is open has not been guessed yet."""
        return replace(self, guesses={one: guess for one, guess in self.guesses.items() if one != self.lesson})


def kept_of(kept: object) -> dict[str, Any]:
    """What a browser has kept, without what cannot be."""
    return Progress.of(kept).kept
