"""
A roofline (Williams et al. 2009): operations for each byte across, operations a second up, both by powers of ten; under the
ceilings of the memory and of the arithmetic a dot for each type, its name right of the drawing.

Pure: what was timed in, an inline SVG out. Knows nothing about pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from playground.learn.timing import Ceilings, Product, Timed
from playground.locales import NO_BREAK, significant, text, written
from playground.plots.kit.pieces import below
from playground.plots.kit.svg import UNITS, drawing, spread

GIGA = 1e9
COLOURS = {"int8_weights": "int8", "int8_read_back": "int8", "int4_weights": "int4"}  # of formats, where a kind is not one


@dataclass(frozen=True)
class Frame:
    """The powers of ten at the edges: operations for each byte across, a second up."""

    left: int
    right: int
    bottom: int
    top: int

    def across(self, intensity: float) -> float:
        """The share of the width, from the left."""
        return (math.log10(intensity) - self.left) / (self.right - self.left)

    def down(self, rate: float) -> float:
        """The share of the height, from above."""
        return 1 - (math.log10(rate) - self.bottom) / (self.top - self.bottom)


def frame(timed: Timed) -> Frame:
    """Everything that was timed of the layer fits in, so that only dots move when another number of tokens is shown."""
    done = [one for one in timed.products if one.seconds]
    limits = timed.ceilings
    rates, intensities = [one.rate for one in done], [one.intensity for one in done]
    return Frame(
        math.floor(math.log10(min(intensities))),
        math.ceil(math.log10(max(2 * limits.ridge, *intensities))),
        math.floor(math.log10(min(rates))),
        math.ceil(math.log10(max(1.3 * limits.rate, *rates))),
    )


def roofline(timed: Timed, shown: Sequence[Product], summary: str, language: str) -> str:
    """The products that are `shown`, which have times, against the ceilings."""
    edges = frame(timed)
    grid = [
        ((power - edges.bottom) / (edges.top - edges.bottom), written(language, 10.0**power / GIGA))
        for power in range(edges.bottom, edges.top + 1)
    ]
    roof = f'd="M{" L".join(_corners(edges, timed.ceilings))}"'
    line = f'<path class="pp-roof-line" vector-effect="non-scaling-stroke" {roof}/>'
    unit = f'<text class="pp-axis" x="0" dx="-44" y="0" dy="-1.2em">{escape(text(language, "timing.head.rate"))}</text>'
    dots = "".join(_dots(edges, shown, language))
    outside = f"{_across(edges, language)}{unit}{dots}{_rates(edges, timed.ceilings, language)}"
    return f'<div class="pp-roof">{drawing(summary, grid, outside, line)}</div>'


def _corners(edges: Frame, limits: Ceilings) -> Iterator[str]:
    """Up with the memory, along with the arithmetic."""
    begins = max(10.0**edges.left, 10.0**edges.bottom / limits.moved)
    for intensity in (begins, limits.ridge, 10.0**edges.right):
        yield f"{UNITS * edges.across(intensity):.1f} {UNITS * edges.down(limits.most(intensity)):.1f}"


def _rates(edges: Frame, limits: Ceilings, language: str) -> str:
    """Both ceilings by what they allow, above them."""
    memory = f"{significant(language, limits.moved / GIGA)}{NO_BREAK}GB/s"
    arithmetic = f"{significant(language, limits.rate / GIGA)}{NO_BREAK}GFLOP/s"
    middle = limits.ridge / 10 ** (0.12 * (math.log10(limits.ridge) - edges.left))  # high up, clear of the axis
    x, y = 100 * edges.across(middle), 100 * edges.down(limits.most(middle))
    flat = 100 * edges.down(limits.rate)
    named = 'class="pp-label pp-ceiling" text-anchor="end"'
    return (
        f'<text {named} x="{x:.2f}%" y="{y:.2f}%" dx="-8" dy="-.4em">{memory}</text>'
        f'<text {named} x="100%" y="{flat:.2f}%" dy="-.5em">{arithmetic}</text>'
    )


def _dots(edges: Frame, shown: Sequence[Product], language: str) -> Iterator[str]:
    """Each with a line to its name; names keep apart."""
    if not shown:
        return
    fastest = max(shown, key=lambda one: one.rate)
    places = [(100 * edges.across(one.intensity), 100 * edges.down(one.rate)) for one in shown]
    named = list(zip(shown, places, spread([y for _, y in places]), strict=True))
    for _, (x, y), height in named:
        yield f'<line class="pp-leader" x1="{x:.2f}%" y1="{y:.2f}%" x2="101%" y2="{height:.2f}%"/>'
    for one, (x, y), height in named:
        colour = f"var(--f-{COLOURS.get(one.kind, one.kind)})"
        name = escape(text(language, f"speed.kind.{one.kind}"))
        bold = ' font-weight="600"' if one == fastest else ""
        yield (
            f'<circle class="pp-kind" style="--m:{colour}" data-kind="{one.kind}" cx="{x:.2f}%" cy="{y:.2f}%" r="5"/>'
            f'<text class="pp-label" style="--m-text:{colour}" x="100%" dx="10" y="{height:.2f}%" dy=".35em"{bold}>'
            f"{name}</text>"
        )


def _across(edges: Frame, language: str) -> str:
    """Powers of ten along the bottom, and what they are."""
    powers = range(edges.left, edges.right + 1)
    figures = "".join(
        below((power - edges.left) / (edges.right - edges.left), written(language, 10.0**power), "1.5em") for power in powers
    )
    return figures + below(0.5, text(language, "speed.across"), "2.9em")
