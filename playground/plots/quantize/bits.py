"""
One number drawn: its bits as cells, and the ruler of all numbers from −1 to 1 with the value and what is stored of it.

Takes numbers, gives HTML; positions are relative, so a ruler fits any width and moves without a flicker. Knows nothing
about formats or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.locales import written
from playground.plots.kit.pieces import stretched
from playground.plots.kit.svg import UNITS


def cells(parts: Sequence[tuple[str, str, str]]) -> str:
    """Bits in groups of (class, name, bits), one cell each; a group says its name and bits when it is pointed at."""
    groups = "".join(
        f'<span class="pp-bit-group pp-{kind}" title="{escape(f"{name}: {bits}")}">'
        f"{''.join(f'<i>{bit}</i>' for bit in bits)}</span>"
        for kind, name, bits in parts
        if bits
    )
    return f'<span class="pp-bits">{groups}</span>'


def ruler(values: Sequence[float], half: float, value: float, stored: float, summary: str) -> str:
    """
    A tick for each number (no numbers: more than can be drawn), a bar from −half to half above, a line at the value, a
    dot at what is stored.
    """
    ticks = "".join(f"M{place(number_):.1f} 0V{UNITS}" for number_ in values)
    drawn = (
        f'<path class="pp-ticks{" pp-many" if len(values) > 64 else ""}" vector-effect="non-scaling-stroke" d="{ticks}"/>'
        if values
        else f'<rect class="pp-all" width="{UNITS}" height="{UNITS}"/>'
    )
    middle = f'<line class="pp-half" x1="{share(-half)}" x2="{share(half)}" y1="-4" y2="-4"/>'
    line = f'<line class="pp-value" x1="{share(value)}" x2="{share(value)}" y1="-8" y2="100%"/>' if abs(value) <= 1 else ""
    dot = f'<circle class="pp-stored" cx="{share(stored)}" cy="100%" r="4.5"/>' if abs(stored) <= 1 else ""
    figures = f"{stretched(drawn)}{middle}{line}{dot}"
    return f'<svg class="pp-ruler" role="img" aria-label="{escape(summary)}">{figures}</svg>'


def axis(language: str) -> str:
    """The figures below the last ruler."""
    figures = "".join(
        f'<text class="pp-axis" x="{share(here)}" y="1em" text-anchor="middle">{written(language, here)}</text>'
        for here in (-1.0, -0.5, 0.0, 0.5, 1.0)
    )
    return f'<svg class="pp-ruler pp-ruler-axis" aria-hidden="true">{figures}</svg>'


def place(value: float) -> float:
    return UNITS * (1 + value) / 2


def share(value: float) -> str:
    return f"{50 * (1 + value):.3f}%"
