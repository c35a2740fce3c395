"""
Numbers as they stand beside drawings and in tables: measured ones, decibels, shares, powers of ten. One writer each.

How a number itself is written in a language is in `playground.locales`.
"""

from __future__ import annotations

import math

from playground.locales import NO_BREAK, PLAIN, number, percent, raised, scientific, significant, trimmed

SMALLEST = 0.001  # nats; below it the table says "less than"


def signed(language: str, value: float) -> str:
    """A whole number with a real minus, ∞ for infinity."""
    size = "∞" if math.isinf(value) else number(language, abs(value))
    return ("−" if value < 0 else "") + size


def change(language: str, value: float, digits: int = 2) -> str:
    """What was added, with its sign; 0 where nothing was."""
    written = number(language, abs(value), digits)
    return "0" if written == number(language, 0, digits) else ("+" if value > 0 else "−") + written


def points(language: str, value: float) -> str:
    """What was added to a score, of 0 to 1, in points of a hundred: +6.25, −25, 0."""
    written = trimmed(language, 100 * abs(value))
    return ("" if written == "0" else "+" if value > 0 else "−") + written


def needed(value: float) -> int:
    """The decimals in which a difference can be seen: two, more for a smaller one."""
    return max(2, -math.floor(math.log10(abs(value)))) if value else 2


def powered(value: float) -> str:
    """A power of ten on an axis, or 0: 10⁰, 10², −10⁶, 10⁻⁴; none is written out, so that an axis has one notation."""
    return ("−" if value < 0 else "") + f"10{raised(round(math.log10(abs(value))))}" if value else "0"


def figure(language: str, value: float, figures: int = 3) -> str:
    """A measured number, with its zeros: 0.0430, 1,234, 3.10 × 10⁻⁹."""
    if not value or not math.isfinite(value) or math.floor(math.log10(abs(value))) in PLAIN:
        return significant(language, value, figures).replace("-", "−")
    return scientific(language, value, figures - 1)


def short(language: str, value: float) -> str:
    """A measured number of at least 1 in little room: 28.8, 1,234, 5.3 × 10⁷."""
    return scientific(language, value) if value >= 1e6 else number(language, value, 1 if value < 1000 else 0)


def share(language: str, value: float) -> str:
    """A part of 1 in percent; 99.97 % stays below 100 %."""
    return percent(language, 100 * value)


def decibels(language: str, value: float | None) -> str:
    """A ratio; None is one without any error (what has no signal is rounded without one too)."""
    return "∞" if value is None else number(language, value, 1).replace("-", "−") + NO_BREAK + "dB"


def nats(language: str, value: float) -> str:
    """0.23, < 0.001, 0."""
    return significant(language, value) if value >= SMALLEST or not value else f"< {significant(language, SMALLEST, 1)}"
