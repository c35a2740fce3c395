"""
The first steps from every initialization: a small chart each, over the same axes, beside a random start of the same method.

Pure: numbers in, inline SVG out. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean

from playground.locales import number, text
from playground.plots.kit.pieces import below, stretched
from playground.plots.kit.svg import UNITS, Point, axis_top, curve, y_axis


@dataclass(frozen=True)
class Panel:
    """
    A chart's name, the method whose colour it has, the runs of its seeds and those it is held against, by step; what a
    screen reader says, and what stands below.
    """

    name: str
    method: str
    runs: Sequence[Sequence[Point]]
    plain: Sequence[Sequence[Point]]
    summary: str
    below: str


def panels(shown: Sequence[Panel], steps: int, language: str) -> str:
    """All of them, up to the largest mean loss of any that is drawn."""
    means = [loss for one in shown for runs in (one.runs, one.plain) for _, loss in mean(runs)]
    top = axis_top(max(means, default=1.0))
    return f'<div class="pp-starts">{"".join(_panel(one, steps, top, language) for one in shown)}</div>'


def mean(runs: Sequence[Sequence[Point]]) -> list[Point]:
    """Of the losses at every step that all runs have."""
    known = [dict(one) for one in runs]
    return [(step, fmean(one[step] for one in known)) for step in _steps(runs)]


def _steps(runs: Sequence[Sequence[Point]]) -> list[int]:
    there = [{step for step, _ in one} for one in runs]
    return sorted(set.intersection(*there)) if there else []


def _panel(panel: Panel, steps: int, top: float, language: str) -> str:
    drawn = stretched(
        f'<g class="pp-plain">{curve(mean(panel.plain), steps, top, "pp-held-out")}</g>'
        f"{_band(panel.runs, steps, top)}{curve(mean(panel.runs), steps, top, 'pp-held-out')}"
    )
    return (
        f'<figure style="--m:var(--m-{panel.method});--m-text:var(--m-{panel.method}-text)">'
        f"<figcaption><b>{escape(panel.name)}</b></figcaption>"
        f'<svg class="pp-loss" role="img" aria-label="{escape(panel.summary)}" style="--label:0">'
        f"{y_axis(top, language)}{_steps_axis(steps, language)}{drawn}</svg>"
        f'<p class="pp-soft pp-small">{panel.below}</p></figure>'
    )


def _steps_axis(steps: int, language: str) -> str:
    """The first step, the middle and the last: a small chart has no room for more."""
    figures = "".join(below(share, number(language, share * steps), "1.6em") for share in (0, 0.5, 1))
    return figures + below(0.5, text(language, "loss.step"), "2.7em")


def _band(runs: Sequence[Sequence[Point]], steps: int, top: float) -> str:
    """From the lowest to the highest seed."""
    known, there = [dict(one) for one in runs], _steps(runs)
    if len(runs) < 2 or len(there) < 2:
        return ""
    upper = [(step, max(one[step] for one in known)) for step in there]
    lower = [(step, min(one[step] for one in known)) for step in reversed(there)]
    corners = " ".join(
        f"{UNITS * step / steps:.1f},{UNITS * (1 - min(loss, 2 * top) / top):.1f}" for step, loss in (*upper, *lower)
    )
    return f'<polygon class="pp-band" points="{corners}"/>'
