"""
The pieces of a line chart in SVG: axes with round steps, curves, labels that keep apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from playground.locales import number, text

Point = tuple[int, float]  # step, loss
FEW = 12  # up to so many points also get dots
EMPTY_TOP = 4.0  # the y axis before the first point: a small model's loss on words it has not seen
NICE = (1, 2, 2.5, 5, 10)
LABEL_GAP = 8.0  # percent of the height that keeps two lines of text apart
LABEL_WIDTH = 0.25  # of the width: about a name
UNITS = 1000  # of the inner drawing, both ways


def finite(points: Iterable[Point] | None) -> list[Point]:
    """The points that can be drawn: a diverged run may hold NaN or infinity."""
    return [(step, loss) for step, loss in points or () if loss is not None and math.isfinite(loss)]


def nice_step(span: float, wanted: int) -> float:
    """The round number that cuts `span` into about `wanted` pieces."""
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    return power * min(NICE, key=lambda nice: abs(math.log(nice * power / raw)))


def axis_top(highest: float) -> float:
    """Where an axis from zero ends: at its first grid line that is not below `highest`."""
    step = nice_step(highest or 1.0, 4)
    return step * max(1, math.ceil(highest / step - 1e-9))


def y_axis(top: float, language: str) -> str:
    """Grid lines with their numbers, from zero up."""
    step = nice_step(top, 4)
    digits = max(0, math.ceil(-math.log10(step))) + (round(step / 10 ** math.floor(math.log10(step)), 3) == 2.5)
    drawn = []
    for index in range(math.floor(top / step) + 1):
        y = 100 * (1 - index * step / top)
        figure = number(language, index * step, digits if index else 0)
        drawn.append(
            f'<line class="pp-grid" x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>'
            f'<text class="pp-axis" x="0" dx="-12" y="{y:.2f}%" dy=".35em" text-anchor="end">{figure}</text>'
        )
    return "".join(drawn)


def y_name(language: str) -> str:
    """The attribute that says what the y axis of losses is where a drawing stands alone, as a file (saving.js)."""
    return f' data-y="{escape(text(language, "loss.axis"))}"'


def x_axis(steps: int, language: str) -> str:
    """Round step numbers and the word "step" under the middle."""
    step = max(1, round(nice_step(steps, 6)))
    figures = "".join(
        f'<text class="pp-axis pp-tick" x="{100 * here / steps:.2f}%" y="100%" dy="1.6em" text-anchor="middle">'
        f"{number(language, here)}</text>"
        for here in range(0, steps + 1, step)
    )
    name = escape(text(language, "loss.step"))
    return f'{figures}<text class="pp-axis" x="50%" y="100%" dy="2.7em" text-anchor="middle">{name}</text>'


def curve(points: Sequence[Point], steps: int, top: float, kind: str) -> str:
    """One line, with a dot at each point while they are few (a dot is a line of no length with round ends)."""
    placed = [f"{UNITS * step / steps:.1f} {UNITS * (1 - loss / top):.1f}" for step, loss in points]
    if not placed:
        return ""
    line = f'<path class="pp-curve {kind}" vector-effect="non-scaling-stroke" d="M{" L".join(placed)}"/>'
    if len(placed) > FEW:
        return line
    dots = "".join(f"M{place}h.01" for place in placed)
    return f'{line}<path class="pp-dots" vector-effect="non-scaling-stroke" d="{dots}"/>'


def labels(training: Sequence[Point], held_out: Sequence[Point], names: Sequence[str], steps: int, top: float) -> str:
    """Each curve's name right of its end, moved apart where two would overlap, and off the other curve."""
    lines = [(name, points) for name, points in zip(names, (training, held_out), strict=True) if points]
    if not lines:
        return ""
    heights = [100 * (1 - points[-1][1] / top) for _, points in lines]
    if len(lines) == 2:
        heights = placed(training, held_out, heights, steps, top)
    return "".join(
        f'<text class="pp-label" x="{100 * points[-1][0] / steps:.2f}%" dx="10" y="{y:.2f}%" dy=".35em">'
        f"{escape(name)}</text>"
        for (name, points), y in zip(lines, heights, strict=True)
    )


def placed(one: Sequence[Point], other: Sequence[Point], heights: list[float], steps: int, top: float) -> list[float]:
    """The heights of two labels: apart if both curves end at one step, else the earlier one off the curve that runs on."""
    if one[-1][0] == other[-1][0]:
        return apart(heights)
    earlier, later = (0, other) if one[-1][0] < other[-1][0] else (1, one)
    begin = (one, other)[earlier][-1][0]
    beside = [100 * (1 - loss / top) for step, loss in later if begin <= step <= begin + LABEL_WIDTH * steps]
    if any(abs(height - heights[earlier]) < LABEL_GAP for height in beside):
        above, below = min(beside) - LABEL_GAP, max(beside) + LABEL_GAP
        heights[earlier] = min((above, below), key=lambda height: (not 0 <= height <= 100, abs(height - heights[earlier])))
    return heights


def apart(heights: list[float]) -> list[float]:
    """One or two heights in percent, at least LABEL_GAP from each other, their order kept, inside the plot."""
    if len(heights) < 2 or abs(heights[0] - heights[1]) >= LABEL_GAP:
        return heights
    middle = min(max(sum(heights) / 2, LABEL_GAP / 2), 100 - LABEL_GAP / 2)
    sign = -1 if heights[0] < heights[1] else 1  # on a tie, training lies below
    return [middle + sign * LABEL_GAP / 2, middle - sign * LABEL_GAP / 2]


def spread(heights: Sequence[float]) -> list[float]:
    """Any number of heights in percent, LABEL_GAP from each other and inside the plot, their order kept."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    found, least = list(heights), 0.0
    for place in order:
        found[place] = max(heights[place], least)
        least = found[place] + LABEL_GAP
    most = 100.0
    for place in reversed(order):
        found[place] = min(found[place], most)
        most = found[place] - LABEL_GAP
    return found


def drawing(summary: str, lines: Sequence[tuple[float, str]], outside: str, inside: str) -> str:
    """
    A chart: grid lines at their shares of the height, what is placed in percent (`outside`), and what is drawn in UNITS
    both ways (`inside`).
    """
    grid = "".join(
        f'<line class="pp-grid" x1="0" x2="100%" y1="{100 * (1 - share):.2f}%" y2="{100 * (1 - share):.2f}%"/>'
        f'<text class="pp-axis" x="0" dx="-8" y="{100 * (1 - share):.2f}%" dy=".35em" text-anchor="end">{figure}</text>'
        for share, figure in lines
    )
    return (
        f'<svg class="pp-chart" role="img" aria-label="{escape(summary)}">{grid}'
        f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" width="100%" height="100%" overflow="visible">'
        f"{inside}</svg>{outside}</svg>"
    )
