"""
Drawings of the low-rank lab: spectra, where an adapter learned, what cutting costs, how two adapters overlap.

What moves with a slider is HTML, which changes in place; what stands is plotly. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.locales import counted, number, percent, significant, text
from playground.plots.kit.charts import AMOUNT, COLOURS, styled
from playground.plots.kit.heatmap import Place, layer_map
from playground.plots.kit.svg import UNITS, y_axis
from playground.plots.lowrank.axis import below
from playground.plots.lowrank.table import row_head, table

SHOWN = 64  # singular values
BEYOND = 4  # places behind the last one that show the cliff
ROOM = 1.06  # the height reaches a little further than the largest value


def spectrum(values: Sequence[float], kept: int, language: str) -> str:
    """
    Singular values as bars, those that are kept filled, over the share of energy that the first ones hold as a line;
    behind the last one the empty places that a higher rank would fill. What the line is stands below.
    """
    shown = list(values[:SHOWN])
    places = len(shown) + (BEYOND if len(values) <= SHOWN else 0)
    largest = max(shown, default=0.0)
    top = ROOM * (largest or 1.0)
    key = "lowrank.spectrum.first" if len(values) > SHOWN else "lowrank.spectrum.axis"
    name = text(language, key, shown=SHOWN, count=number(language, len(values)))
    first = significant(language, largest, 3)
    label = escape(counted(language, "lowrank.spectrum.label", len(values), first=first))
    line = _energy(values, places)
    return (
        f'<svg class="pp-loss pp-spectrum" role="img" aria-label="{label}" style="--label:5">{y_axis(top, language)}'
        f"{_values(shown, kept, places, top, language)}"
        f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" width="100%" height="100%" overflow="visible">'
        f"{line}</svg>{below(range(1, places + 1, max(1, places // 10)), places, name, language)}"
        f"{_shares(language) if line else ''}</svg>"
        f'<p class="pp-soft pp-small">{escape(text(language, "lowrank.spectrum.line"))}</p>'
    )


def _values(shown: Sequence[float], kept: int, places: int, top: float, language: str) -> str:
    """A bar for each singular value, as high as its part of `top`."""
    width = 100 / max(1, places)
    return "".join(
        f'<rect class="{"pp-kept" if index < kept else "pp-cut"}" x="{width * (index + 0.14):.2f}%" '
        f'width="{width * 0.72:.2f}%" y="{100 * (1 - value / top):.2f}%" height="{100 * value / top:.2f}%">'
        f"<title>σ{index + 1} = {significant(language, value, 3)}</title></rect>"
        for index, value in enumerate(shown)
    )


def _energy(values: Sequence[float], places: int) -> str:
    """The share of all squares that the first ones hold, as a line; "" if there is nothing to share."""
    squares = np.cumsum(np.square(np.asarray(values, dtype=np.float64)))
    if not len(squares) or squares[-1] <= 0:
        return ""
    shares = [*(squares / squares[-1])[:places], *[1.0] * (places - len(values))]
    points = " L".join(
        f"{UNITS * (index + 0.5) / places:.1f} {UNITS * (1 - share / ROOM):.1f}" for index, share in enumerate(shares)
    )
    return f'<path class="pp-energy" vector-effect="non-scaling-stroke" d="M{points}"/>'


def _shares(language: str) -> str:
    """What the line's heights mean, on the right."""
    return "".join(
        f'<text class="pp-axis" x="100%" dx="6" y="{100 * (1 - share / ROOM):.2f}%" dy=".35em">'
        f"{escape(percent(language, 100 * share))}</text>"
        for share in (0.5, 1.0)
    )


def network(cells: Sequence[Mapping[str, Any]], chosen: str, language: str) -> str:
    """‖ΔW‖ / ‖W‖ of every module; the chosen one is framed."""
    top = max([cell["relative"] for cell in cells], default=0.0) or 1.0

    def place(cell: Mapping[str, Any]) -> Place:
        share = percent(language, 100 * cell["relative"])
        name = text(language, "lowrank.cell", layer=cell["layer"], kind=cell["kind"], share=share)
        return Place(cell["kind"], cell["layer"], cell["relative"] / top, share, name, cell["module"] == chosen)

    return layer_map([place(cell) for cell in cells], language)


def effects(rows: Sequence[Mapping[str, Any]], base_loss: float, language: str) -> str:
    """A table with a bar each for held-out loss and KL; a row has `label`, `held_out_loss`, `kl_from_base`."""
    base = {"label": text(language, "lowrank.effects.base"), "held_out_loss": base_loss, "kl_from_base": 0.0}
    columns = {name: [row[name] for row in (base, *rows)] for name in ("held_out_loss", "kl_from_base")}
    tops = {
        name: max((value for value in column if isfinite(value)), default=0.0) or 1.0 for name, column in columns.items()
    }
    heads = [text(language, f"lowrank.effects.{name}") for name in ("edit", "loss", "kl")]
    body = (
        row_head(row["label"]) + "".join(_bar(row[name], tops[name], language) for name in columns) for row in (base, *rows)
    )
    return table("pp-effects", heads, body)


def _bar(value: float, top: float, language: str) -> str:
    if not isfinite(value):
        return f"<td>{text(language, 'number.overflows')}</td>"
    written = number(language, value, 2) if value >= 1 else significant(language, value)
    return f'<td><span class="pp-measure" style="--v:{value / top:.3f}"><i></i>{written}</span></td>'


def overlap(values: np.ndarray, names: tuple[str, str], language: str) -> go.Figure:
    """φ(i, j) as a map: how much of one adapter's first directions lies within the other's."""
    rows, columns = values.shape
    figure = go.Figure(
        go.Heatmap(
            z=np.asarray(values, dtype=np.float32), x=list(range(1, columns + 1)), y=list(range(1, rows + 1)),
            zmin=0, zmax=1, colorscale=AMOUNT, xgap=1, ygap=1, colorbar={"title": "φ", "thickness": 12, "outlinewidth": 0},
            hovertemplate="φ(%{y}, %{x}) = %{z:.3f}<extra></extra>",
        )
    )  # fmt: skip
    sides = [
        text(language, "lowrank.overlap.axis", symbol=symbol, name=name) for symbol, name in zip("ji", names, strict=True)
    ]
    return styled(figure, language, height=340, x=sides[1], y=sides[0])


def directions(points: Sequence[Mapping[str, Any]], language: str) -> go.Figure:
    """Length against direction, one point a module, one shape a kind."""
    figure = go.Figure()
    shapes = ("circle", "diamond-open", "square", "x-thin-open", "triangle-up", "star-open", "cross")
    for kind, shape in zip(dict.fromkeys(point["kind"] for point in points), shapes, strict=False):
        own = [point for point in points if point["kind"] == kind]
        figure.add_scatter(
            x=[point["direction"] for point in own], y=[100 * point["length"] for point in own], mode="markers", name=kind,
            marker={"symbol": shape, "size": 9, "color": COLOURS["lora"], "line": {"color": COLOURS["lora"], "width": 1.5}},
            text=[text(language, "lowrank.module", layer=point["layer"], kind=kind) for point in own],
            hovertemplate="%{text}<br>%{x:.4f} · %{y:.2f} %<extra></extra>",
        )  # fmt: skip
    x, y = (text(language, f"lowrank.directions.{axis}") for axis in ("direction", "length"))
    return styled(figure, language, height=320, x=x, y=y)
