"""
The axis below a row of bars, and how many decimals the numbers beside grid lines need.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from playground.locales import number


def below(shown: Iterable[int], count: int, name: str, language: str) -> str:
    """The numbers `shown` under the middles of `count` equal places, counted from 1, and what they number."""
    numbers = "".join(
        f'<text class="pp-axis" x="{100 * (place - 0.5) / count:.2f}%" y="100%" dy="1.5em" text-anchor="middle">'
        f"{number(language, place)}</text>"
        for place in shown
    )
    return f'{numbers}<text class="pp-axis" x="50%" y="100%" dy="2.8em" text-anchor="middle">{escape(name)}</text>'


def decimals(step: float) -> int:
    """Of the multiples of a round step: 1 of 0.5, 3 of 0.025, none of 10."""
    return len(f"{step:g}".partition(".")[2])
