"""
One number as HTML: a row for formats that keep it alike, the rulers of all their numbers, and the record of every format.

Formats share a row where they differ only in what shares a scale, which one number does not show.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from playground import locales
from playground.actions.formats import Kept
from playground.formats.accumulators import HARDWARE
from playground.formats.bits import Anatomy, code_range
from playground.formats.format import Format
from playground.formats.gguf import pack, read_only
from playground.formats.registry import FORMATS
from playground.locales import NO_BREAK, number, raised, trimmed, written
from playground.plots.kit.figures import decibels
from playground.plots.kit.pieces import columns, table
from playground.plots.quantize.bits import axis, cells, ruler
from playground.plots.quantize.names import format_name
from playground.plots.quantize.tensor import shared
from playground.ui.kit.html import words

CROWDED, NORMAL, EVEN = "float8_e4m3", "nf4", "int8"  # three rulers to compare


def _names(language: str, row: Kept) -> str:
    return ", ".join(format_name(language, format.id) for format in row.formats)


def rows(language: str, found: Sequence[Kept], scaled: bool = False) -> str:
    """Where the error is small and large, and a row for formats that keep the number alike; a scale changes no word."""
    first, more = _parted(found)
    items, others = ("".join(_item(language, row) for row in part) for part in (first, more))
    said = f'<p class="pp-conclusion" role="status">{_best(language, first)}</p>'
    shown = f'{said}{_legend(language)}<ul class="pp-anatomy">{items}</ul>'
    return shown + _folded(language, f'<ul class="pp-anatomy">{others}</ul>')


def _parted(found: Sequence[Kept]) -> tuple[list[Kept], list[Kept]]:
    """The rows that a page shows first, and the others; a row of both kinds is one of the first."""
    first = [row for row in found if any(format.usual for format in row.formats)]
    return first, [row for row in found if row not in first]


def _folded(language: str, inside: str) -> str:
    return f'<details class="pp-claim"><summary>{words(language, "anatomy.more")}</summary>{inside}</details>'


def _best(language: str, rows: Sequence[Kept]) -> str:
    """Where the error is smallest and where it is largest, as far as what is written tells them apart."""
    value = written(language, rows[0].found.value)
    if rows[0].found.value == 0 and math.copysign(1, rows[0].found.value) < 0:
        kept = _listed(language, [row for row in rows if row.found.sign == "1"])
        return words(language, "anatomy.negative_zero", kept=kept)
    if not any(row.found.error for row in rows):
        return words(language, "anatomy.all_exact", value=value)
    if not any(row.found.stored for row in rows):
        return words(language, "anatomy.all_zero", value=value)
    by_error: dict[str, list[Kept]] = {}
    for row in sorted(rows, key=lambda row: abs(row.found.error)):
        by_error.setdefault(_size(language, row.found.error), []).append(row)
    small, large = next(iter(by_error)), next(reversed(by_error))
    if small == large:
        return words(language, "anatomy.alike", value=value, error=small)
    key = "anatomy.best" if by_error[small][0].found.error else "anatomy.exact_best"
    values = {"best": _listed(language, by_error[small]), "worst": _listed(language, by_error[large])}
    return words(language, key, value=value, small=small, large=large, **values)


def _listed(language: str, rows: Sequence[Kept]) -> str:
    return ", ".join(_names(language, row) for row in rows)


def _size(language: str, error: float) -> str:
    """How large an error is: "0" only if there is none."""
    return _rounded(language, abs(error)) if error else "0"


def _legend(language: str) -> str:
    kinds = ("sign", "exponent", "mantissa", "code")
    keys = "".join(f'<span class="pp-{kind}"><i></i>{words(language, f"anatomy.{kind}")}</span>' for kind in kinds)
    return f'<p class="pp-bit-legend">{keys}</p>'


def _item(language: str, row: Kept) -> str:
    """Name, bits, what is stored, how far off; below, how the bits are read and the neighbours."""
    found = row.found
    told = "".join(f"<span>{one}</span>" for one in _notes(language, row))
    name = f'<b class="pp-format">{escape(_names(language, row))}</b>'
    return (
        f'<li data-format="{row.formats[0].id}">{name}{_bits(language, found)}'
        f'<b class="pp-kept-value">{written(language, found.stored, 9)}</b>'
        f'<span class="pp-off">{_off(language, found)}</span><span class="pp-notes">{told}</span></li>'
    )


def _bits(language: str, found: Anatomy) -> str:
    if not found.sign:
        return cells([("code", locales.text(language, "anatomy.code"), found.bits)])
    parts = {"sign": found.sign, "exponent": found.exponent, "mantissa": found.mantissa}
    return cells([(kind, locales.text(language, f"anatomy.{kind}"), bits) for kind, bits in parts.items()])


def _notes(language: str, row: Kept) -> list[str]:
    """How the bits are read, the neighbours, and what is unusual."""
    found, format = row.found, row.formats[0]
    notes = [_formula(language, row), _neighbours(language, found)]
    if not found.bits:
        notes.append(words(language, "anatomy.part_of_a_bit", bits=trimmed(language, format.code_bits)))
    if found.number == "subnormal":
        notes.append(words(language, "anatomy.subnormal"))
    if row.refused:
        low, high = code_range(format, True)
        values = {"minimum": written(language, low), "maximum": written(language, high)}
        notes.append(words(language, "anatomy.no_such_code", **values))
    if found.saturated:
        key = "anatomy.above" if found.upper is None else "anatomy.below"
        notes.append(f'<b class="pp-error">{words(language, key)}</b>')
    return notes


def _off(language: str, found: Anatomy) -> str:
    """The error with its sign, and in percent of the value."""
    if not found.error:
        return words(language, "anatomy.exact")
    error = ("+" if found.error > 0 else "") + _rounded(language, found.error)
    if not found.value:
        return words(language, "anatomy.error", error=error)
    share = abs(100 * found.error / found.value)
    percent = locales.percent(language, share) if 99 < share < 100 else _rounded(language, share) + NO_BREAK + "%"
    return words(language, "anatomy.error_percent", error=error, percent=percent)


def _rounded(language: str, value: float) -> str:
    """Two figures, and more where they stand before the point: 0.0043, 0.5, 447.5."""
    whole = len(str(int(abs(value)))) if 1 <= abs(value) < 1e7 else 0
    return written(language, value, max(2, whole + 1))


def _formula(language: str, row: Kept) -> str:
    """How the bits are read: 1.25 × 2⁻¹, 79 × 0.007874016, or level 0.5626 × 1."""
    found = row.found
    if found.significand is not None:
        sign = "−" if found.sign == "1" else ""
        return f"{sign}{written(language, found.significand, 8)} × 2{raised(found.power or 0)}"
    scale = written(language, found.scale or 0.0)
    if found.minimum is not None:
        code, minimum = written(language, found.code or 0), written(language, found.minimum)
        return words(language, "anatomy.plus_minimum", code=code, scale=scale, minimum=minimum)
    if row.formats[0].levels:
        level = written(language, row.formats[0].levels[found.code or 0])
        return words(language, "anatomy.level", code=found.code, level=level, scale=scale)
    code = written(language, found.code or 0)
    if found.zero_point is None:
        return words(language, "anatomy.times", code=code, scale=scale)
    zero = written(language, abs(found.zero_point))
    sign = "+" if found.zero_point < 0 else "−"
    return words(language, "anatomy.less_zero_point", code=code, sign=sign, zero=zero, scale=scale)


def _neighbours(language: str, found: Anatomy) -> str:
    """The next number on either side, or that there is none."""
    lower, upper = (None if one is None else written(language, one, 9) for one in (found.lower, found.upper))
    if lower is None or upper is None:
        return words(language, "anatomy.neighbour", neighbour=lower if upper is None else upper)
    return words(language, "anatomy.neighbours", lower=lower, upper=upper)


# Rulers


def rulers(language: str, found: Sequence[Kept], scaled: bool) -> str:
    """A strip for each different ruler, what to see in them, and what the marks are; `scaled` if not from −1 to 1."""
    first, more = _parted(found)

    def drawn(part: Sequence[Kept]) -> str:
        return f'<div class="pp-rulers">{"".join(_strip(language, row) for row in part)}<span></span>{axis(language)}</div>'

    known = {format.id: row.ruler for row in found for format in row.formats}
    halves = {name: written(language, known[name].half, 2) for name in (CROWDED, NORMAL, EVEN)}
    said = words(language, "anatomy.rulers.see", floats=halves[CROWDED], normal=halves[NORMAL], even=halves[EVEN])
    said += f" {words(language, 'anatomy.rulers.scaled')}" if scaled else ""
    return (
        f'<p class="pp-conclusion" role="status">{said}</p>'
        f"{drawn(first)}"
        f'<p class="pp-soft pp-small pp-marks"><i class="pp-value"></i>{words(language, "anatomy.rulers.value")}'
        f'<i class="pp-stored"></i>{words(language, "anatomy.rulers.stored")}'
        f'<i class="pp-half"></i>{words(language, "anatomy.rulers.half")}</p>'
        f"{_folded(language, drawn(more))}"
    )


def _strip(language: str, row: Kept) -> str:
    values = {"count": number(language, row.ruler.count), "half": written(language, row.ruler.half, 2)}
    said = locales.text(language, "anatomy.rulers.count" if row.ruler.values else "anatomy.rulers.dense", **values)
    drawn = ruler(row.ruler.values, row.ruler.half, row.found.value, row.found.stored, f"{_names(language, row)}: {said}")
    return f'<span class="pp-ruler-name"><b>{escape(_names(language, row))}</b> <small>{escape(said)}</small></span>{drawn}'


# What each format is


def _source(language: str, format: Format) -> str:
    """Who described it; an arXiv number leads there."""
    source = escape(format.source)
    return re.sub(r"arXiv (\d{4}\.\d{5})", lambda found: _linked(found[1], found[0]), source)


def _linked(number_: str, said: str) -> str:
    return f'<a href="https://arxiv.org/abs/{number_}" target="_blank" rel="noopener">{said}</a>'


def _adds_up_in(language: str, format: Format) -> str:
    """What the hardware below has for it; where none is listed, what the format says."""
    listed = dict.fromkeys(name for one in HARDWARE if one.operand == format.id for name in one.accumulators)
    return f" {locales.text(language, 'accumulators.hardware.or')} ".join(listed or [format.accumulates_in])


RECORD: dict[str, Callable[[str, Format], str]] = {  # columns: (language, format) → a cell's HTML
    "format": lambda language, format: escape(format_name(language, format.id)),
    "bits": lambda language, format: trimmed(language, format.bits_per_parameter()),
    "scale": lambda language, format: escape(shared(format.layout, language)),
    "range": lambda language, format: decibels(language, format.dynamic_range_db),
    "accumulator": lambda language, format: escape(_adds_up_in(language, format)),
    "runs": lambda language, format: words(language, f"computes.{format.runs}"),
    "source": _source,
}


def records(language: str) -> str:
    """A table of every format in the registry, and what its columns mean."""
    head = columns(locales.text(language, f"anatomy.formats.{column}") for column in RECORD)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell(language, format)}</td>' for cell in RECORD.values())}</tr>"
        for format in FORMATS.values()
    )
    drawn = table("pp-entries pp-even", head, body, locales.text(language, "anatomy.formats"))
    bits = ", ".join(f"{one.name}{NO_BREAK}{trimmed(language, one.bits)}" for one in read_only())
    low, high = 6, 9
    byte = f"{pack(np.array([low, high]), 4)[0]:08b}"
    told = [
        words(language, "anatomy.formats.help"), words(language, "anatomy.formats.runs.help"),
        words(language, "anatomy.formats.packing", low=low, high=high, byte=f"{byte[:4]}{NO_BREAK}{byte[4:]}"),
        words(language, "anatomy.formats.read_only", names=bits),
    ]  # fmt: skip
    return drawn + "".join(f'<p class="pp-soft pp-small">{one}</p>' for one in told)
