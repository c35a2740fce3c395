"""
The answers of one pane as dots: filled by their score in the order of their seeds, or placed by their length.

Pure: numbers in, an inline SVG out. Knows nothing about models or pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

RADIUS, STEP = 5.5, 16  # units of the drawing, which are pixels
HEIGHT = STEP


def scores(shares: Sequence[float | None], summary: str) -> str:
    """A ring for each answer, whose area is filled as far as its score from 0 to 1; a pale one is not written yet (None)."""
    rings = "".join(_ring(place, share) for place, share in enumerate(shares))
    width = STEP * len(shares)
    return _drawn(f'viewBox="0 0 {width} {HEIGHT}" width="{width}"', summary, rings)


def lengths(values: Sequence[int], longest: int, summary: str) -> str:
    """A dot for each answer, from 0 at the left to `longest` at the right, and a line at their mean."""
    line = f'<line class="pp-grid" x1="0" x2="100%" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}"/>'
    dots = "".join(f'<circle class="pp-dot" cx="{_place(value, longest)}" cy="{HEIGHT / 2}" r="4"/>' for value in values)
    if values:
        mean = _place(sum(values) / len(values), longest)
        dots += f'<line class="pp-mean" x1="{mean}" x2="{mean}" y1="0" y2="{HEIGHT}"/>'
    return _drawn('width="100%"', summary, line + dots)


def _ring(place: int, share: float | None) -> str:
    at = f'cx="{STEP * (place + 0.5)}" cy="{HEIGHT / 2}"'
    if share is None:
        return f'<circle class="pp-ring pp-pale" {at} r="{RADIUS}"/>'
    return f'<circle class="pp-ring" {at} r="{RADIUS}"/><circle class="pp-dot" {at} r="{RADIUS * math.sqrt(share):.2f}"/>'


def _place(value: float, longest: int) -> str:
    return f"{100 * value / max(1, longest):.2f}%"


def _drawn(size: str, summary: str, inside: str) -> str:
    return f'<svg class="pp-dots-row" role="img" aria-label="{escape(summary)}" height="{HEIGHT}" {size}>{inside}</svg>'
