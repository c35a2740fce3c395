"""
One tensor's drawings: its weights with a format's grid, the errors of formats, and what they give for their bits.

Takes a report's plain numbers, gives HTML with inline SVG, so that a slider's move changes it without a flicker. A
format is told apart by colour (`--f-<id>` in theme.css) and by dash. Knows nothing about bases or pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from playground.formats.format import Layout
from playground.formats.statistics import Histogram, Statistics
from playground.locales import number, size, text, trimmed
from playground.plots.kit import pieces
from playground.plots.kit.figures import decibels, figure, powered
from playground.plots.kit.pieces import below, odd
from playground.plots.kit.svg import UNITS, drawing, nice_step
from playground.plots.quantize.names import format_name
from playground.quantize.tensor import Outcome, Report

DASHES = {  # of one hue
    "bfloat16": "7 4", "float8_e5m2": "7 4", "int16": "2 3", "int8_vectorwise": "7 4", "nf4_double": "7 4",
    "float32": "2 3", "ternary": "9 3 2 3", "float8_block": "2 3", "int3": "7 4", "int2": "2 3", "q8_0": "9 3 2 3",
    "q5_1": "9 3 2 3", "q5_0": "2 3", "q4_1": "12 3", "q4_0": "4 2", "mxfp4": "7 4", "tq2_0": "7 4", "tq1_0": "2 3",
}  # fmt: skip
LABEL = 6.2  # percent of the height that keeps two lines of text apart
Height = Callable[[float], float]  # a count → a share of the height


def name(language: str, format_id: str) -> str:
    return escape(format_name(language, format_id))


def coloured(format_id: str) -> str:
    """The style attribute of what is drawn for a format."""
    return f'style="--m:var(--f-{format_id});--dash:{DASHES.get(format_id, "none")}"'


# Histograms


def weights(report: Report, format_id: str, logarithmic: bool, language: str) -> str:
    """How many weights lie where, and the numbers that the format has there."""
    shown = report.weights
    rise, ticks = scaled(max(shown.counts), logarithmic, language)
    outcome = report.outcome(format_id)
    places = [UNITS * (one - shown.low) / (shown.high - shown.low) for one in outcome.grid]
    lines = "".join(f"M{place:.1f} 0V{UNITS + 40}" for place in places if -1 <= place <= UNITS + 1)
    grid = f'<path class="pp-levels" {coloured(format_id)} vector-effect="non-scaling-stroke" d="{lines}"/>'
    bars = f'<path class="pp-weights" d="{steps(shown, rise)}"/>'
    summary = text(
        language, "tensor.weights.summary", count=number(language, report.numbers),
        low=figure(language, shown.low), high=figure(language, shown.high),
    )  # fmt: skip
    inside = bars + (grid if lines else "")
    return drawing(summary, ticks, axis(shown.low, shown.high, text(language, "tensor.weights.axis"), language), inside)


def overlaid(report: Report, format_ids: Sequence[str], logarithmic: bool, language: str) -> str:
    """The errors of several formats in one range, the coarsest below, and which line is which."""
    found = sorted((report.outcome(one) for one in format_ids), key=lambda one: -one.statistics.rmse)
    rise, ticks = scaled(max(max(one.errors.counts) for one in found), logarithmic, language)
    lines = "".join(
        f'<path class="pp-outline" {coloured(one.statistics.format)} vector-effect="non-scaling-stroke" '
        f'd="{steps(one.errors, rise, filled=False)}"/>'
        for one in found
    )
    low, high = found[0].errors.low, found[0].errors.high
    summary = text(language, "tensor.errors.summary", names=", ".join(format_name(language, one) for one in format_ids))
    rates = {one.statistics.format: decibels(language, one.statistics.sqnr_db) for one in found}
    legend = "".join(f"<li>{sample(one)}{name(language, one)} · {rates[one]}</li>" for one in format_ids)
    outside = axis(low, high, text(language, "tensor.errors.axis"), language)
    return f'{drawing(summary, ticks, outside, lines)}<ul class="pp-key">{legend}</ul>'


def sample(format_id: str) -> str:
    """A short piece of the format's line."""
    return (
        f'<svg class="pp-sample" {coloured(format_id)} aria-hidden="true"><line x1="0" x2="100%" y1="50%" y2="50%"/></svg>'
    )


def multiples(report: Report, format_ids: Sequence[str], language: str) -> str:
    """Each format's errors in a range of its own, with its figures."""
    return f'<div class="pp-multiples">{"".join(multiple(report.outcome(one), language) for one in format_ids)}</div>'


def multiple(outcome: Outcome, language: str) -> str:
    found, own = outcome.statistics, outcome.own
    rise, _ = scaled(max(own.counts), False, language)
    title = name(language, found.format)
    values = [
        ("mae", figure(language, found.mae)),
        ("rmse", figure(language, found.rmse)),
        ("max", figure(language, found.max_error)),
        ("sqnr", decibels(language, found.sqnr_db)),
    ]
    facts = "".join(f"<dt>{escape(text(language, f'tensor.{key}'))}</dt><dd>{value}</dd>" for key, value in values)
    ends = "".join(f"<span>{figure(language, end, 2)}</span>" for end in (own.low, 0.0, own.high))
    drawn = (
        f'<svg class="pp-own" viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{steps(own, rise)}"/></svg><p class="pp-ends">{ends}</p>'
    )
    if not found.max_error:
        drawn = f'<p class="pp-none">{escape(text(language, "tensor.exact"))}</p>'
    return (
        f'<figure class="pp-multiple" {coloured(found.format)}><figcaption>{title} '
        f"<span>{escape(shared(outcome.layout, language))}</span></figcaption>{drawn}<dl>{facts}</dl></figure>"
    )


def shared(layout: Layout, language: str) -> str:
    """What shares a scale, in a word or two."""
    return text(language, f"tensor.shared.{layout.granularity}", block=number(language, layout.block))


def steps(shown: Histogram, rise: Height, filled: bool = True) -> str:
    """A histogram's outline; to be filled, it begins and ends on the ground."""
    return pieces.outline([rise(count) for count in shown.counts], filled=filled)


def scaled(top: float, logarithmic: bool, language: str) -> tuple[Height, list[tuple[float, str]]]:
    """How high a count is drawn, 0 to 1, and the counts that the axis names."""
    most = max(1.0, 1.04 * top)
    if not logarithmic:
        step = max(1.0, nice_step(most, 3))
        return lambda count: count / most, [
            (index * step / most, number(language, index * step)) for index in range(int(most / step) + 1)
        ]
    full = math.log10(1 + most)

    def rise(count: float) -> float:
        return math.log10(1 + count) / full

    powers = [10**power for power in range(math.floor(math.log10(most)) + 1)]
    every = 2 if len(powers) > 5 else 1
    apart_from_0 = [one for one in powers[::every] if 100 * rise(one) >= LABEL]
    return rise, [(0.0, "0"), *((rise(one), powered(one)) for one in apart_from_0)]


def axis(low: float, high: float, title: str, language: str) -> str:
    """Round numbers below the drawing, and what they are."""
    step = nice_step(high - low, 6)
    first, last = math.ceil(low / step), math.floor(high / step)
    ticks = "".join(
        below(
            (place * step - low) / (high - low), figure(language, place * step, _figures(place, step)), "1.7em", odd(place)
        )
        for place in range(first, last + 1)
    )
    return ticks + below(0.5, title, "3em")


def _figures(place: int, step: float) -> int:
    """How many significant figures tell the multiple of a step from its neighbours: 1.25 and 1.50, not 1.2 and 1.5."""
    power = math.floor(math.log10(step))
    own = 1 if math.isclose(step / 10.0**power % 1, 0, abs_tol=1e-9) else 2  # 2.5 has two
    longer = math.floor(math.log10(abs(place) * step)) - power if place else 0
    return max(1 if step < 1e-5 else 2, longer + own)


# Decibels against bits


def against_bits(report: Report, format_ids: Sequence[str], language: str) -> str:
    """A dot for each format, and the line that equal steps over the whole range would follow."""
    found = [report.outcome(one).statistics for one in format_ids]
    found = [one for one in found if one.sqnr_db is not None]
    rates = [one.sqnr_db or 0.0 for one in found]
    right = max([6.0, *(one.bits_per_parameter for one in found)]) * 1.18
    slope = 20 * math.log10(2)
    high = 1.08 * max([30.0, *rates])
    low = min([0.0, *rates]) * 1.1
    step = nice_step(high - low, 4)
    lines = [
        ((place * step - low) / (high - low), number(language, place * step).replace("-", "−"))
        for place in range(math.ceil(low / step), math.floor(high / step) + 1)
    ]
    start = max(0.0, (low - report.line) / slope)
    end = min(right, (high - report.line) / slope)

    def place(bits: float, rate: float) -> tuple[float, float]:
        return 100 * bits / right, 100 * (1 - (rate - low) / (high - low))

    (x1, y1), (x2, y2) = place(start, report.line + slope * start), place(end, report.line + slope * end)
    line = f'<line class="pp-six" x1="{x1:.2f}%" y1="{y1:.2f}%" x2="{x2:.2f}%" y2="{y2:.2f}%"/>' if end > start else ""
    every = max(1, round(nice_step(right, 8)))
    bits = range(0, math.floor(right) + 1, every)
    ticks = "".join(below(one / right, number(language, one), "1.7em", " pp-tick") for one in bits)
    ticks += below(0.5, text(language, "tensor.bits"), "3em")
    summary = text(language, "tensor.rates.summary")
    return drawing(summary, lines, ticks + line + dots(found, place, language), "")


def dots(found: Sequence[Statistics], place: Callable[[float, float], tuple[float, float]], language: str) -> str:
    """Dots with their names beside them; names of nearly as many bits are moved apart."""
    placed = [(one, *place(one.bits_per_parameter, one.sqnr_db or 0.0)) for one in found]
    columns: list[list[tuple[Statistics, float, float]]] = []
    for one in sorted(placed, key=lambda one: one[1]):
        if columns and one[1] - columns[-1][0][1] < 100 / 12:
            columns[-1].append(one)
        else:
            columns.append([one])
    drawn = []
    for column in columns:
        column.sort(key=lambda one: one[2])
        for (dot, x, y), height in zip(column, apart([y for _, _, y in column]), strict=True):
            right = max(other for _, other, level in column if other == x or abs(level - height) < LABEL)
            drawn.append(
                f'<g {coloured(dot.format)}><circle class="pp-dot" cx="{x:.2f}%" cy="{y:.2f}%" r="4.5"/>'
                f'<text class="pp-beside" x="{right:.2f}%" dx="10" y="{height:.2f}%" dy=".35em">'
                f"{name(language, dot.format)}</text></g>"
            )
    return "".join(drawn)


def apart(heights: Sequence[float]) -> list[float]:
    """Rising heights in percent, moved as little as it takes to be LABEL from each other, within the drawing if they can."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + LABEL) if moved else height)
    shift = max((after - before for after, before in zip(moved, heights, strict=True)), default=0.0) / 2
    moved = [height - shift for height in moved]
    over = max(0.0, moved[-1] - 100) if moved else 0.0
    return [height - over for height in moved]


# The table

COLUMNS = ("format", "shared", "bits", "mae", "rmse", "max", "sqnr", "bytes")


def table(report: Report, format_ids: Sequence[str], language: str) -> str:
    """One row a format, the fewest bits first."""
    outcomes = sorted((report.outcome(one) for one in format_ids), key=lambda one: one.statistics.bits_per_parameter)
    head = pieces.columns(text(language, f"tensor.{column}") for column in COLUMNS)
    best = {one.format for one in report.worth(format_ids)}
    body = "".join(row(one, one.statistics.format in best, language) for one in outcomes)
    return pieces.table("pp-entries pp-formats", head, body)


def row(outcome: Outcome, best: bool, language: str) -> str:
    found = outcome.statistics
    cells = [
        escape(shared(outcome.layout, language)),
        trimmed(language, found.bits_per_parameter),
        *(figure(language, value) for value in (found.mae, found.rmse, found.max_error)),
        decibels(language, found.sqnr_db),
        size(language, found.bytes),
    ]
    drawn = "".join(f"<td>{cell}</td>" for cell in cells)
    mark = ' class="pp-best"' if best else ""
    return f"<tr{mark} {coloured(found.format)}><td>{sample(found.format)}{name(language, found.format)}</td>{drawn}</tr>"
