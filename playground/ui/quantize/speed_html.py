"""
What fewer bits save, as HTML: the roofline with what to see in it, the table of times, and the energy of a written token.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.learn.timing import Product, Timed
from playground.learn.writing import Written
from playground.locales import NO_BREAK, number, significant, size, text
from playground.plots.kit.figures import figure, share
from playground.plots.quantize.names import format_name
from playground.plots.quantize.roofline import GIGA, roofline
from playground.quantize.energy import MICRO, MILLI, SOURCE, Estimate
from playground.ui.kit.html import folded, words
from playground.ui.kit.sections import soft
from playground.ui.learn.tables import table
from playground.ui.learn.timing_html import fastest, kind_name
from playground.ui.quantize import written_html

PLAIN = "float32"
NATIVE = {True: "yes", False: "no", None: "unknown"}


def speed(
    timed: Timed, tokens: int, energies: Sequence[Estimate], tells: bool, written: Sequence[Written], language: str
) -> str:
    """The drawing, the sentence that it comes to, and the folds."""
    products = [one for one in timed.products if one.tokens == tokens]
    shown = [one for one in products if one.seconds]
    if not shown:
        return f'<p class="pp-soft">{words(language, "speed.none")}</p>'
    said = concluded(timed, shown, tokens, language)
    summary = " ".join([said, *(_dot(one, language) for one in shown)])
    legend = f'<p class="pp-soft pp-small">{words(language, "speed.legend")}</p>'
    return (
        f'<p class="pp-conclusion" role="status">{escape(said)}</p>{roofline(timed, shown, summary, language)}{legend}'
        f"{folded(language, 'tensor.fold.table', times(products, language))}"
        f"{folded(language, 'speed.written', written_html.whole(written, language)) if written else ''}"
        f"{folded(language, 'speed.energy', energy(energies, timed, tells, language))}"
    )


def concluded(timed: Timed, shown: Sequence[Product], tokens: int, language: str) -> str:
    """Which type is the fastest, by how much, and what holds it up; plain text."""
    spent = {one.kind: one.seconds for one in shown if one.seconds}
    best = max(shown, key=lambda one: one.rate)
    limits = timed.ceilings
    bound = "memory" if best.intensity < limits.ridge else "arithmetic"
    values = {
        "intensity": significant(language, best.intensity),
        "ridge": significant(language, limits.ridge),
        "share": share(language, best.rate / limits.most(best.intensity)),
    }
    return f"{fastest(spent, tokens, language)} {text(language, f'speed.bound.{bound}', **values)}"


def _dot(one: Product, language: str) -> str:
    values = {"intensity": significant(language, one.intensity), "rate": significant(language, one.rate / GIGA)}
    return text(language, "speed.dot", kind=kind_name(one.kind, language), **values)


def times(products: Sequence[Product], language: str) -> str:
    """A row for each type; what torch reports of the processor last."""
    heads = [text(language, f"speed.head.{one}") for one in ("time", "rate", "moved", "intensity", "native")]
    rows = []
    for one in products:
        cells = [text(language, "timing.none"), "", "", "", ""]
        if one.seconds:
            cells = [
                f"{figure(language, 1000 * one.seconds)}{NO_BREAK}ms",
                significant(language, one.rate / GIGA),
                size(language, one.moved),
                significant(language, one.intensity),
                text(language, f"speed.native.{NATIVE[one.native]}"),
            ]
        rows.append([kind_name(one.kind, language), *cells])
    return table(heads, rows) + soft(language, "speed.table.help")


# Energy


def energy(energies: Sequence[Estimate], timed: Timed, tells: bool, language: str) -> str:
    """What was published makes of a written token of the base; and what was measured, or that nothing can be."""
    heads = [text(language, f"speed.energy.{one}") for one in ("arithmetic", "reading", "total")]
    rows = [
        [
            format_name(language, one.form),
            _millijoules(language, one.arithmetic),
            _millijoules(language, one.least, one.most),
            _millijoules(language, *one.total),
        ]
        for one in energies
    ]
    name, url = SOURCE
    source = f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(name)}</a>'
    return (
        f"{soft(language, 'speed.energy.lead')}{table(heads, rows)}<p>{escape(_least(energies, language))}</p>"
        f'<p class="pp-soft pp-small">{words(language, "speed.energy.how")} {source}</p>'
        f"{_measured(timed, tells, language)}"
    )


def _least(energies: Sequence[Estimate], language: str) -> str:
    """The form that takes least, and what it is that it saves."""
    plain = next(one for one in energies if one.form == PLAIN)
    best = min(energies, key=lambda one: one.total)
    values = {
        "form": format_name(language, best.form),
        "share": share(language, best.total[0] / plain.total[0]),
        "reading": share(language, min(one.reading for one in energies)),
    }
    return text(language, "speed.energy.said", **values)


def _millijoules(language: str, *joules: float) -> str:
    ends = "–".join(number(language, one / MILLI, 2 if max(joules) < MILLI else 0) for one in joules)
    return f"{ends}{NO_BREAK}mJ"


def _measured(timed: Timed, tells: bool, language: str) -> str:
    """Joules of one token in this layer, of each type that has them."""
    known = [(one.kind, one.joules) for one in timed.products if one.joules is not None]
    if not known:
        return soft(language, "speed.energy.press" if tells and timed.machine else "speed.energy.untold")
    heads = [text(language, "speed.energy.one")]
    rows = [[kind_name(kind, language), f"{significant(language, joules / MICRO)}{NO_BREAK}µJ"] for kind, joules in known]
    return soft(language, "speed.energy.measured") + table(heads, rows)
