"""
Drawings about a mix: where adapters get into each other's way, and what is left of each task. HTML that changes in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.locales import percent, significant, text
from playground.plots.kit.heatmap import Place, layer_map
from playground.plots.kit.pieces import columns, table


def interference(cells: Sequence[Mapping[str, Any]], measure: str, names: Sequence[str], language: str) -> str:
    """
    One measure (see `interference.Interference`) of every module, −1 to 1; of several pairs the one that has most of it.
    `names` are the adapters'.
    """
    most: dict[str, Mapping[str, Any]] = {}
    for cell in cells:
        if cell[measure] is not None:
            most[cell["module"]] = max(most.get(cell["module"], cell), cell, key=lambda one: abs(one[measure]))

    def place(cell: Mapping[str, Any]) -> Place:
        value = significant(language, cell[measure]).replace("-", "−")
        pair = " · ".join(names[one] for one in cell["pair"])
        said = text(language, "mix.cell", layer=cell["layer"], kind=cell["kind"], value=value, pair=pair)
        return Place(cell["kind"], cell["layer"], max(-1.0, min(1.0, cell[measure])), value, said)

    places = [place(cell) for cell in most.values()]
    return layer_map(places, language) + _key(places, measure == "cosine", language)


def _key(places: Sequence[Place], signed: bool, language: str) -> str:
    """The scale of the colours, and how much of it the map uses: what is all near 0 looks empty."""
    if not places:
        return ""
    least, style = ("−1", ' class="pp-signed"') if signed else ("0", "")
    said = text(language, "mix.key", most=max(places, key=lambda one: abs(one.strength)).value)
    return f'<p class="pp-key"><span>{least}</span><i{style}></i><span>1</span><span>{escape(said)}</span></p>'


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
