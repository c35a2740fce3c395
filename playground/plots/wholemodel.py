"""
A whole model in many formats as HTML: the table of what each takes and loses, and where in the network it loses it.

Takes plain numbers, gives strings that change in place. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.locales import number, percent, significant, size, text, trimmed
from playground.plots.anatomy import raised
from playground.quantization import FORMATS

Values = Mapping[str, Any]
NONE, WAITING = "–", "…"
PLAIN = "float32"
SMALLEST = 0.001  # nats; below it the table says "less than"
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
    head, body = f"<thead><tr>{heads}</tr></thead>", f"<tbody>{rows}</tbody>"
    return f'<div class="pp-scroll"><table class="pp-formats">{head}{body}</table></div>'


def _row(one: Values, dtype: str, language: str) -> str:
    reading = one["reading"]
    name = escape(text(language, f"formats.{dtype if one['format'] == PLAIN else one['format']}"))
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


def nats(language: str, value: float) -> str:
    """0.23, < 0.001, 0."""
    return significant(language, value) if value >= SMALLEST or not value else f"< {significant(language, SMALLEST, 1)}"


def short(language: str, value: float) -> str:
    """28.8, 1,234, 5.3 × 10⁷."""
    if value < 1e6:
        return number(language, value, 1 if value < 1000 else 0)
    mantissa, _, exponent = f"{value:.1e}".partition("e+")
    return f"{number(language, float(mantissa), 1)} × 10{raised(int(exponent))}"


def network(modules: Sequence[Values], language: str) -> str:
    """SQNR of every module: kinds down, layers across; the fuller the colour, the less was lost."""
    kinds = list(dict.fromkeys(module["kind"] for module in modules))
    layers = sorted({module["layer"] for module in modules if module["layer"] is not None})
    known = {(module["kind"], module["layer"]): module for module in modules}
    values = [module["sqnr_db"] for module in modules if module["sqnr_db"] is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    heads = "".join(f"<th>{layer if layer % 5 == 0 else ''}</th>" for layer in layers)
    rows = "".join(
        f'<tr><th scope="row">{escape(kind)}</th>'
        + "".join(_cell(known.get((kind, layer)), low, high, language) for layer in layers)
        + "</tr>"
        for kind in kinds
    )
    return (
        f'<div class="pp-scroll"><table class="pp-network"><thead><tr><th scope="col">'
        f"{escape(text(language, 'lowrank.layer'))}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(module: Values | None, low: float, high: float, language: str) -> str:
    if module is None:
        return "<td></td>"
    value = module["sqnr_db"]
    said = text(language, "wholemodel.exact") if value is None else f"{number(language, value, 1)} dB"
    share = 1.0 if value is None or high == low else 0.15 + 0.85 * (value - low) / (high - low)
    name = text(language, "wholemodel.cell", layer=module["layer"], kind=module["kind"], sqnr=said)
    return f'<td style="--v:{share:.3f}" title="{escape(name)}"><span>{escape(said)}</span></td>'
