"""
What some lessons show besides their bars, once they have been guessed. A lesson without an entry has nothing more.
"""

from __future__ import annotations

from collections.abc import Callable

from playground.ui.learn.calculator import calculator

EXTRAS: dict[str, Callable[[str], str]] = {"long-prompt": calculator}  # by lesson: language in, HTML out


def extra(lesson_id: str, language: str) -> str:
    return EXTRAS[lesson_id](language) if lesson_id in EXTRAS else ""
