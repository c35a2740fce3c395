"""A QR code (ISO/IEC 18004) as SVG, dark on light also on a dark page: that is what cameras read."""

from __future__ import annotations

from html import escape

import segno


def qr(text: str, label: str) -> str:
    """`text` with error correction M or better (15 % of it may be hidden), in a border of four modules of light."""
    drawn = segno.make_qr(text, error="m").svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
    return f'<span class="pp-qr" role="img" aria-label="{escape(label)}">{drawn}</span>'
