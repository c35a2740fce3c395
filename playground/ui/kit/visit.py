"""
What every part of the page knows: who looks at it, in which language, on which base.

A browser keeps the first two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Visit:
    """`key` is the secret of the visitor's session, "" while the page still opens; the sections' values add their own."""

    key: str
    language: str
    base: str


def key_of(kept: object) -> str:
    """The key that a browser has kept, "" for what is none."""
    return kept if isinstance(kept, str) and re.fullmatch("[0-9a-f]{32}", kept) else ""
