"""
Several trainings in one chart: held-out losses dashed, training losses faint, each line with its racer's number and method
beside its end.

Pure: numbers in, an inline SVG out. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.locales import text
from playground.plots.kit.pieces import rows, stretched
from playground.plots.kit.svg import EMPTY_TOP, axis_top, curve, finite, spread, x_axis, y_axis, y_name
from playground.plots.loss import COLUMNS, both

SHADES = (
    100,
    62,
    38,
    24,
    14,
    8,
)  # percent of a method's colour in that of its first, second, … racer; the rest is ink; then again


def colours(methods: Sequence[str]) -> list[str]:
    """The style of each racer: its method's colours, darker (lighter on dark) for a second of one method."""
    styles = []
    for place, method in enumerate(methods):
        share = SHADES[methods[:place].count(method) % len(SHADES)]
        mixed = ";".join(
            f"--m{part}:color-mix(in srgb,var(--m-{method}{part}) {share}%,var(--pp-ink))" for part in ("", "-text")
        )
        styles.append(f'style="{mixed}"')
    return styles


def curves(racers: Sequence[Mapping[str, Any]], steps: int, summary: str, language: str, whole: bool = False) -> str:
    """
    All racers so far (views with "number", "method", "losses" and "held_out") over the planned `steps`; `summary` is what
    a screen reader says. A `whole` chart has its points along, to be saved.
    """
    sides = [[finite(one.get(part)) for part in ("losses", "held_out")] for one in racers]
    points = [point for side in sides for part in side for point in part]
    top = axis_top(max((loss for _, loss in points), default=EMPTY_TOP))
    steps = max([1, steps, *(step for step, _ in points)])
    styles = colours([one["method"] for one in racers])
    drawn = "".join(
        f'<g {style}><g class="pp-pale">{curve(losses, steps, top, "")}</g>{curve(held_out, steps, top, "pp-held-out")}</g>'
        for style, (losses, held_out) in zip(styles, sides, strict=True)
    )
    methods = [text(language, f"methods.{one['method']}.name") for one in racers]
    names = [f"{one['number']} {name}" for one, name in zip(racers, methods, strict=True)]
    ends = [
        (name, style, max((*held_out[-1:], *losses[-1:]), key=lambda point: point[0]))
        for name, style, (losses, held_out) in zip(names, styles, sides, strict=True)
        if losses or held_out
    ]
    heights = spread([100 * (1 - loss / top) for _, _, (_, loss) in ends])
    labels = "".join(
        f'<text class="pp-label" {style} x="{100 * step / steps:.2f}%" dx="10" y="{y:.2f}%" dy=".35em">{escape(name)}</text>'
        for (name, style, (step, _)), y in zip(ends, heights, strict=True)
    )
    measured = [(one["number"], one["method"], *row) for one in racers for row in both(one)] if whole else []
    told = rows(("racer", "method", *COLUMNS), measured) if measured else ""
    return (
        f'<svg class="pp-loss pp-pair"{y_name(language)}{told} role="img" aria-label="{escape(summary)}" '
        f'style="--label:{max(map(len, names), default=0)}">{y_axis(top, language)}{x_axis(steps, language)}'
        f"{stretched(drawn)}{labels}</svg>"
    )
