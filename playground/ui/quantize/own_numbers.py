"""
A visitor's own numbers as their language writes them: what the field opens with, and what was typed, in another language.
"""

from __future__ import annotations

from playground.formats.distributions import may_be_decimal

COMMA = ("es",)  # languages whose decimal mark is a comma
NUMBERS = "0.12 -0.4 0.622 -0.05 0.31 -0.27 0.08 -0.9 0.44 -0.13 0.02 -0.35 0.71 -0.66 0.19 -0.21"


def opening(language: str) -> str:
    """What the field opens with."""
    return NUMBERS.replace(".", ",") if language in COMMA else NUMBERS


def retold(text: str, language: str, other: str) -> str:
    """What was typed in one language, so that the same numbers are read in another: 0.5 1.25 becomes 0,5 1,25."""
    if (language in COMMA) == (other in COMMA) or ";" in text or "\t" in text:
        return text
    if language in COMMA:
        return text.replace(",", ".") if may_be_decimal(text) else text
    if "," in text:
        return text.replace(",", ", ") if may_be_decimal(text) else text
    return text.replace(".", ",")
