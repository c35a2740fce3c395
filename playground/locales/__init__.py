"""
Every word that a visitor reads, and how numbers are written, in each language.

One JSON file per language, the same flat keys in all of them; `{name}` marks what a sentence is filled with.
Knows nothing about the page or the models.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "es": "Español"}
DEFAULT = "en"
NO_BREAK = "\N{NO-BREAK SPACE}"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN = range(-4, 7)  # powers of ten that are written out: 0.0001 to 9,999,999


@cache
def words(language: str) -> dict[str, str]:
    """All sentences of one language, by key. Raises KeyError for a language that is none of LANGUAGES."""
    if language not in LANGUAGES:
        raise KeyError(language)
    found: dict[str, str] = json.loads(Path(__file__).with_name(f"{language}.json").read_text(encoding="utf-8"))
    return found


def text(language: str, key: str, **values: object) -> str:
    """The sentence `key` in `language`, filled with `values`. Raises KeyError if there is no such sentence."""
    return words(language)[key].format(**values)


def counted(language: str, key: str, count: int, **values: object) -> str:
    """
    The sentence `key` about `count` of something, `key.one` about one, `key.none` about none where that is another sentence;
    `{count}` is the number as it is written.
    """
    form = f"{key}.one" if count == 1 else f"{key}.none" if count == 0 and f"{key}.none" in words(language) else key
    return text(language, form, count=number(language, count), **values)


def listed(language: str, names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`; in Spanish `e` before a name that begins with the sound of `i`."""
    *before, last = names
    vowel = re.match(r"(?i)h?[ií](?![aeou])", last)
    key = "list.and.vowel" if vowel else "list.and"
    return text(language, key, before=", ".join(before), last=last) if before else last


def machine(language: str, recorded: str) -> str:
    """
    The hardware that a record names ("CPU, 2 threads, x86_64"; "Intel(R) Xeon(R) @ 2.80GHz, 2 cores; Python 3.11"), in words
    and without the versions; not yet escaped.
    """
    said = re.sub(r"(\d+) threads", lambda found: counted(language, "lab.threads", int(found[1])), recorded)
    said = re.sub(r"(\d+) cores", lambda found: counted(language, "lab.cores", int(found[1])), said)
    said = re.sub(r"(\d+\.\d+) ?GHz", lambda one: f"{number(language, float(one[1]), 2)}{NO_BREAK}GHz", said)
    return said.partition(";")[0].replace("(R)", "").replace(" @ ", ", ")


def choose(*wishes: object) -> str:
    """
    The first language that one of `wishes` asks for: plain codes ("es") or Accept-Language headers ("es-MX,en;q=0.8").
    What is no text asks for none.
    """
    for wish in wishes:
        for part in (wish if isinstance(wish, str) else "").split(","):
            code = part.split(";")[0].strip().lower().split("-")[0]
            if code in LANGUAGES:
                return code
    return DEFAULT


def number(language: str, value: float, digits: int = 0) -> str:
    """`460,800` in English; `460 800` in Spanish, where four digits stay together (Ortografía de la RAE, 2010)."""
    written = f"{value:,.{digits}f}"
    if language != "es":
        return written
    whole, _, fraction = written.partition(".")
    groups = whole.split(",")
    separator = NO_BREAK if len(groups) > 2 or len(groups[0].lstrip("-")) > 1 else ""
    return separator.join(groups) + ("," + fraction if fraction else "")


def significant(language: str, value: float, figures: int = 2) -> str:
    """`value` with at least `figures` significant figures and no exponent: 0.0043, 0.34, 100."""
    if value == 0 or not math.isfinite(value):
        return number(language, value)
    return number(language, value, max(0, figures - 1 - math.floor(math.log10(abs(value)))))


def trimmed(language: str, value: float) -> str:
    """With at most three decimals, and none that says nothing: 4.127, 4.5, 16. Bits per parameter are written so."""
    return number(language, value, next((digits for digits in range(3) if abs(round(value, digits) - value) < 5e-4), 3))


def raised(power: int) -> str:
    """A small number above the line: ⁻⁵."""
    return str(power).translate(RAISED)


def scientific(language: str, value: float, digits: int = 1) -> str:
    """So many decimals and a power of ten, for what is tiny or huge: 5.3 × 10⁷."""
    if not math.isfinite(value):
        return number(language, value)
    factor, _, power = f"{value:.{digits}e}".partition("e")
    written = f"{number(language, float(factor), digits)}{NO_BREAK}×{NO_BREAK}10{raised(int(power))}"
    return written.replace("-", "−")


def written(language: str, value: float, figures: int = 7) -> str:
    """A number that is meant exactly, such as a learning rate, without zeros at its end: 0.01, 1.001358 × 10⁻⁵."""
    factor, _, power = f"{value:.{figures - 1}e}".partition("e")
    digits = len(factor.partition(".")[2].rstrip("0"))
    if value and int(power) not in PLAIN:
        return scientific(language, value, digits)
    return number(language, float(f"{factor}e{power}") or 0, max(0, digits - int(power))).replace("-", "−")


def percent(language: str, value: float) -> str:
    """`value` is in percent already: 0.34 gives `0.34 %`. What lies below 100 stays below it: `99.97 %`."""
    if 99 < value < 100:
        least = min(value, 99.999)
        return number(language, least, min(3, max(1, -math.floor(math.log10(100 - least))))) + NO_BREAK + "%"
    return significant(language, value) + NO_BREAK + "%"


def size(language: str, count: float) -> str:
    """Bytes in decimal units, as disks and downloads count them: 1_843_200 gives `1.8 MB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return number(language, count, 1 if unit in ("MB", "GB") and count < 100 else 0) + NO_BREAK + unit
        count /= 1000
    raise AssertionError("unreachable")


def seconds(language: str, value: float) -> str:
    """`1.4 s`, `12 s`, `2 min 5 s`."""
    if value < 9.95:
        return number(language, value, 1) + NO_BREAK + "s"
    if value < 60:
        return number(language, value) + NO_BREAK + "s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}{NO_BREAK}min {rest}{NO_BREAK}s"
