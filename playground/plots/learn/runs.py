"""
Several runs in one chart: a value by step, each line named beside its end.

Pure: numbers in, an inline SVG out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from playground.plots.kit.pieces import stretched
from playground.plots.kit.svg import Point, axis_top, curve, finite, spread, x_axis, y_axis


@dataclass(frozen=True)
class Line:
    """What it is called, the method or format whose colour it has ("--m-lora"), dashed or not, and its points by step."""

    name: str
    colour: str
    points: Sequence[Point]
    dashed: bool = False

    @property
    def style(self) -> str:
        return f'style="--m:var({self.colour});--m-text:var({self.colour}-text,var({self.colour}))"'


def curves(lines: Sequence[Line], summary: str, language: str) -> str:
    """All of them over the steps; `summary` is what a screen reader says. Where a run is no number any more it ends."""
    known = [(line, points) for line in lines if (points := finite(line.points))]
    steps = max(step for _, points in known for step, _ in points)
    top = axis_top(max(value for _, points in known for _, value in points))
    drawn = "".join(
        f"<g {line.style}>{curve(points, steps, top, 'pp-held-out' if line.dashed else '')}</g>" for line, points in known
    )
    heights = spread([100 * (1 - points[-1][1] / top) for _, points in known])
    labels = "".join(
        f'<text class="pp-label" {line.style} x="{100 * points[-1][0] / steps:.2f}%" dx="10" y="{y:.2f}%" dy=".35em">'
        f"{escape(line.name)}</text>"
        for (line, points), y in zip(known, heights, strict=True)
    )
    longest = max(len(line.name) for line, _ in known)
    return (
        f'<svg class="pp-loss pp-pair pp-run-curves" role="img" aria-label="{escape(summary)}" style="--label:{longest}">'
        f"{y_axis(top, language)}{x_axis(steps, language)}{stretched(drawn)}{labels}</svg>"
    )
