"""
One bar a layer: what a pruning takes from it, or how much it changes what passes it.

Pure: numbers in, an inline SVG out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from html import escape

from playground.locales import text
from playground.plots.kit.pieces import below, odd
from playground.plots.kit.svg import UNITS, axis_top, drawing, nice_step

EVERY = 5  # layers whose number stands below them
WIDE = 0.72  # of a layer's room that its bar fills


def bars(values: Sequence[float], gone: Collection[int], summary: str, figure: Callable[[float], str], language: str) -> str:
    """The bars of the layers in their order, those that are `gone` in another colour; `figure` writes the axis' numbers."""
    top, room = axis_top(max(values, default=1.0)), UNITS / max(1, len(values))
    step = nice_step(top, 4)
    lines = [(index * step / top, figure(index * step)) for index in range(round(top / step) + 1)]
    drawn = [_bar(place, value / top, room, place in gone, language, figure(value)) for place, value in enumerate(values)]
    marked = range(0, len(values), EVERY)
    layers = [below((place + 0.5) / len(values), str(place), "1.6em", odd(place // EVERY)) for place in marked]
    name = below(0.5, text(language, "lowrank.layer"), "2.8em")
    return f'<div class="pp-layers">{drawing(summary, lines, "".join(layers) + name, "".join(drawn))}</div>'


def _bar(place: int, height: float, room: float, gone: bool, language: str, figure: str) -> str:
    said = escape(text(language, "prune.bar", layer=place, value=figure))
    kind = ' class="pp-gone"' if gone else ""
    x, y = (place + (1 - WIDE) / 2) * room, UNITS * (1 - height)
    sides = f'width="{WIDE * room:.1f}" height="{UNITS * height:.1f}"'
    return f'<rect{kind} x="{x:.1f}" y="{y:.1f}" {sides}><title>{said}</title></rect>'
