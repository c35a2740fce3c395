"""
What every part of the page knows: who looks at it, in which language, on which base.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Visit:
    """`key` is the secret of the visitor's session, "" while the page still opens; the sections' values add their own."""

    key: str
    language: str
    base: str
