"""
Two trainings in one chart: held-out loss dashed, training loss solid and faint; LoRA and QLoRA by colour, and QLoRA's points
are rings. And the losses that merging leads to, a bar each.

Pure: numbers in, an inline SVG or a table out. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

from playground.locales import significant, text
from playground.plots.kit.pieces import columns, measure, stretched, table
from playground.plots.kit.svg import EMPTY_TOP, UNITS, Point, axis_top, curve, finite, labels, x_axis, y_axis

if TYPE_CHECKING:
    from playground.quantize.merging import Losses


RINGS = 8  # on a line of many points
Curves = Mapping[str, Sequence[Point]]  # "losses" and "held_out" of one training


def curves(lora: Curves, qlora: Curves, names: tuple[str, str], steps: int, summary: str, language: str) -> str:
    """Both trainings so far over the planned `steps`; `summary` is what a screen reader says."""
    sides = [{part: finite(side.get(part)) for part in ("losses", "held_out")} for side in (lora, qlora)]
    points = [point for side in sides for part in side.values() for point in part]
    top = axis_top(max((loss for _, loss in points), default=EMPTY_TOP))
    steps = max([1, steps, *(step for step, _ in points)])
    drawn = "".join(
        f'<g style="--m:var(--m-{method})"><g class="pp-pale">{curve(side["losses"], steps, top, "")}'
        f"{mark(side['losses'][:: max(1, len(side['losses']) // RINGS)], steps, top)}</g>"
        f"{curve(side['held_out'], steps, top, 'pp-held-out')}{mark(side['held_out'], steps, top)}</g>"
        for side, method, mark in zip(sides, ("lora", "qlora"), (_unmarked, _rings), strict=True)
    )
    ends = labels(sides[0]["held_out"], sides[1]["held_out"], names, steps, top)
    axes = y_axis(top, language) + x_axis(steps, language)
    return (
        f'<svg class="pp-loss pp-pair" role="img" aria-label="{escape(summary)}" '
        f'style="--m-text:var(--m-lora-text);--label:{max(map(len, names))}">{axes}{stretched(drawn)}{ends}</svg>'
    )


def _unmarked(points: Sequence[Point], steps: int, top: float) -> str:
    return ""


def _rings(points: Sequence[Point], steps: int, top: float) -> str:
    """A ring at each point: a dot, and a smaller one of the card's colour over it."""
    dots = "".join(f"M{UNITS * step / steps:.1f} {UNITS * (1 - loss / top):.1f}h.01" for step, loss in points)
    return 2 * f'<path class="pp-rings" vector-effect="non-scaling-stroke" d="{dots}"/>' if dots else ""


def merged(losses: Losses, language: str) -> str:
    """Held-out losses of the NF4 base, with the adapter, and with it merged into either base."""
    rows = {
        "qlora.merge.base": losses.base,
        "qlora.merge.on_nf4": losses.adapter,
        "qlora.merge.into_nf4": losses.merged,
        "qlora.merge.into_float": losses.merged_float,
    }
    top = max(filter(isfinite, rows.values()), default=0.0) or 1.0
    body = "".join(
        f'<tr><th scope="row">{escape(text(language, name))}</th><td>{_loss(loss, top, language)}</td></tr>'
        for name, loss in rows.items()
    )
    drawn = table("pp-effects", columns([text(language, "column.model"), text(language, "qlora.merge.loss")]), body)
    return f'<div style="--m:var(--m-qlora)">{drawn}</div>'


def _loss(loss: float, top: float, language: str) -> str:
    if not isfinite(loss):
        return text(language, "number.overflows")
    return measure(loss / top, significant(language, loss, 3))
