"""
The ladder of algorithms as HTML: each rung's weight error beside its output error, and tables of what was measured.

Takes plain numbers, gives strings. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.locales import NO_BREAK, number, percent, seconds, size, text, trimmed
from playground.plots.kit import pieces
from playground.plots.kit.figures import nats, short

Values = Mapping[str, Any]
ERRORS = ("weight", "seen", "unseen")  # drawn: of the weight, of what comes out on the text that was read, on another
COLUMNS = ("bits", *ERRORS, "both", "seconds")
RUNG_COLUMNS = ("bits", "seconds", "perplexity", "kl", "same")
CACHE_COLUMNS = ("cache", "bytes", "perplexity", "kl", "same")
CUT = ("nearest_tensor", "nearest_channel")  # whose bars may end at the edge: so much longer that they would hide the others


def rung_name(language: str, rung: str) -> str:
    return text(language, f"rung.{rung}")


def share(language: str, value: float) -> str:
    """A relative error."""
    return percent(language, 100 * value)


def errors(steps: Sequence[Values], language: str) -> str:
    """A row a rung, a bar an error, on one scale; the least of each column stands out."""
    fitting = [one[name] for one in steps if one["rung"] not in CUT for name in ERRORS]
    most = max(fitting, default=max((one[name] for one in steps for name in ERRORS), default=1.0)) or 1.0
    least = {name: min((one[name] for one in steps), default=0.0) for name in ERRORS}

    def cell(one: Values, name: str) -> str:
        kind = " pp-least" if one[name] == least[name] else ""
        cut = " pp-cut" if one[name] > most else ""
        bar = pieces.measure(one[name] / most, share(language, one[name]))
        return f'<td class="pp-error-{name}{kind}{cut}">{bar}</td>'

    head = pieces.columns(text(language, f"ladder.column.{name}") for name in ("rung", *ERRORS))
    body = "".join(
        f'<tr><th scope="row">{escape(rung_name(language, one["rung"]))}</th>'
        f"{''.join(cell(one, name) for name in ERRORS)}</tr>"
        for one in steps
    )
    return pieces.table("pp-formats pp-rungs", head, body, text(language, "ladder.title"))


def table(steps: Sequence[Values], language: str) -> str:
    """All figures of one layer."""
    head = pieces.columns(text(language, f"ladder.column.{name}") for name in ("rung", *COLUMNS))
    body = "".join(
        f'<tr><th scope="row">{escape(rung_name(language, one["rung"]))}</th>'
        f"{''.join(f'<td>{escape(_figure(language, name, one[name]))}</td>' for name in COLUMNS)}</tr>"
        for one in steps
    )
    return pieces.table("pp-formats", head, body, text(language, "tensor.fold.table"))


def _figure(language: str, column: str, value: float) -> str:
    return {"bits": trimmed, "seconds": seconds}.get(column, share)(language, value)


# Whole models


def rungs(base: Values | None, found: Sequence[Values], grid: Values, language: str) -> str:
    """A row a rung on the whole base, the base itself first; `base` is its reading, `grid` the bits and the block of all."""
    names = (text(language, f"rungs.column.{name}") for name in RUNG_COLUMNS)
    head = pieces.columns([text(language, "rungs.grid", **grid), *names])
    plain = [_row(text(language, "rungs.base"), ["–", "–"], base, language)] if base else []
    rows = [
        _row(
            rung_name(language, one["rung"]), [trimmed(language, one["bits"]), seconds(language, one["seconds"])],
            one["reading"], language,
        )
        for one in found
    ]  # fmt: skip
    return pieces.table("pp-formats", head, "".join([*plain, *rows]), text(language, "rungs.title"))


def caches(found: Sequence[Values], language: str) -> str:
    """A row a cache."""
    head = pieces.columns(
        text(language, f"kvcache.column.{name}") for name in ("cache", "bytes", "perplexity", "kl", "same")
    )
    rows = [
        _row(cache_name(language, one["kept"]), [size(language, one["bytes"])], one["reading"], language) for one in found
    ]
    return pieces.table("pp-formats", head, "".join(rows), text(language, "kvcache.title"))


def cache_name(language: str, kept: Values | None) -> str:
    if kept is None:
        return text(language, "kvcache.full")
    return text(language, f"kvcache.kept.{kept['keys']}.{kept['values']}", bits=number(language, kept["bits"]))


def _agreement(language: str, value: float) -> str:
    """A part of 1 in percent, in a column: one decimal, and only all of it is 100 %."""
    return (number(language, min(100 * value, 99.9), 1) if value < 1 else number(language, 100)) + NO_BREAK + "%"


def _row(name: str, cells: Sequence[str], reading: Values, language: str) -> str:
    read = [
        short(language, reading["perplexity"]), nats(language, reading["kl_from_base"]),
        _agreement(language, reading["same_top"]),
    ]  # fmt: skip
    drawn = "".join(f"<td>{escape(cell)}</td>" for cell in (*cells, *read))
    return f'<tr><th scope="row">{escape(name)}</th>{drawn}</tr>'
