"""
A small table of figures, whose first column names its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain texts in, escaped here; it scrolls by itself where a screen is narrow."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    shown = f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="pp-scroll" tabindex="0"><table class="pp-figures">{shown}</table></div>'
