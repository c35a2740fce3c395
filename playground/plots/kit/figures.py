"""
Numbers as the page writes them beside drawings: powers of ten, decibels, shares, short figures. One writer each.
"""

from __future__ import annotations

import math

from playground.locales import NO_BREAK, number, percent, significant


def signed(language: str, value: float) -> str:
    """A whole number with a real minus, ∞ for infinity."""
    size = "∞" if math.isinf(value) else number(language, abs(value))
    return ("−" if value < 0 else "") + size


def powered(value: float) -> str:
    """0, 100, 10⁶, −10³."""
    if not value:
        return "0"
    power = round(math.log10(abs(value)))
    return ("−" if value < 0 else "") + (f"{10**power}" if power < 3 else f"10{raised(power)}")


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN = -4, 7  # powers of ten that are written out: 0.0001 to 9,999,999


def written(language: str, value: float, figures: int = 7) -> str:
    """At most so many significant figures, no zeros at the end, powers of ten for what is tiny or huge: 1.001358 · 10⁻⁵."""
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if float(f"{abs(value):.{figures - 1}e}") >= 10.0 ** (power + 1):  # 9.9999999 is written as 10
        power += 1
    sign = "−" if value < 0 else ""
    if PLAIN[0] <= power < PLAIN[1]:
        return sign + _trimmed(language, abs(value), figures - 1 - power)
    factor = _trimmed(language, abs(value) / 10.0**power, figures - 1)
    return f"{sign}{factor}{NO_BREAK}·{NO_BREAK}10{raised(power)}"


def _trimmed(language: str, value: float, digits: int) -> str:
    """Rounded to so many decimals (below 0: to tens, hundreds), without zeros at the end."""
    shortest = f"{round(value, digits):.{max(0, digits)}f}".partition(".")[2].rstrip("0")
    return number(language, round(value, digits), len(shortest))


def raised(power: int) -> str:
    """A small number above the line: 10⁻⁵."""
    return str(power).translate(RAISED)


def share(language: str, value: float) -> str:
    """A part of 1 in percent; 99.97 % stays below 100 %."""
    if 0.99 < value < 1:
        return number(language, 100 * value, max(1, min(3, -math.floor(math.log10(100 - 100 * value))))) + NO_BREAK + "%"
    return percent(language, 100 * value)


def figure(language: str, value: float, figures: int = 3) -> str:
    """A measured number; very small and very large ones as 3.1·10⁻⁹."""
    if not value or 1e-5 <= abs(value) < 1e7:
        return significant(language, value, figures).replace("-", "−")
    power = math.floor(math.log10(abs(value)))
    return f"{number(language, value / 10.0**power, figures - 1)}·10{raised(power)}".replace("-", "−")


def decibels(language: str, value: float | None) -> str:
    """A ratio; None is one without any error (what has no signal is rounded without one too)."""
    return "∞" if value is None else number(language, value, 1).replace("-", "−") + NO_BREAK + "dB"


def power(count: int, language: str) -> str:
    """1, 10, … 10,000, and then 10⁵: there is no room for more."""
    return number(language, count) if count < 10**5 else "10" + raised(len(str(count)) - 1)


SMALLEST = 0.001  # nats; below it the table says "less than"


def nats(language: str, value: float) -> str:
    """0.23, < 0.001, 0."""
    return significant(language, value) if value >= SMALLEST or not value else f"< {significant(language, SMALLEST, 1)}"


def short(language: str, value: float) -> str:
    """28.8, 1,234, 5.3 × 10⁷."""
    if value < 1e6:
        return number(language, value, 1 if value < 1000 else 0)
    mantissa, _, exponent = f"{value:.1e}".partition("e+")
    return f"{number(language, float(mantissa), 1)} × 10{raised(int(exponent))}"
