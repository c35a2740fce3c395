"""
Quantization-aware training drawn: how the errors of a small layer fall, in float and rounded.

Takes the steps so far, gives inline SVG that grows in place. Knows nothing about models or pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from playground.locales import NO_BREAK, number, text
from playground.plots.kit.figures import share
from playground.plots.kit.svg import UNITS, drawing, x_axis

if TYPE_CHECKING:
    from playground.formats.straight_through import AwareStep


LINES = {"float_loss": "aware.float", "rounded_after": "aware.rounded_after", "trained_rounded": "aware.trained_rounded"}
LOWEST, HIGHEST = -4, 1  # powers of ten that the axis spans


def curve(steps: Sequence[AwareStep], planned: int, language: str) -> str:
    """Errors by step, on a log scale, and below them what each line is with its latest figure."""
    low, span = LOWEST, HIGHEST - LOWEST
    lines = [
        ((here - low) / span, number(language, 100 * 10.0**here, max(0, -here - 2)) + NO_BREAK + "%")
        for here in range(low, HIGHEST + 1)
    ]
    drawn, names = "", ""
    for name, key in LINES.items():
        points = [(one.step, getattr(one, name)) for one in steps]
        places = " L".join(
            f"{UNITS * step / planned:.1f} {UNITS * (1 - (math.log10(max(loss, 10.0**low)) - low) / span):.1f}"
            for step, loss in points
        )
        if places:
            drawn += f'<path class="pp-curve pp-line-{name}" vector-effect="non-scaling-stroke" d="M{places}"/>'
        latest = share(language, points[-1][1]) if points else ""
        names += f'<span class="pp-line-{name}">{escape(text(language, key))} <b>{escape(latest)}</b></span>'
    chart = drawing(text(language, "aware.curve"), lines, x_axis(planned, language), drawn)
    return f'<div class="pp-aware">{chart}<p class="pp-lines">{names}</p></div>'
