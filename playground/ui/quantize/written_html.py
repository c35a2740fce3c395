"""
How fast the whole base writes in each form, as HTML: what the repetitions say, or that they were disturbed; and a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.learn.writing import PLAIN, Written
from playground.locales import counted, listed, significant, size, text
from playground.ui.kit.sections import soft
from playground.ui.learn.tables import table


def whole(found: Sequence[Written], language: str) -> str:
    """A row for each form; what it comes to above them."""
    heads = [text(language, f"speed.written.{one}") for one in ("rate", "middle", "bytes")]
    rows = []
    for one in found:
        cells = [text(language, "timing.none"), "", ""]
        if one.rates:
            low, middle, high = (significant(language, rate) for rate in one.quartiles)
            cells = [middle, f"{low}–{high}", size(language, one.bytes)]
        rows.append([form_name(one.form, language), *cells])
    said = f'<p class="pp-conclusion">{escape(concluded(found, language))}</p>'
    return said + table(heads, rows) + soft(language, "speed.written.help")


def concluded(found: Sequence[Written], language: str) -> str:
    """
    The fastest form, or those whose middle halves meet, and those slower than float32; plain text. Of disturbed repetitions
    only that they are.
    """
    known = [one for one in found if one.rates]
    disturbed = [one for one in known if one.disturbed]
    if disturbed:
        return _named("speed.written.disturbed", disturbed, language)
    plain = next(one for one in known if one.form == PLAIN)
    best = max(known, key=lambda one: one.quartiles[1])
    first = [one for one in known if one.quartiles[2] >= best.quartiles[0]]
    times = significant(language, best.quartiles[1] / plain.quartiles[1])
    told = [_named("speed.written.plain" if plain in first else "speed.written.fastest", first, language, times=times)]
    slower = [one for one in known if one.quartiles[2] < plain.quartiles[0]]
    return " ".join([*told, *([_named("speed.written.slower", slower, language)] if slower else [])])


def _named(key: str, forms: Sequence[Written], language: str, **values: str) -> str:
    """A sentence about one form or several."""
    names = listed(language, [form_name(one.form, language) for one in forms])
    return counted(language, key, len(forms), forms=names, **values)


def form_name(form: str, language: str) -> str:
    return text(language, f"speed.form.{form}")
