"""
A whole model in many formats as HTML: the table of what each takes and loses, and where in the network it loses it.

Takes plain numbers, gives strings that change in place. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.formats.registry import FORMATS
from playground.locales import number, percent, size, text, trimmed
from playground.plots.kit import pieces
from playground.plots.kit.figures import decibels, nats, short
from playground.plots.kit.heatmap import Place, layer_map
from playground.plots.quantize.names import format_name

Values = Mapping[str, Any]
NONE, WAITING = "–", "…"
PLAIN = "float32"
COLUMNS = ("format", "bits", "memory", "disk", "sqnr", "loss", "perplexity", "kl", "same")


def table(survey: Values, language: str) -> str:
    """One row a format, with how it shares its scales; the one being measured is filled as far as it is known."""
    heads = "".join(
        f'<th scope="col" title="{escape(text(language, f"wholemodel.column.{name}.help"))}">'
        f"{escape(text(language, f'wholemodel.column.{name}'))}</th>"
        for name in COLUMNS
    )
    measured = (*survey["found"], *([survey["working"]] if survey["working"] else []))
    rows = "".join(_row(one, survey["dtype"], language) for one in measured)
    return pieces.table("pp-formats", heads, rows)


def _row(one: Values, dtype: str, language: str) -> str:
    reading = one["reading"]
    name = escape(format_name(language, dtype if one["format"] == PLAIN else one["format"]))
    layout = FORMATS[one["format"]].layout
    scales = ""
    if layout.granularity != "none":
        shared = text(language, f"wholemodel.scales.{layout.granularity}", block=number(language, layout.block))
        scales = escape(f" · {shared}")
    how = escape(text(language, f"wholemodel.how.{origin(one)}"))
    decibels = mean_db(one)
    sqnr = NONE if decibels is None else f"{number(language, decibels, 1)} dB"
    cells = [trimmed(language, one["bits"])]
    if reading is None:
        cells += [WAITING] * 2 + [sqnr if one["modules"] else WAITING] + [WAITING] * 4
    else:
        cells += [size(language, one["memory"]), size(language, one["disk"]), sqnr]
        cells += [number(language, reading["loss"], 2), short(language, reading["perplexity"])]
        cells += [nats(language, reading["kl_from_base"]), percent(language, 100 * reading["same_top"])]
    drawn = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{name} <small>{how}{scales}</small></th>{drawn}</tr>'


def origin(one: Values) -> str:
    """ "loaded", "real" (bitsandbytes' modules) or "simulated"."""
    return "loaded" if one["format"] == PLAIN else "real" if one["real"] else "simulated"


def mean_db(one: Values) -> float | None:
    """The mean SQNR of the modules that changed, in dB."""
    known = [module["sqnr_db"] for module in one["modules"] if module["sqnr_db"] is not None]
    return sum(known) / len(known) if known else None


def network(modules: Sequence[Values], language: str) -> str:
    """SQNR of every module of a base in fewer bits; the fuller the colour, the less was lost."""
    values = [module["sqnr_db"] for module in modules if module["sqnr_db"] is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)

    def place(module: Values) -> Place:
        value, kind, layer = module["sqnr_db"], module["kind"], module["layer"]
        said = text(language, "wholemodel.exact") if value is None else decibels(language, value)
        strength = 1.0 if value is None or high == low else 0.15 + 0.85 * (value - low) / (high - low)
        return Place(kind, layer, strength, said, text(language, "wholemodel.cell", layer=layer, kind=kind, sqnr=said))

    return layer_map([place(module) for module in modules], language)
