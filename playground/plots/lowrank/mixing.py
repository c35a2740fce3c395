"""
Drawings about a mix: where adapters get into each other's way, and what is left of each task. HTML that changes in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.locales import percent, significant, text, trimmed
from playground.plots.kit.heatmap import Place, layer_map
from playground.plots.kit.pieces import columns, table

FULL = (0.1, 0.2, 0.5, 1.0)  # where a map's colours may end: on −1 to 1 the updates of most adapters leave it blank


def interference(cells: Sequence[Mapping[str, Any]], measure: str, names: Sequence[str], language: str) -> str:
    """
    One measure (see `interference.Interference`) of every module, −1 to 1; of several pairs the one that has most of it.
    The colours end at the first of `FULL` that holds all. `names` are the adapters'.
    """
    most: dict[str, Mapping[str, Any]] = {}
    for cell in cells:
        if cell[measure] is not None:
            most[cell["module"]] = max(most.get(cell["module"], cell), cell, key=lambda one: abs(one[measure]))
    farthest = max((cell[measure] for cell in most.values()), key=abs, default=0.0)
    full = next((one for one in FULL if abs(farthest) <= one), FULL[-1])

    def place(cell: Mapping[str, Any]) -> Place:
        value = _short(cell[measure], language)
        pair = " · ".join(names[one] for one in cell["pair"])
        said = text(language, "mix.cell", layer=cell["layer"], kind=cell["kind"], value=value, pair=pair)
        return Place(cell["kind"], cell["layer"], max(-1.0, min(1.0, cell[measure] / full)), value, said)

    drawn = layer_map([place(cell) for cell in most.values()], language)
    return drawn + (_key(farthest, full, measure == "cosine", language) if most else "")


def _short(value: float, language: str) -> str:
    return significant(language, value).replace("-", "−")


def _key(farthest: float, full: float, signed: bool, language: str) -> str:
    """The scale of the colours, what lies farthest from 0, and between what it could lie."""
    end = trimmed(language, full)
    least, style = (f"−{end}", ' class="pp-signed"') if signed else ("0", "")
    said = text(language, "mix.key", most=_short(farthest, language), least="−1" if signed else "0")
    ends = f"<span>{least}</span><i{style}></i><span>{end}</span>"
    return f'<p class="pp-key">{ends}<span>{escape(said)}</span></p>'


def scores(rows: Sequence[Mapping[str, Any]], tasks: Sequence[str], language: str) -> str:
    """
    A row for each variant: its `title`, its `colour` (a style attribute), and by task its `score` and `loss`; "…" for what
    is still to come.
    """
    names = [text(language, "score.column.variant"), *(text(language, f"tasks.{one}.name") for one in tasks)]
    body = "".join(
        f'<tr {row["colour"]}><th scope="row">{escape(row["title"])}</th>'
        + "".join(f"<td>{_score(row['scores'].get(task), language)}</td>" for task in tasks)
        + "</tr>"
        for row in rows
    )
    return table("pp-race pp-scores", columns(names), body, text(language, "score.table"))


def _score(found: Mapping[str, Any] | None, language: str) -> str:
    if found is None:
        return "…"
    score, loss = found["score"], found["loss"]
    written = "–" if score is None else percent(language, 100 * score)
    beside = "" if loss is None else text(language, "mix.loss", loss=significant(language, loss, 3))
    return f"{escape(written)} <small>{escape(beside)}</small>"
