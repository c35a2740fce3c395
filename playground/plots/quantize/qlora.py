"""
Two trainings in one chart: LoRA's lines are solid, QLoRA's dashed; held-out loss strong, training loss pale.

Pure: points in, an inline SVG out, drawn with the pieces of playground.plots.loss. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from playground.plots.kit.svg import EMPTY_TOP, UNITS, Point, curve, finite, labels, x_axis, y_axis

Curves = Mapping[str, Sequence[Point]]  # "losses" and "held_out" of one training


def curves(lora: Curves, qlora: Curves, names: tuple[str, str], steps: int, summary: str, language: str) -> str:
    """Both trainings so far over the planned `steps`; `summary` is what a screen reader says."""
    sides = [{part: finite(side.get(part)) for part in ("losses", "held_out")} for side in (lora, qlora)]
    points = [point for side in sides for part in side.values() for point in part]
    top = 1.04 * max((loss for _, loss in points), default=EMPTY_TOP) or 1.0
    steps = max([1, steps, *(step for step, _ in points)])
    drawn = "".join(
        f'<g class="{kind}" style="--m:var(--m-{method})"><g class="pp-pale">{curve(side["losses"], steps, top, "")}</g>'
        f"{curve(side['held_out'], steps, top, '')}</g>"
        for side, method, kind in zip(sides, ("lora", "qlora"), ("pp-first", "pp-second"), strict=True)
    )
    ends = labels(sides[0]["held_out"], sides[1]["held_out"], names, steps, top)
    axes = y_axis(top, language) + x_axis(steps, language)
    return (
        f'<svg class="pp-loss pp-pair" role="img" aria-label="{escape(summary)}" '
        f'style="--m-text:var(--m-lora-text);--label:{max(map(len, names))}">{axes}'
        f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" width="100%" height="100%" overflow="visible">'
        f"{drawn}</svg>{ends}</svg>"
    )
