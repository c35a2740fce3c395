"""
A table as HTML: heads, and rows of cells that are drawn already.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def table(kind: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    """A table of the class `kind`; heads are plain text, a row is the HTML of its cells."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def row_head(said: str) -> str:
    """The first cell of a row, which names it."""
    return f'<th scope="row">{escape(said)}</th>'
