"""
What a lesson shows after the guess: numbers with their units, the bars that draw them, and which guess comes nearest.

Knows no lesson, no language but how it writes numbers, and no page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from playground.locales import NO_BREAK, number, scientific, trimmed

# Here and now; on this project's model, and recorded; in the source; by what a word means
ORIGINS = ("computed", "measured", "published", "settled")


SMALL, HUGE = 1e-5, 1e18  # what is nearer to 0, or beyond, is written with a power of ten
LARGE = 100  # from here on a whole number says by itself how exact it is: 640, and not 640.0
THOUSAND = {"GB": "TB"}
ONE = {"nats": "nat", "bits": "bit"}


@dataclass(frozen=True)
class Figure:
    """A number, its unit ("" for a count) and how many decimals of it mean something."""

    value: float
    unit: str = ""
    digits: int = 0

    def written(self, language: str) -> str:
        if abs(self.value) >= 1000 and self.unit in THOUSAND:
            return replace(self, value=self.value / 1000, unit=THOUSAND[self.unit], digits=1).written(language)
        if 0 < abs(self.value) < SMALL or abs(self.value) >= HUGE:
            return with_unit(scientific(language, self.value), self.unit)
        whole = abs(self.value) >= LARGE and round(self.value, self.digits) == round(self.value)
        return with_unit(number(language, self.value, 0 if whole else self.digits), self.unit)


@dataclass(frozen=True)
class Bar:
    """A figure with a bar: the key of its label in the lesson's file, and the method whose colour it has."""

    label: str
    figure: Figure
    method: str = "lora"


@dataclass(frozen=True)
class Figures:
    """
    The bars, and the `answer`: the number that was asked for, or of choices in words the place of the right one, from 0.
    `more` are figures that the sentences name and no bar draws.
    """

    answer: float
    bars: tuple[Bar, ...]
    more: Mapping[str, Figure] = field(default_factory=dict)
    origin: str = "computed"

    def written(self, language: str) -> dict[str, str]:
        """What stands for the {placeholders} of the lesson's sentences."""
        found = {bar.label: bar.figure for bar in self.bars} | dict(self.more)
        return {name: figure.written(language) for name, figure in found.items()}


def plainly(language: str, value: float, unit: str) -> str:
    """A number of a lesson's own: as many decimals as it has, three at most."""
    return with_unit(trimmed(language, value), unit)


def with_unit(written: str, unit: str) -> str:
    unit = ONE.get(unit, unit) if written == "1" else unit
    return written.replace("-", "−") + (NO_BREAK + unit if unit else "")
