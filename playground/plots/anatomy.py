"""
One number drawn: its bits as cells, and the ruler of all numbers from −1 to 1 with the value and what is stored of it.

Takes numbers, gives HTML; positions are relative, so a ruler fits any width and moves without a flicker. Knows nothing
about formats or pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from playground.locales import NO_BREAK, number
from playground.plots.loss import UNITS

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN = -4, 7  # powers of ten that are written out: 0.0001 to 9,999,999


def written(language: str, value: float, figures: int = 7) -> str:
    """At most so many significant figures, no zeros at the end, powers of ten for what is tiny or huge: 1.001358 · 10⁻⁵."""
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if float(f"{abs(value):.{figures - 1}e}") >= 10.0 ** (power + 1):  # 9.9999999 is written as 10
        power += 1
    sign = "−" if value < 0 else ""
    if PLAIN[0] <= power < PLAIN[1]:
        return sign + _trimmed(language, abs(value), figures - 1 - power)
    factor = _trimmed(language, abs(value) / 10.0**power, figures - 1)
    return f"{sign}{factor}{NO_BREAK}·{NO_BREAK}10{raised(power)}"


def _trimmed(language: str, value: float, digits: int) -> str:
    """Rounded to so many decimals (below 0: to tens, hundreds), without zeros at the end."""
    shortest = f"{round(value, digits):.{max(0, digits)}f}".partition(".")[2].rstrip("0")
    return number(language, round(value, digits), len(shortest))


def raised(power: int) -> str:
    """A small number above the line: 10⁻⁵."""
    return str(power).translate(RAISED)


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
    return (
        f'<svg class="pp-ruler" role="img" aria-label="{escape(summary)}">'
        f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" width="100%" height="100%" overflow="visible">'
        f"{drawn}</svg>{middle}{line}{dot}</svg>"
    )


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
