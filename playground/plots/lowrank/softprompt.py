"""
The soft-prompt view as figures: the virtual tokens among the vocabulary, and what each one is worth.

Takes the core's reports, gives a plotly figure and an inline SVG. The SVG has room for every bar from
the start, so bars appear without redrawing. Knows nothing about models or pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from playground.locales import counted, number, percent, significant, text
from playground.plots.kit import charts
from playground.plots.kit.svg import nice_step
from playground.plots.lowrank.axis import below, decimals

if TYPE_CHECKING:
    from playground.lowrank.softprompt import Importance, Projection


Place = tuple[float | None, float | None]  # nowhere ends a line
COLOUR = charts.COLOURS["prompt_tuning"]
SMALLEST_SPAN = 0.05  # nats that the bars' axis covers at least: noise shall not fill the figure
GAP = 0.25  # of a bar's place
MOST_TICKS = 10
HOVER = "%{text}<extra></extra>"  # on hover
VISIBLE_SPACES = str.maketrans(" \n\t", "␣↵⇥")


def projection_figure(points: Projection, language: str) -> go.Figure:
    """The vocabulary's sample grey, the virtual tokens hollow at the start and filled now, a line between the two."""
    figure = go.Figure()

    def dots(places: Sequence[Place], key: str, labels: Sequence[str], marker: dict[str, Any], **more: Any) -> None:
        x, y = columns(places)
        figure.add_scatter(
            x=x, y=y, name=text(language, key), text=labels, hovertemplate=HOVER, marker=marker,
            **{"mode": "markers", **more},
        )  # fmt: skip

    grey = {"size": 4, "color": charts.COLOURS["base"], "opacity": 0.45}
    dots(points.vocabulary, "softprompt.vocabulary", [visible(word) for word in points.words], grey)
    labels = [number(language, position) for position in range(1, len(points.now) + 1)]
    if points.start:
        pairs = zip(points.start, points.now, strict=True)
        x, y = columns([place for start, now in pairs for place in (start, now, (None, None))])
        line = {"width": 1, "color": COLOUR}
        figure.add_scatter(x=x, y=y, mode="lines", line=line, opacity=0.6, hoverinfo="skip", showlegend=False)
        dots(points.start, "softprompt.at_start", labels, {"size": 9, "symbol": "circle-open", "color": COLOUR})
    named = {"mode": "markers+text", "textposition": "top center", "textfont": {"size": 11}}
    dots(points.now, "softprompt.at_now", labels, {"size": 9, "color": COLOUR}, **named)
    names = [
        text(language, "softprompt.axis", axis=number(language, axis), share=percent(language, 100 * share))
        for axis, share in enumerate(points.shares, start=1)
    ]
    return charts.styled(figure, language, 420, *names)


def columns(points: Sequence[Place]) -> tuple[list[float | None], list[float | None]]:
    """x and y, rounded: what is drawn needs no more figures."""
    x, y = zip(*points, strict=True) if points else ((), ())
    return [rounded(value) for value in x], [rounded(value) for value in y]


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def visible(word: str) -> str:
    """A token on hover, its spaces and line breaks seen; plotly reads a little HTML, so that is escaped."""
    return escape(word.translate(VISIBLE_SPACES))


def importance_bars(event: Importance, language: str) -> str:
    """How far the held-out loss rises (up) or falls (down) without each virtual token; named by its live numbers."""
    rises = [loss - event.whole for loss in event.losses]
    low, high = min(0.0, *rises, 0.0), max(0.0, *rises, 0.0)
    high = max(high, low + SMALLEST_SPAN)
    span = 1.08 * (high - low)
    zero = 100 * high / span

    def bar(position: int, rise: float) -> str:
        top, height = zero - 100 * max(rise, 0.0) / span, 100 * abs(rise) / span
        left, width = 100 * (position + GAP / 2) / event.tokens, 100 * (1 - GAP) / event.tokens
        title = f"{number(language, position + 1)}: {signed(language, rise)}"
        kind = "pp-rise" if rise >= 0 else "pp-fall"
        return (
            f'<rect class="{kind}" x="{left:.2f}%" y="{top:.2f}%" width="{width:.2f}%" height="{height:.2f}%">'
            f"<title>{title}</title></rect>"
        )

    bars = "".join(bar(position, rise) for position, rise in enumerate(rises))
    return (
        f'<svg class="pp-bars" role="img" aria-label="{escape(importance_summary(event, language))}">'
        f"{grid(low, high, span, language)}{bars}{ticks(event.tokens, language)}</svg>"
    )


def grid(low: float, high: float, span: float, language: str) -> str:
    """Lines at round differences, zero stronger, with their numbers in nats."""
    step = nice_step(high - low, 4)
    digits = decimals(step)
    drawn = []
    for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        y = 100 * (high - index * step) / span
        kind = "pp-grid" if index else "pp-zero"
        figure = signed(language, index * step, digits) if index else "0"
        drawn.append(
            f'<line class="{kind}" x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>'
            f'<text class="pp-axis" x="0" dx="-8" y="{y:.2f}%" dy=".35em" text-anchor="end">{figure}</text>'
        )
    return "".join(drawn)


def ticks(count: int, language: str) -> str:
    """The virtual tokens' numbers, not more than fit on a phone, and what they number."""
    step = max(1, math.ceil(count / MOST_TICKS))
    shown = sorted({1, *range(step, count + 1, step)}) if count < 2 * MOST_TICKS + 1 else range(step, count + 1, step)
    return below(shown, count, text(language, "softprompt.left_out"), language)


def signed(language: str, value: float, digits: int = 3) -> str:
    """+0.093, −0.018."""
    return ("\N{MINUS SIGN}" if value < 0 else "+") + number(language, abs(value), digits)


def importance_summary(event: Importance, language: str) -> str:
    """One sentence with the numbers that the bars show."""
    whole = significant(language, event.whole, 3)
    if event.none is None:
        return text(language, "softprompt.whole", whole=whole)
    none = significant(language, event.none, 3)
    if not event.losses:
        return text(language, "softprompt.whole_and_none", whole=whole, none=none)
    most = max(range(len(event.losses)), key=event.losses.__getitem__)
    values = {"whole": whole, "none": none, "position": number(language, most + 1)}
    values |= {"rise": signed(language, event.losses[most] - event.whole)}
    if len(event.losses) == event.tokens:
        return text(language, "softprompt.most_all", **values)
    return counted(language, "softprompt.most", len(event.losses), tokens=number(language, event.tokens), **values)
