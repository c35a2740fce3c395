"""
One number of the quantization lab: what each format keeps of it, bit by bit, and the numbers that each format has.

Controls on the left, a row for each format on the right, the rulers below. Everything is empty until `Section.draw` is
called. Formats that keep a number in the same way share a row: they differ in what shares a scale, which one number does
not show. A fold at the end has what each format is: bits, scales, dynamic range, accumulator, source.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from playground import locales
from playground.errors import PlaygroundError
from playground.formats.bits import Anatomy, Ruler, anatomy, code_range, grid
from playground.formats.format import LARGEST, SMALLEST, Format
from playground.formats.registry import FORMATS
from playground.locales import NO_BREAK, number, raised, trimmed, written
from playground.plots.kit.figures import decibels
from playground.plots.quantize.bits import axis, cells, ruler
from playground.plots.quantize.tensor import shared
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.html import escape, words
from playground.ui.kit.sections import OldSection, headed
from playground.ui.kit.wording import Wording, html

VALUE = "0.622"  # the course's example: code 4 in 4 bits, 79 in 8
EXAMPLES = {"0.622": 0.622, "0.1": 0.1, "1e-5": 1e-5, "448.5": 448.5, "70000": 70000.0, "-1": -1.0}
LONGEST = 40  # characters of a number that are read
CROWDED, NORMAL, EVEN = "float8_e4m3", "nf4", "int8"  # three rulers to compare


@dataclass(frozen=True)
class Asked:
    """What the three fields say; None where one is empty."""

    value: float
    scale: float | None
    zero_point: int | None

    def of(self, format: Format) -> tuple[float | None, int | None]:
        """Scale and zero-point as far as this format has them; a zero-point that is none of its codes is left out."""
        scale = self.scale if format.kind != "float" else None
        return scale, self.zero_point if format.zero_points and not self.refused(format) else None

    def refused(self, format: Format) -> bool:
        """Whether the format has zero-points, but not this one."""
        if self.zero_point is None or not format.zero_points:
            return False
        low, high = code_range(format, True)
        return not low <= self.zero_point <= high


@dataclass(frozen=True)
class Row:
    """A number in formats that keep it alike."""

    formats: tuple[Format, ...]
    found: Anatomy
    ruler: Ruler


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> OldSection:
    """The card and its events."""
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("anatomy.title", "anatomy.lead"))
        with gr.Row(elem_classes="pp-lab"):
            fields, chips = _controls(wording)
            with gr.Column(min_width=0):
                notice = html("", elem_id="number-notice")
                rows = html("", elem_id="number-result")
        rulers = html("", elem_id="number-rulers")
        with wording.make(gr.Accordion, {"label": "anatomy.formats"}, open=False, elem_id="number-formats"):
            wording.make(html, {"value": records})
    shown = [notice, rows, rulers]
    changed = [event for one in fields for event in (one.input, one.submit, one.blur)]  # `input` alone misses a paste
    gr.on(changed, draw, [language, *fields], shown, trigger_mode="always_last", **HIDDEN)
    for value, chip in chips.items():
        chip.click(partial(_try, value), [language, *fields[1:]], [fields[0], *shown], **HIDDEN)
    return OldSection(fields, shown, draw)


def _controls(wording: Wording) -> tuple[list[gr.Textbox], dict[str, gr.Button]]:
    """Value, scale and zero-point as text, so that 1e-5 and 0,622 can be typed; and values to try."""
    with gr.Column(min_width=0, elem_classes="pp-left"):
        value = wording.make(
            gr.Textbox, {"label": "anatomy.value", "value": partial(typed, entry=VALUE)}, max_length=LONGEST,
            elem_id="number-value",
        )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            chips = {
                one: wording.make(
                    gr.Button, {"value": partial(typed, entry=one)}, size="sm", elem_classes="chip",
                    elem_id=f"number-try-{place}",
                )
                for place, one in enumerate(EXAMPLES)
            }  # fmt: skip
        scale = wording.make(
            gr.Textbox, {"label": "anatomy.scale", "info": "anatomy.scale.help"}, max_length=LONGEST, elem_id="number-scale"
        )
        zero_point = wording.make(
            gr.Textbox, {"label": "anatomy.zero_point", "info": "anatomy.zero_point.help"}, max_length=LONGEST,
            elem_id="number-zero-point",
        )  # fmt: skip
    return [value, scale, zero_point], chips


# Handlers


def draw(language: str, value: str, scale: str, zero_point: str) -> list[Any]:
    """[notice, rows, rulers]; while a field holds no number, a sentence above what was shown before."""
    try:
        asked = read(language, value, scale, zero_point)
        found = alike([_row(format, asked) for format in FORMATS.values()])
    except PlaygroundError as error:
        return [alarm(error.message(language)), gr.skip(), gr.skip()]
    return ["", _rows(language, asked, found), _rulers(language, asked, found)]


def _try(value: str, language: str, scale: str, zero_point: str) -> list[Any]:
    """[value, *draw] for an example."""
    return [typed(language, value), *draw(language, typed(language, value), scale, zero_point)]


def read(language: str, value: str, scale: str, zero_point: str) -> Asked:
    """Raises PlaygroundError for a field that holds something else."""
    number_, unit, zero = (_number(language, one) for one in (value, scale, zero_point))
    if number_ is None or not abs(number_) <= LARGEST:
        raise PlaygroundError("number_typed", entry=_entry(value))
    if _entry(scale) and (unit is None or not SMALLEST <= unit <= LARGEST):
        raise PlaygroundError("scale_typed", entry=_entry(scale))
    low, high = code_range(max(FORMATS.values(), key=lambda one: one.largest * one.zero_points), True)
    if _entry(zero_point) and (zero is None or not low <= zero <= high or zero != int(zero)):
        least, most = written(language, low), written(language, high)
        raise PlaygroundError("zero_point_typed", entry=_entry(zero_point), minimum=least, maximum=most)
    return Asked(number_, unit, None if zero is None else int(zero))


def _entry(typed: str | None) -> str:
    return str(typed or "").strip()[:LONGEST]


def _number(language: str, typed: str | None) -> float | None:
    """What was typed as a number; None if it is none. In Spanish a comma is the decimal mark."""
    entry = _entry(typed).replace("−", "-")
    try:
        return float(entry.replace(",", ".") if language == "es" else entry)
    except ValueError:
        return None


def typed(language: str, entry: str) -> str:
    """An example as one would type it."""
    return entry.replace(".", ",") if language == "es" else entry


def _row(format: Format, asked: Asked) -> Row:
    scale, zero_point = asked.of(format)
    return Row((format,), anatomy(format.id, asked.value, scale, zero_point), grid(format.id, scale, zero_point))


def alike(rows: list[Row]) -> list[Row]:
    """Formats that keep the number alike, and have the same ruler, in one row."""
    together: dict[Any, Row] = {}
    for row in rows:
        key = replace(row.found, format=""), replace(row.ruler, format="")
        first = together.get(key)
        together[key] = replace(first, formats=(*first.formats, *row.formats)) if first else row
    return list(together.values())


# Pieces


def _names(language: str, row: Row) -> str:
    return ", ".join(locales.text(language, f"formats.{format.id}") for format in row.formats)


def _rows(language: str, asked: Asked, rows: list[Row]) -> str:
    items = "".join(_item(language, asked, row) for row in rows)
    said = f'<p role="status">{_best(language, rows)}</p>'
    return f'{said}{_legend(language)}<ul class="pp-anatomy">{items}</ul>'


def _best(language: str, rows: list[Row]) -> str:
    """Where the error is smallest and where it is largest."""
    ordered = sorted(rows, key=lambda row: abs(row.found.error))
    value = written(language, rows[0].found.value)
    if not ordered[-1].found.error:
        return words(language, "anatomy.all_exact", value=value)
    best, worst = ordered[0], ordered[-1]
    return words(
        language,
        "anatomy.exact_best" if not best.found.error else "anatomy.best",
        value=value,
        best=locales.text(language, f"formats.{best.formats[0].id}"),
        small=written(language, abs(best.found.error), 2),
        worst=locales.text(language, f"formats.{worst.formats[0].id}"),
        large=written(language, abs(worst.found.error), 2),
    )


def _legend(language: str) -> str:
    kinds = ("sign", "exponent", "mantissa", "code")
    keys = "".join(f'<span class="pp-{kind}"><i></i>{words(language, f"anatomy.{kind}")}</span>' for kind in kinds)
    return f'<p class="pp-bit-legend">{keys}</p>'


def _item(language: str, asked: Asked, row: Row) -> str:
    """Name, bits, what is stored, how far off; below, how the bits are read and the neighbours."""
    found = row.found
    parts = [
        (kind, locales.text(language, f"anatomy.{kind}"), getattr(found, kind)) for kind in ("sign", "exponent", "mantissa")
    ]
    if not found.sign:
        parts = [("code", locales.text(language, "anatomy.code"), found.bits)]
    notes = [_formula(language, row), _neighbours(language, found)]
    if not found.bits:
        notes.append(words(language, "anatomy.part_of_a_bit", bits=number(language, row.formats[0].code_bits, 2)))
    if row.found.number == "subnormal":
        notes.append(words(language, "anatomy.subnormal"))
    if any(asked.refused(format) for format in row.formats):
        low, high = code_range(row.formats[0], True)
        values = {"minimum": written(language, low), "maximum": written(language, high)}
        notes.append(words(language, "anatomy.no_such_code", **values))
    if found.saturated:
        largest = found.upper is None
        notes.append(f'<b class="pp-error">{words(language, "anatomy.above" if largest else "anatomy.below")}</b>')
    told = "".join(f"<span>{one}</span>" for one in notes)
    name = f'<b class="pp-format">{escape(_names(language, row))}</b>'
    return (
        f'<li data-format="{row.formats[0].id}">{name}{cells(parts)}'
        f'<b class="pp-kept-value">{written(language, found.stored, 9)}</b>'
        f'<span class="pp-off">{_off(language, found)}</span><span class="pp-notes">{told}</span></li>'
    )


def _off(language: str, found: Anatomy) -> str:
    """The error with its sign, and in percent of the value."""
    if not found.error:
        return words(language, "anatomy.exact")
    error = ("+" if found.error > 0 else "") + written(language, found.error, 2)
    if not found.value:
        return words(language, "anatomy.error", error=error)
    percent = written(language, abs(100 * found.error / found.value), 2) + NO_BREAK + "%"
    return words(language, "anatomy.error_percent", error=error, percent=percent)


def _formula(language: str, row: Row) -> str:
    """How the bits are read: 1.25 × 2⁻¹, 79 × 0.007874016, or level 0.5626 × 1."""
    found = row.found
    if found.significand is not None:
        sign = "−" if found.sign == "1" else ""
        return f"{sign}{written(language, found.significand, 8)} × 2{raised(found.power or 0)}"
    scale = written(language, found.scale or 0.0)
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


def _rulers(language: str, asked: Asked, rows: list[Row]) -> str:
    """A strip for each different ruler, what to see in them, and what the marks are."""
    strips = "".join(_strip(language, row) for row in rows)
    known = {format.id: row.ruler for row in rows for format in row.formats}
    halves = {name: written(language, known[name].half, 2) for name in (CROWDED, NORMAL, EVEN)}
    said = words(language, "anatomy.rulers.see", floats=halves[CROWDED], normal=halves[NORMAL], even=halves[EVEN])
    scaled = f" {words(language, 'anatomy.rulers.scaled')}" if asked.scale or asked.zero_point is not None else ""
    return (
        f'<h3 class="pp-title pp-rulers-title">{words(language, "anatomy.rulers")}</h3><p class="pp-soft">{said}{scaled}</p>'
        f'<div class="pp-rulers">{strips}<span></span>{axis(language)}</div>'
        f'<p class="pp-soft pp-small pp-marks"><i class="pp-value"></i>{words(language, "anatomy.rulers.value")}'
        f'<i class="pp-stored"></i>{words(language, "anatomy.rulers.stored")}'
        f'<i class="pp-half"></i>{words(language, "anatomy.rulers.half")}</p>'
    )


def _strip(language: str, row: Row) -> str:
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


RECORD: dict[str, Callable[[str, Format], str]] = {  # columns: (language, format) → a cell's HTML
    "format": lambda language, format: words(language, f"formats.{format.id}"),
    "bits": lambda language, format: trimmed(language, format.bits_per_parameter()),
    "scale": lambda language, format: escape(shared(format.layout, language)),
    "range": lambda language, format: decibels(language, format.dynamic_range_db),
    "accumulator": lambda language, format: escape(format.accumulates_in),
    "source": _source,
}


def records(language: str) -> str:
    """A table of every format in the registry, and what its columns mean."""
    head = "".join(f'<th scope="col">{words(language, f"anatomy.formats.{column}")}</th>' for column in RECORD)
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell(language, format)}</td>' for cell in RECORD.values())}</tr>"
        for format in FORMATS.values()
    )
    return (
        f'<div class="pp-scroll" role="region" tabindex="0" aria-label="{words(language, "anatomy.formats")}">'
        f'<table class="pp-entries pp-even"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="pp-soft pp-small">{words(language, "anatomy.formats.help")}</p>'
    )
