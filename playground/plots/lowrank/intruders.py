"""
The spectrum of a tuned weight with its intruders marked. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from playground.locales import counted, significant, text
from playground.plots.kit.svg import y_axis
from playground.plots.lowrank.adapter import ROOM
from playground.plots.lowrank.axis import below


def marked(values: Sequence[float], cosines: Sequence[float], intruders: Collection[int], top_k: int, language: str) -> str:
    """
    The first singular values of W + ΔW as bars, those among the first `top_k` filled, `intruders` (places from 0) in a
    colour of their own with a mark above.
    """
    places, top = len(values), ROOM * 1.08 * (max(values, default=0.0) or 1.0)
    width = 100 / max(1, places)
    bars = []
    for place, (value, cosine) in enumerate(zip(values, cosines, strict=True)):
        kind = "pp-intruder" if place in intruders else "pp-kept" if place < top_k else "pp-cut"
        title = f"σ{place + 1} = {significant(language, value, 3)} · max |cos| = {significant(language, cosine)}"
        bars.append(
            f'<rect class="{kind}" x="{width * (place + 0.14):.2f}%" width="{width * 0.72:.2f}%" '
            f'y="{100 * (1 - value / top):.2f}%" height="{100 * value / top:.2f}%"><title>{escape(title)}</title></rect>'
        )
        if place in intruders:
            bars.append(
                f'<text class="pp-axis pp-intruder" x="{width * (place + 0.5):.2f}%" y="{100 * (1 - value / top):.2f}%" '
                f'dy="-.4em" text-anchor="middle" aria-hidden="true">▼</text>'
            )
    label = escape(counted(language, "repair.spectrum.label", len(intruders)))
    ticks = range(1, places + 1, max(1, places // 10))
    return (
        f'<svg class="pp-loss pp-spectrum" role="img" aria-label="{label}" style="--label:5">{y_axis(top, language)}'
        f"{''.join(bars)}{below(ticks, places, text(language, 'repair.spectrum.axis'), language)}</svg>"
    )
