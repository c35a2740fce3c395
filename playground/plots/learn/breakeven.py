"""
What all answers cost, with examples in every prompt and after a training: two lines over the number of answers, both axes
by powers of ten, and where they cross.

Pure: numbers in, an inline SVG out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from playground.learn.breakeven import REQUESTS, SHOTS, STEPS, Compared, Lengths, compared
from playground.locales import number, raised, text
from playground.plots.kit.svg import UNITS, apart, drawing

DECADES = round(math.log10(REQUESTS.maximum or 1))  # of answers, from one on
METHODS = "few_shot", "lora"  # whose colours the lines have
POINTS = 60  # of a line; on such axes the trained one is bent

Place = Callable[[float, float], tuple[float, float]]  # answers and cost → shares from the left and from above


def chart(lengths: Lengths, found: Compared, requests: int, summary: str, language: str) -> str:
    """Both axes stay where they are, whatever is set: only the lines move."""
    low, high = _powers(lengths)

    def place(answers: float, cost: float) -> tuple[float, float]:
        return math.log10(answers) / DECADES, 1 - (math.log10(cost) - low) / (high - low)

    ends = [place(REQUESTS.maximum or 1, total)[1] for total in found.totals(REQUESTS.maximum or 1)]
    marked = "".join(_mark(*place(requests, total)) for total in found.totals(requests))
    curves = "".join(
        f'<path class="pp-curve" style="--m:var(--m-{method})" vector-effect="non-scaling-stroke" '
        f'd="M{" L".join(f"{UNITS * x:.1f} {UNITS * y:.1f}" for x, y in _line(found, side, place))}"/>'
        for side, method in enumerate(METHODS)
    )
    names = "".join(
        f'<text class="pp-label" style="--m-text:var(--m-{method}-text)" x="100%" dx="8" y="{y:.1f}%" dy=".35em">'
        f"{escape(text(language, f'methods.{method}.name'))}</text>"
        for method, y in zip(METHODS, apart([100 * end for end in ends]), strict=True)
    )
    grid = [((power - low) / (high - low), f"10{raised(power)}") for power in range(low, high + 1, 2)]
    unit = f'<text class="pp-axis" x="0" dx="-40" y="0" dy="-1.1em">{escape(text(language, "breakeven.operations"))}</text>'
    outside = _answers(language) + unit + names + _crossing(found, place, language) + marked
    return drawing(summary, grid, outside, curves)


def _powers(lengths: Lengths) -> tuple[int, int]:
    """The powers of ten between which everything lies that can be set."""
    least = compared(lengths, int(SHOTS.minimum or 0), int(STEPS.minimum or 0))
    most = compared(lengths, int(SHOTS.maximum or 0), int(STEPS.maximum or 0))
    low, high = min(least.few_shot, least.training), max(most.totals(REQUESTS.maximum or 1))
    return math.floor(math.log10(low)), math.ceil(math.log10(high))


def _line(found: Compared, side: int, place: Place) -> list[tuple[float, float]]:
    answers = [10 ** (DECADES * step / POINTS) for step in range(POINTS + 1)]
    return [place(one, found.totals(one)[side]) for one in answers]


def _mark(x: float, y: float) -> str:
    return f'<circle class="pp-here" cx="{100 * x:.2f}%" cy="{100 * y:.2f}%" r="4"/>'


def _crossing(found: Compared, place: Place, language: str) -> str:
    """Where both have cost the same, if that lies on the drawing."""
    if not 1 <= found.even <= (REQUESTS.maximum or 1):
        return ""
    x, y = place(found.even, found.totals(found.even)[0])
    side = 'text-anchor="end" dx="-10"' if x > 0.5 else 'dx="10"'
    said = escape(text(language, "breakeven.crossing", answers=number(language, found.paid)))
    return (
        f'<circle class="pp-crossing" cx="{100 * x:.2f}%" cy="{100 * y:.2f}%" r="6"/>'
        f'<text class="pp-label" style="--m-text:var(--pp-ink)" x="{100 * x:.2f}%" y="{100 * y:.2f}%" '
        f'dy="{"-.6em" if x > 0.5 else "1.6em"}" {side}>{said}</text>'
    )


def _answers(language: str) -> str:
    """Numbers of answers below, and what they are."""
    figures = "".join(
        f'<text class="pp-axis" x="{100 * power / DECADES:.1f}%" y="100%" dy="1.5em" text-anchor="middle">'
        f"{number(language, 10**power) if power < 4 else f'10{raised(power)}'}</text>"
        for power in range(DECADES + 1)
    )
    name = escape(text(language, "breakeven.answers"))
    return f'{figures}<text class="pp-axis" x="50%" y="100%" dy="2.9em" text-anchor="middle">{name}</text>'
