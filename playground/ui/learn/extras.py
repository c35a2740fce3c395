"""
What some lessons show besides their bars, once they have been guessed. A lesson without an entry has nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from playground.ui.learn.calculator import calculator
from playground.ui.learn.mixed_html import mixed
from playground.ui.learn.notebook_html import RUNS, notebook
from playground.ui.learn.timing_html import products

# By lesson: language in, HTML out
EXTRAS: dict[str, Callable[[str], str]] = {
    "long-prompt": calculator,
    "energy": products,
    "mixed": mixed,
    **{lesson: partial(notebook, lesson) for lesson in RUNS},
}


def extra(lesson_id: str, language: str) -> str:
    return EXTRAS[lesson_id](language) if lesson_id in EXTRAS else ""
