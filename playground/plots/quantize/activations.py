"""
Drawings of activations: how large they are and where ranges end, feature by feature beside the weights, module by module;
and the errors of a layer that is trained rounded.

Sizes span many powers of ten, so every axis of them is logarithmic. Takes numbers, gives inline SVG and tables, which
change in place. Knows nothing about models or pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from playground.locales import NO_BREAK, number, raised, significant, text
from playground.plots.kit.figures import decibels, share
from playground.plots.kit.svg import UNITS, drawing, x_axis

if TYPE_CHECKING:
    from playground.formats.calibration import Calibrated, Errors
    from playground.formats.statistics import Histogram
    from playground.formats.straight_through import AwareStep
    from playground.quantize.activations import Cell


NAMES = {
    "min_max": "calibration.min_max",
    "percentile": "calibration.percentile",
    "mse": "calibration.mse",
    "dynamic": "calibration.dynamic",
    "dynamic_token": "calibration.dynamic_token",
}
MARKS = {"min_max": "calibration.mark.min_max", "percentile": "calibration.mark.percentile", "mse": "calibration.mark.mse"}
LINES = {"float_loss": "aware.float", "rounded_after": "aware.rounded_after", "trained_rounded": "aware.trained_rounded"}
NAMED = 3  # outlier features whose numbers are written
LOWEST_ERROR, HIGHEST_ERROR = -4, 1  # powers of ten that the errors' axis spans


def power(language: str, exponent: int) -> str:
    """10 to a whole number: 0.01, 1, 100, 10³, 10⁻⁴."""
    if abs(exponent) > 2:
        return f"10{raised(exponent)}"
    return number(language, 10.0**exponent, max(0, -exponent))


def sizes(found: Histogram, clips: Mapping[str, float], language: str) -> str:
    """A histogram of log₁₀|x|, the counts on a log scale too, with a named line where each static range ends."""
    top = math.log10(1 + max(found.counts)) * 1.04 or 1.0
    low, high = found.low, max(found.high, *(math.log10(clip) for clip in clips.values() if clip > 0))
    span = (high - low) or 1.0
    width = UNITS * (found.high - found.low) / span / len(found.counts)
    outline = "".join(
        f"V{UNITS * (1 - math.log10(1 + count) / top):.1f}H{(index + 1) * width:.1f}"
        for index, count in enumerate(found.counts)
    )
    exponents = range(math.ceil(low), math.floor(high) + 1)
    ticks = "".join(
        f'<text class="pp-axis pp-tick{" pp-odd" * (here % 2)}" x="{100 * (here - low) / span:.2f}%" y="100%" dy="1.5em" '
        f'text-anchor="middle">{power(language, here)}</text>'
        for here in exponents
    )
    name = escape(text(language, "calibration.sizes.axis"))
    axis = f'<text class="pp-axis" x="50%" y="100%" dy="2.8em" text-anchor="middle">{name}</text>'
    counts = [(math.log10(1 + 10**here) / top, power(language, here)) for here in range(0, int(top) + 1, 2)]
    marks = _clips({name: (math.log10(clip) - low) / span for name, clip in clips.items() if clip > 0}, clips, language)
    summary = text(language, "calibration.sizes.title")
    bars = f'<path class="pp-kept" d="M0 {UNITS}{outline}V{UNITS}"/>'
    return f'<div class="pp-ranges">{drawing(summary, counts, ticks + axis + marks, bars)}</div>'


def _clips(places: Mapping[str, float], clips: Mapping[str, float], language: str) -> str:
    """A line for each range and its name above the plot, one line of text higher than the one before."""
    drawn = []
    for row, (name, place) in enumerate(sorted(places.items(), key=lambda pair: pair[1])):
        label = text(language, MARKS[name], clip=significant(language, clips[name], 3))
        anchor = "end" if place > 0.5 else "start"
        drawn.append(
            f'<line class="pp-clip" x1="{100 * place:.2f}%" x2="{100 * place:.2f}%" y1="{-18 * (row + 1) + 2}" y2="100%"/>'
            f'<text class="pp-label" x="{100 * place:.2f}%" y="{-18 * (row + 1)}" dy="1em" '
            f'dx="{-6 if anchor == "end" else 6}" text-anchor="{anchor}">{escape(label)}</text>'
        )
    return "".join(drawn)


def ranges(found: Sequence[Calibrated], language: str) -> str:
    """Every way to choose a range, with what it costs; bars for the share that becomes 0 and for the RMSE."""
    top = max((one.rmse for one in found), default=0.0) or 1.0
    heads = ("method", "clip", "scale", "clipped", "zeros", "rmse", "sqnr")
    keys = {"method": "calibration.head.method", "clip": "calibration.head.clip", "scale": "calibration.head.scale",
            "clipped": "calibration.head.clipped", "zeros": "calibration.head.zeros", "rmse": "calibration.head.rmse",
            "sqnr": "calibration.head.sqnr"}  # fmt: skip
    head = "".join(f'<th scope="col">{escape(text(language, keys[name]))}</th>' for name in heads)
    rows = "".join(
        f'<tr><th scope="row">{escape(text(language, NAMES[one.method]))}</th>'
        f"<td>{significant(language, one.clip, 3)}</td><td>{significant(language, one.scale, 2)}</td>"
        f"<td>{share(language, one.clipped)}</td>"
        f"<td>{_bar(one.zeros, share(language, one.zeros))}</td>"
        f"<td>{_bar(one.rmse / top, significant(language, one.rmse, 3))}</td>"
        f"<td>{decibels(language, one.sqnr_db)}</td></tr>"
        for one in found
    )
    return (
        f'<div class="pp-scroll"><table class="pp-effects pp-calibrated"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def products(plain: Errors, mixed: Errors, language: str) -> str:
    """Errors of the product of activations and weights: all in int8, and with the outlier features in float."""
    top = max(plain.rmse, mixed.rmse) or 1.0
    keys = ("calibration.head.product", "calibration.head.rmse", "calibration.head.max_error", "calibration.head.sqnr")
    head = "".join(f'<th scope="col">{escape(text(language, key))}</th>' for key in keys)
    rows = "".join(
        f'<tr><th scope="row">{escape(text(language, key))}</th>'
        f"<td>{_bar(one.rmse / top, significant(language, one.rmse, 3))}</td>"
        f"<td>{significant(language, one.max_error, 3)}</td><td>{decibels(language, one.sqnr_db)}</td></tr>"
        for key, one in (("calibration.plain", plain), ("calibration.mixed", mixed))
    )
    return (
        f'<div class="pp-scroll"><table class="pp-effects pp-calibrated"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _bar(part: float, written: str) -> str:
    return f'<span class="pp-measure" style="--v:{max(0.0, min(1.0, part)):.3f}"><i></i>{escape(written)}</span>'


def features(largest: np.ndarray, weights: np.ndarray, threshold: float, language: str) -> str:
    """
    The largest |activation| of each feature over the largest |weight| of the same column, on one logarithmic scale; the
    features that reach the threshold are marked.
    """
    both = np.concatenate([largest, weights])
    low = math.floor(math.log10(max(float(both[both > 0].min(initial=1.0)), 1e-4)))
    high = math.ceil(math.log10(max(float(both.max()), threshold, 10.0**low * 10)))
    scale = (low, high)
    outliers = np.flatnonzero(largest >= threshold)
    named = outliers[np.argsort(-largest[outliers])][:NAMED]
    read, held = text(language, "calibration.features.read"), text(language, "calibration.features.held")
    return (
        f'<figure class="pp-drawn pp-features"><figcaption><b>{escape(read)}</b></figcaption>'
        f"{_strip(largest, scale, threshold, outliers.tolist(), named.tolist(), language, read)}</figure>"
        f'<figure class="pp-drawn pp-features"><figcaption><b>{escape(held)}</b></figcaption>'
        f"{_strip(weights, scale, None, [], [], language, held)}</figure>"
    )


def _strip(
    values: np.ndarray, scale: tuple[int, int], threshold: float | None, outliers: list[int], named: list[int],
    language: str, summary: str,
) -> str:  # fmt: skip
    low, high = scale
    heights = np.clip((np.log10(np.maximum(values, 10.0**low)) - low) / (high - low), 0.0, 1.0)
    width = UNITS / len(values)
    outline = "".join(f"V{UNITS * (1 - height):.0f}H{(index + 1) * width:.1f}" for index, height in enumerate(heights))
    stems = "".join(f"M{(index + 0.5) * width:.1f} {UNITS}V{UNITS * (1 - heights[index]):.0f}" for index in outliers)
    names = "".join(
        f'<text class="pp-label" x="{100 * (index + 0.5) / len(values):.2f}%" y="{100 * (1 - heights[index]):.2f}%" '
        f'dy="-.3em" text-anchor="{"end" if index > len(values) / 2 else "start"}">{number(language, index)}</text>'
        for index in _apart(named, len(values))
    )
    line = ""
    if threshold:
        place, note = 100 * (1 - (math.log10(threshold) - low) / (high - low)), significant(language, threshold, 2)
        line = (
            f'<line class="pp-clip" x1="0" x2="100%" y1="{place:.2f}%" y2="{place:.2f}%"/>'
            f'<text class="pp-label" x="0" dx="4" y="{place:.2f}%" dy="-.4em">{note}</text>'
        )
    every = max(1, math.ceil((high - low) / 4))
    lines = [((here - low) / (high - low), power(language, here)) for here in range(low, high + 1, every)]
    name = escape(text(language, "calibration.features.axis"))
    axis = f'<text class="pp-axis" x="50%" y="100%" dy="1.5em" text-anchor="middle">{name}</text>'
    inside = (
        f'<path class="pp-kept" d="M0 {UNITS}{outline}V{UNITS}"/>'
        f'<path class="pp-outliers" vector-effect="non-scaling-stroke" d="{stems}"/>'
    )
    return drawing(summary, lines, line + names + axis, inside)


def _apart(named: list[int], count: int) -> list[int]:
    """Of features whose numbers would be written over each other only the first."""
    kept: list[int] = []
    for one in named:
        if all(abs(one - other) > 0.08 * count for other in kept):
            kept.append(one)
    return kept


def named(kind: str, layer: int | None, language: str) -> str:
    """A module; one outside of the layers by its own name alone."""
    return kind if layer is None else text(language, "calibration.module.name", layer=layer, kind=kind)


def network(cells: Sequence[Cell], chosen: str, language: str) -> str:
    """
    The largest |activation| that every module reads, on a log scale: kinds down, layers across, in the last column what
    lies outside of them.
    """
    kinds = list(dict.fromkeys(cell.kind for cell in cells))
    layers: list[int | None] = [*sorted({cell.layer for cell in cells if cell.layer is not None})]
    layers += [None] if any(cell.layer is None for cell in cells) else []
    known = {(cell.kind, cell.layer): cell for cell in cells}
    found = [cell.largest for cell in cells if cell.largest > 0] or [1.0]
    low, span = math.log(min(found)), math.log(max(found) / min(found)) or 1.0
    heads = "".join(f"<th>{'' if layer is None or layer % 5 else layer}</th>" for layer in layers)

    def drawn(cell: Cell | None) -> str:
        if cell is None:
            return "<td></td>"
        largest = significant(language, cell.largest, 2)
        name = escape(text(language, "calibration.cell", name=named(cell.kind, cell.layer, language), largest=largest))
        strength = (math.log(cell.largest) - low) / span if cell.largest > 0 else 0.0
        mark = ' class="pp-chosen"' if cell.module == chosen else ""
        return f'<td{mark} style="--v:{strength:.3f}" title="{name}"><span>{largest}</span></td>'

    rows = "".join(
        f'<tr><th scope="row">{escape(kind)}</th>{"".join(drawn(known.get((kind, layer))) for layer in layers)}</tr>'
        for kind in kinds
    )
    return (
        f'<div class="pp-scroll"><table class="pp-network pp-sizes-map"><thead><tr>'
        f'<th scope="col">{escape(text(language, "lowrank.layer"))}</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def aware_curve(steps: Sequence[AwareStep], planned: int, language: str) -> str:
    """Errors by step, on a log scale, and below them what each line is with its latest figure."""
    low, span = LOWEST_ERROR, HIGHEST_ERROR - LOWEST_ERROR
    lines = [
        ((here - low) / span, number(language, 100 * 10.0**here, max(0, -here - 2)) + NO_BREAK + "%")
        for here in range(low, HIGHEST_ERROR + 1)
    ]
    drawn, names = "", ""
    for name, key in LINES.items():
        points = [(one.step, getattr(one, name)) for one in steps]
        places = " L".join(
            f"{UNITS * step / planned:.1f} {UNITS * (1 - (math.log10(max(loss, 10.0**low)) - low) / span):.1f}"
            for step, loss in points
        )
        if places:
            drawn += f'<path class="pp-curve pp-line-{name}" vector-effect="non-scaling-stroke" d="M{places}"/>'
        latest = share(language, points[-1][1]) if points else ""
        names += f'<span class="pp-line-{name}">{escape(text(language, key))} <b>{escape(latest)}</b></span>'
    chart = drawing(text(language, "aware.curve"), lines, x_axis(planned, language), drawn)
    return f'<div class="pp-aware">{chart}<p class="pp-lines">{names}</p></div>'
