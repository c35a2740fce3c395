"""
Score against trained parameters: every method with all its seeds, the ones that nothing beats joined, each with its name
where there is room and it can be nobody else's: a visitor's own first, then those that are joined.

Pure: numbers in, an inline SVG out. Positions are percentages, so it fits any width. Knows nothing about models or pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean

from playground.locales import NO_BREAK, number, text
from playground.plots.kit.figures import powered
from playground.plots.kit.pieces import below
from playground.plots.kit.svg import UNITS, drawing

ZERO, FIRST, LAST = 3.0, 15.0, 94.0  # percent across: what trains nothing, and the ends of the scale
NEAR = 3  # lines away from its point that a name may stand, and one less
NAMED = 2  # names at a point that several methods share; whoever points at it is told all
GAP, ASIDE = 1.6, 10  # between a point and its name: percent that are kept free, and pixels
WIDE, NARROW = (1.1, 7.0), (2.4, 7.5)  # percent of the chart that a letter is wide and a line is high, by the screen
Box = tuple[float, float, float, float]  # left, right, top, bottom, in percent


@dataclass(frozen=True)
class Point:
    """What one method reached with each seed, 0 to 1; `own` is a visitor's run."""

    label: str
    method: str
    parameters: int
    values: tuple[float, ...]
    own: bool = False


def pareto(points: Sequence[Point], joined: Sequence[int], summary: str, language: str) -> str:
    """The points, a line through those at the places `joined`; `summary` is what a screen reader says."""
    low, high = _ends(points)
    across = [_place(one.parameters, low, high) for one in points]
    heights = [100 * (1 - fmean(one.values)) for one in points]
    spots = list(zip(across, heights, strict=True))
    line = " L".join(f"{UNITS * spots[place][0] / 100:.1f} {UNITS * spots[place][1] / 100:.1f}" for place in joined)
    front = f'<path class="pp-front" vector-effect="non-scaling-stroke" d="M{line}"/>' if joined else ""
    told = [", ".join(one.label for one, there in zip(points, spots, strict=True) if there == spot) for spot in spots]
    marks = "".join(_mark(one, x, name) for one, x, name in zip(points, across, told, strict=True))
    first = sorted(range(len(points)), key=lambda place: (not points[place].own, place not in joined))
    named = [points[place] for place in first], [spots[place] for place in first]
    names = "".join(
        f'<g class="{kind}">{_labels(*named, *letters)}</g>' for kind, letters in (("pp-roomy", WIDE), ("pp-tight", NARROW))
    )
    lines = [(share / 4, f"{number(language, 25 * share)}{NO_BREAK}%") for share in range(5)]
    return f'<div class="pp-board-chart">{drawing(summary, lines, marks + names + _axis(low, high, language), front)}</div>'


def _ends(points: Sequence[Point]) -> tuple[float, float]:
    """Powers of ten: the one below the fewest parameters, and where the most are."""
    trained = [math.log10(one.parameters) for one in points if one.parameters]
    low, high = math.floor(min(trained, default=4.0)), max(trained, default=8.0)
    return low, max(high, low + 1.0)


def _place(parameters: float, low: float, high: float) -> float:
    return FIRST + (LAST - FIRST) * (math.log10(parameters) - low) / (high - low) if parameters else ZERO


def _mark(one: Point, x: float, name: str) -> str:
    """A line over all seeds, a small dot for each, a large one at their mean; an own run is an open ring."""
    style = f'style="--m:var(--m-{one.method},var(--m-base))"'
    told = f"<title>{escape(name)}</title>"
    ys = [100 * (1 - value) for value in one.values]
    mean = f'<circle class="{"pp-own-point" if one.own else "pp-dot"}" cx="{x:.2f}%" cy="{fmean(ys):.2f}%" r="5.5"/>'
    if len(ys) == 1:
        return f"<g {style}>{told}{mean}</g>"
    spread = f'<line class="pp-spread" x1="{x:.2f}%" x2="{x:.2f}%" y1="{min(ys):.2f}%" y2="{max(ys):.2f}%"/>'
    seeds = "".join(f'<circle class="pp-seed" cx="{x:.2f}%" cy="{y:.2f}%" r="2.5"/>' for y in ys)
    return f"<g {style}>{told}{spread}{mean}{seeds}</g>"


def _axis(low: float, high: float, language: str) -> str:
    powers = range(math.ceil(low), math.floor(high) + 1)
    ticks = "".join(below(_place(10.0**power, low, high) / 100, powered(10.0**power), "1.6em") for power in powers)
    return below(ZERO / 100, "0", "1.6em") + ticks + below(0.5, text(language, "board.axis"), "3em")


def _labels(points: Sequence[Point], spots: Sequence[tuple[float, float]], letter: float, line: float) -> str:
    """
    Each name where it covers neither another name nor a point: beside its point, or a line above or below it where no other
    point is as near; those that share a point together. One that finds no such place is left out: the point tells it to
    whoever points at it, and the table has it.
    """
    ends = [(100 * (1 - max(one.values)), 100 * (1 - min(one.values))) for one in points]
    marks: list[Box] = [(x - 1, x + 1, top - 2, low + 2) for (x, _), (top, low) in zip(spots, ends, strict=True)]
    sharing: dict[tuple[float, float], list[Point]] = {}
    for one, spot in zip(points, spots, strict=True):
        sharing.setdefault(spot, []).append(one)
    taken: list[Box] = []
    drawn = []
    for (x, y), here in sharing.items():
        others = [mark for mark, spot in zip(marks, spots, strict=True) if spot != (x, y)]
        name = ", ".join([*(one.label for one in here[:NAMED]), *(["…"] if len(here) > NAMED else [])])
        for box, anchor, aside in _places(x, y, letter * len(name), line):
            if not _free(box, [*taken, *marks]) or not _its_own(box, (x, y), others, line):
                continue
            taken.append(box)
            style = f'style="--m-text:var(--m-{here[0].method}-text,var(--m-base-text))"'
            place = f'x="{x:.2f}%" dx="{aside}" y="{(box[2] + box[3]) / 2:.2f}%" dy=".35em" text-anchor="{anchor}"'
            drawn.append(f'<text class="pp-label" {style} {place}>{escape(name)}</text>')
            break
    return "".join(drawn)


def _places(x: float, y: float, width: float, line: float) -> Iterator[tuple[Box, str, int]]:
    """Where a name may stand, the nearest first: what it covers, how it is anchored at its point, pixels aside of it."""
    for away in range(NEAR):
        for turn in (1, -1) if away else (1,):
            middle = y + turn * away * line
            rows = middle - line / 2, middle + line / 2
            yield (x + GAP, x + GAP + width, *rows), "start", ASIDE
            yield (x - GAP - width, x - GAP, *rows), "end", -ASIDE
            if away:
                yield (x - width / 2, x + width / 2, *rows), "middle", 0


def _free(box: Box, taken: Sequence[Box]) -> bool:
    left, right, top, bottom = box
    return left >= 0 and right <= 104 and top >= -12 and bottom <= 100 and _apart(box, taken)


def _its_own(box: Box, spot: tuple[float, float], others: Sequence[Box], line: float) -> bool:
    """Whether nobody takes the name for that of another point: none lies beside it too, or as near above or below it."""
    (left, right, top, bottom), (x, y) = box, spot
    beside = top < y < bottom
    reach = 0 if beside else line
    near = [(start + end) / 2 for start, end, high, low in others if top - reach < low and bottom + reach > high]
    if beside:
        first, last = (x, right + 2 * GAP) if left > x else (left - 2 * GAP, x)
        return not any(first < other < last for other in near)
    middle = (left + right) / 2
    return all(abs(other - middle) > abs(x - middle) + GAP for other in near)


def _apart(box: Box, others: Sequence[Box]) -> bool:
    left, right, top, bottom = box
    return not any(left < end and right > start and top < low and bottom > high for start, end, high, low in others)
