"""
Drawings of activations: how large they are and where ranges end, feature by feature beside the weights, module by module.

Sizes span many powers of ten, so every axis of them is logarithmic. Takes numbers, gives inline SVG and tables, which
change in place. Knows nothing about models or pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from playground.locales import number, significant, text
from playground.plots.kit.figures import decibels, figure, powered, share
from playground.plots.kit.heatmap import Place, layer_map
from playground.plots.kit.pieces import below, captioned, columns, measure, odd, outline, table
from playground.plots.kit.svg import UNITS, drawing
from playground.plots.quantize.names import module_name

if TYPE_CHECKING:
    from playground.formats.calibration import Calibrated
    from playground.formats.statistics import Errors, Histogram
    from playground.quantize.activations import Cell


NAMES = {
    "min_max": "calibration.min_max",
    "percentile": "calibration.percentile",
    "mse": "calibration.mse",
    "dynamic": "calibration.dynamic",
    "dynamic_token": "calibration.dynamic_token",
}
MARKS = {"min_max": "calibration.mark.min_max", "percentile": "calibration.mark.percentile", "mse": "calibration.mark.mse"}
RANGES = (
    "calibration.head.method", "calibration.head.clip", "calibration.head.scale", "calibration.head.clipped",
    "calibration.head.zeros", "calibration.head.rmse", "calibration.head.sqnr",
)  # fmt: skip
PRODUCTS = ("calibration.head.product", "calibration.head.rmse", "calibration.head.max_error", "calibration.head.sqnr")
NAMED = 3  # outlier features whose numbers are written


def sizes(found: Histogram, clips: Mapping[str, float], language: str) -> str:
    """A histogram of log₁₀|x|, the counts on a log scale too, with a named line where each static range ends."""
    top = math.log10(1 + max(found.counts)) * 1.04 or 1.0
    low, high = found.low, max(found.high, *(math.log10(clip) for clip in clips.values() if clip > 0))
    span = (high - low) or 1.0
    heights = [math.log10(1 + count) / top for count in found.counts]
    ticks = "".join(
        below((here - low) / span, powered(10.0**here), "1.5em", odd(here))
        for here in range(math.ceil(low), math.floor(high) + 1)
    )
    axis = below(0.5, text(language, "calibration.sizes.axis"), "2.8em")
    counts = [(math.log10(1 + 10**here) / top, powered(10.0**here)) for here in range(0, int(top) + 1, 2)]
    marks = _clips({name: (math.log10(clip) - low) / span for name, clip in clips.items() if clip > 0}, clips, language)
    summary = text(language, "calibration.sizes.title")
    bars = f'<path class="pp-kept" d="{outline(heights, UNITS * (found.high - found.low) / span)}"/>'
    return f'<div class="pp-ranges">{drawing(summary, counts, ticks + axis + marks, bars)}</div>'


def _clips(places: Mapping[str, float], clips: Mapping[str, float], language: str) -> str:
    """A line for each range and its name above the plot, one line of text higher than the one before."""
    drawn = []
    for row, (name, place) in enumerate(sorted(places.items(), key=lambda pair: pair[1])):
        label = text(language, MARKS[name], clip=figure(language, clips[name]))
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
    return _compared(
        RANGES,
        {
            NAMES[one.method]: (
                figure(language, one.clip),
                figure(language, one.scale),
                share(language, one.clipped),
                measure(one.zeros, share(language, one.zeros)),
                measure(one.rmse / top, figure(language, one.rmse)),
                decibels(language, one.sqnr_db),
            )
            for one in found
        },
        language,
    )


def products(plain: Errors, mixed: Errors, language: str) -> str:
    """Errors of the product of activations and weights: all in int8, and with the outlier features in float."""
    top = max(plain.rmse, mixed.rmse) or 1.0
    return _compared(
        PRODUCTS,
        {
            key: (
                measure(one.rmse / top, figure(language, one.rmse)),
                figure(language, one.max_error),
                decibels(language, one.sqnr_db),
            )
            for key, one in (("calibration.plain", plain), ("calibration.mixed", mixed))
        },
        language,
    )


def _compared(heads: Sequence[str], rows: Mapping[str, Sequence[str]], language: str) -> str:
    """A table by the keys of its columns and of its rows."""
    body = "".join(
        f'<tr><th scope="row">{escape(text(language, name))}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows.items()
    )
    return table("pp-effects pp-calibrated", columns(text(language, head) for head in heads), body)


def features(largest: np.ndarray, weights: np.ndarray, threshold: float, language: str) -> str:
    """
    The largest |activation| of each feature over the largest |weight| of the same column, on one logarithmic scale; the
    features that reach the threshold are marked.
    """
    both = np.concatenate([largest, weights])
    low = math.floor(math.log10(max(float(both[both > 0].min(initial=1.0)), 1e-4)))
    high = math.ceil(math.log10(max(float(both.max()), threshold, 10.0**low * 10)))
    read, held = text(language, "calibration.features.read"), text(language, "calibration.features.held")
    marks = _outliers(largest, (low, high), threshold, language)
    return captioned(read, _strip(largest, (low, high), read, language, *marks), " pp-features") + captioned(
        held, _strip(weights, (low, high), held, language), " pp-features"
    )


def _heights(values: np.ndarray, scale: tuple[int, int]) -> np.ndarray:
    """Shares of the height on a logarithmic scale between two powers of ten."""
    low, high = scale
    heights: np.ndarray = np.clip((np.log10(np.maximum(values, 10.0**low)) - low) / (high - low), 0.0, 1.0)
    return heights


def _strip(
    values: np.ndarray, scale: tuple[int, int], summary: str, language: str, outside: str = "", inside: str = ""
) -> str:
    """A bar for each feature, and what `_outliers` gives to be drawn over them."""
    low, high = scale
    every = max(1, math.ceil((high - low) / 4))
    lines = [((here - low) / (high - low), powered(10.0**here)) for here in range(low, high + 1, every)]
    axis = below(0.5, text(language, "calibration.features.axis"), "1.5em")
    bars = f'<path class="pp-kept" d="{outline(_heights(values, scale).tolist())}"/>'
    return drawing(summary, lines, outside + axis, bars + inside)


def _outliers(largest: np.ndarray, scale: tuple[int, int], threshold: float, language: str) -> tuple[str, str]:
    """The threshold's line with the numbers of the largest features that reach it, and all of these in a colour."""
    heights, count = _heights(largest, scale), len(largest)
    found = np.flatnonzero(largest >= threshold)
    largest_first = found[np.argsort(-largest[found])].tolist()
    place = 100 * (1 - (math.log10(threshold or 10.0 ** scale[0]) - scale[0]) / (scale[1] - scale[0]))
    line = (
        f'<line class="pp-clip" x1="0" x2="100%" y1="{place:.2f}%" y2="{place:.2f}%"/>'
        f'<text class="pp-label" x="0" dx="4" y="{place:.2f}%" dy="-.4em">{significant(language, threshold)}</text>'
    )
    numbers = "".join(
        f'<text class="pp-label" x="{100 * (index + 0.5) / count:.2f}%" y="{100 * (1 - heights[index]):.2f}%" '
        f'dy="-.3em" text-anchor="{"end" if index > count / 2 else "start"}">{number(language, index)}</text>'
        for index in _apart(largest_first[:NAMED], count)
    )
    width = UNITS / count
    stems = "".join(f"M{(index + 0.5) * width:.1f} {UNITS}V{UNITS * (1 - heights[index]):.0f}" for index in found.tolist())
    return line + numbers, f'<path class="pp-outliers" vector-effect="non-scaling-stroke" d="{stems}"/>'


def _apart(named: list[int], count: int) -> list[int]:
    """Of features whose numbers would be written over each other only the first."""
    kept: list[int] = []
    for one in named:
        if all(abs(one - other) > 0.08 * count for other in kept):
            kept.append(one)
    return kept


def network(cells: Sequence[Cell], chosen: str, language: str) -> str:
    """The largest |activation| that every module reads, on a log scale."""
    found = [cell.largest for cell in cells if cell.largest > 0] or [1.0]
    low, span = math.log(min(found)), math.log(max(found) / min(found)) or 1.0

    def place(cell: Cell) -> Place:
        strength = (math.log(cell.largest) - low) / span if cell.largest > 0 else 0.0
        largest = figure(language, cell.largest)
        name = text(language, "calibration.cell", name=module_name(language, cell.kind, cell.layer), largest=largest)
        return Place(cell.kind, cell.layer, strength, largest, name, cell.module == chosen)

    return layer_map([place(cell) for cell in cells], language, "pp-sizes-map")
