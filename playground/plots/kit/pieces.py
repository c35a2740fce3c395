"""
What several of the lab's drawings are made of: axes, outlines, tables that scroll, bars in a cell.

Shares are from 0 to 1; what is drawn inside of `stretched` is in UNITS both ways. Knows nothing about what is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from playground.plots.kit.svg import UNITS


def stretched(inside: str) -> str:
    """A drawing of UNITS both ways that fills what it stands in, whatever that measures."""
    return (
        f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" width="100%" height="100%" overflow="visible">'
        f"{inside}</svg>"
    )


def below(share: float, written: str, row: str, kind: str = "") -> str:
    """A figure or a title under a drawing: where across, and how far down its baseline lies (1em: one line)."""
    place = f'x="{100 * share:.2f}%" y="100%" dy="{row}"'
    return f'<text class="pp-axis{kind}" {place} text-anchor="middle">{escape(written)}</text>'


def odd(index: int) -> str:
    """The class of every second figure of an axis: a narrow screen leaves it out."""
    return " pp-tick" + " pp-odd" * (index % 2)


def outline(heights: Sequence[float], width: float = UNITS, filled: bool = True) -> str:
    """A histogram's path by the share of the height of each bin; to be filled, it begins and ends on the ground."""
    tops = [f"{UNITS * (1 - height):.0f}" for height in heights]
    step = width / len(heights)
    path = "".join(f"V{top}H{(index + 1) * step:.1f}" for index, top in enumerate(tops))
    return f"M0 {UNITS}{path}V{UNITS}" if filled else f"M0 {tops[0]}{path}"


def columns(names: Iterable[str]) -> str:
    """The cells of a table's head."""
    return "".join(f'<th scope="col">{escape(name)}</th>' for name in names)


def table(kind: str, head: str, body: str, label: str = "") -> str:
    """A table of classes `kind` that may be wider than a phone; with a label, keys can reach and scroll it."""
    region = f' role="region" tabindex="0" aria-label="{escape(label)}"' if label else ""
    return (
        f'<div class="pp-scroll"{region}><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def rows(header: Sequence[str], cells: Iterable[Sequence[object]]) -> str:
    """The attribute that has what is seen as rows of a CSV (saving.js): unrounded, empty where nothing is known."""
    return f' data-rows="{escape(json.dumps([header, *cells], ensure_ascii=False))}"'


def measure(share: float, written: str) -> str:
    """A figure after a bar that is as long as its share of the largest."""
    return f'<span class="pp-measure" style="--v:{max(0.0, min(1.0, share)):.3f}">{escape(written)}</span>'


def captioned(title: str, drawing: str, kind: str = "") -> str:
    """A drawing below its title."""
    return f'<figure class="pp-drawn{kind}"><figcaption><b>{escape(title)}</b></figcaption>{drawing}</figure>'
