"""
The toy's two small drawings as inline SVG: the singular values of a matrix, and the error of trained factors by step.

Takes numbers, gives strings; positions are relative, so they fit any width and change without a flicker. Knows nothing
about how the numbers were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.locales import number, text
from playground.plots.kit.svg import UNITS, Point, curve, drawing, nice_step, x_axis
from playground.plots.lowrank.axis import below, decimals

APART = 64  # up to so many bars stand apart


def spectrum(values: Sequence[float], rank: int, language: str, summary: str) -> str:
    """Singular values, falling, as bars: the first `rank` filled, the rest hollow."""
    top = 1.04 * max(values) or 1.0
    step = nice_step(top, 3)
    digits = decimals(step)
    lines = [(index * step / top, number(language, index * step, digits)) for index in range(int(top / step) + 1)]
    every = max(1, round(nice_step(len(values), 6)))
    numbered = sorted({1 if every > 2 else every, *range(every, len(values) + 1, every)})
    axis = below(numbered, len(values), text(language, "toy.spectrum.axis"), language)
    kept = f'<path class="pp-kept" d="{bars(values, 0, rank, top)}"/>'
    cut = f'<path class="pp-cut" vector-effect="non-scaling-stroke" d="{bars(values, rank, len(values), top)}"/>'
    return drawing(summary, lines, axis, kept + cut)


def bars(values: Sequence[float], first: int, last: int, top: float) -> str:
    """The bars from `first` up to `last`, as the outline of a path: each by itself, or, if they are many, all as one."""
    width = UNITS / len(values)
    many = len(values) > APART
    gap = 0.0 if many else 0.12 * width
    tops = [
        (f"{index * width + gap:.1f}", f"V{UNITS * (1 - values[index] / top):.1f}H{(index + 1) * width - gap:.1f}")
        for index in range(first, last)
    ]
    if many and tops:
        return f"M{tops[0][0]} {UNITS}{''.join(drawn for _, drawn in tops)}V{UNITS}"
    return "".join(f"M{left} {UNITS}{drawn}V{UNITS}" for left, drawn in tops)


def error_curve(points: Sequence[Point], steps: int, best: float, language: str, summary: str) -> str:
    """Relative errors by step, from 1 (all is missing), and the best possible one as a level line."""
    top = 1.04 * max([1.0, *(error for _, error in points)])
    lines = [(share / top, f"{number(language, 100 * share)} %") for share in (0.0, 0.5, 1.0)]
    height = 100 * (1 - best / top)
    line = f'<line class="pp-level" x1="0" x2="100%" y1="{height:.2f}%" y2="{height:.2f}%"/>'
    below = ' dy="1.35em"' if best > 0.2 else ' dy="-.5em"'
    name = escape(text(language, "toy.curve.best"))
    label = f'<text class="pp-axis" x="100%" y="{height:.2f}%"{below} text-anchor="end">{name}</text>'
    return drawing(summary, lines, x_axis(steps, language) + line + label, curve(points, steps, top, "pp-training"))
