"""
A block of a GGUF file as HTML: its numbers on their levels, and its bytes by what they hold.

Takes plain numbers, gives strings. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.locales import text
from playground.plots.kit.figures import figure
from playground.plots.kit.svg import UNITS, drawing

PARTS = {"q4_1": (("scale", 2), ("minimum", 2), ("codes", 16)), "q8_0": (("scale", 2), ("codes", 32))}  # bytes, in order
GAP = 0.25  # of the width of a bar


def levels(codes: Sequence[int], scale: float, minimum: float, top: int, language: str) -> str:
    """A bar a number, as high as its code; the lines are levels, named by the weights that they stand for."""
    wide = UNITS / len(codes)
    bars = "".join(
        f'<rect class="pp-level" x="{wide * (place + GAP / 2):.1f}" y="{UNITS * (1 - code / top):.1f}" '
        f'width="{wide * (1 - GAP):.1f}" height="{max(UNITS * code / top, 6):.1f}"><title>{code}</title></rect>'
        for place, code in enumerate(codes)
    )
    lines = [(code / top, figure(language, minimum + code * scale, 2)) for code in (0, top // 3, 2 * top // 3, top)]
    return drawing(text(language, "blocks.drawn"), lines, "", bars)


def stored(format: str, packed: bytes, language: str) -> str:
    """The bytes in hexadecimal, each part under its name."""
    drawn, at = [], 0
    for name, count in PARTS[format]:
        figures = " ".join(f"{byte:02x}" for byte in packed[at : at + count])
        title = escape(text(language, f"blocks.part.{name}"))
        drawn.append(f'<span class="pp-byte-{name}"><small>{title}</small><code>{figures}</code></span>')
        at += count
    return f'<p class="pp-bytes">{"".join(drawn)}</p>'
