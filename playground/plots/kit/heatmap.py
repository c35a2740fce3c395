"""
A map over the whole network: kinds of modules down, layers across, the fuller a cell's colour, the more there is.

Takes what each cell shows, gives HTML that changes in place. Knows nothing about what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from playground.locales import text

EVERY = 5  # layers whose number stands above them


@dataclass(frozen=True)
class Place:
    """
    One module: how full its colour is, from 0 to 1, or to −1 in the colour of what is negative; its value as it is read out,
    and what it says when pointed at.
    """

    kind: str
    layer: int | None  # None: outside of the layers
    strength: float
    value: str
    name: str
    chosen: bool = False  # framed


def layer_map(places: Sequence[Place], language: str, style: str = "") -> str:
    """The table of all of them; what lies outside of the layers stands in the last column. `style` is one more class."""
    layers: list[int | None] = [*sorted({one.layer for one in places if one.layer is not None})]
    layers += [None] if any(one.layer is None for one in places) else []
    known = {(one.kind, one.layer): one for one in places}
    heads = "".join(_head(layer, language) for layer in layers)
    rows = "".join(
        f'<tr><th scope="row">{escape(kind)}</th>{"".join(_cell(known.get((kind, layer))) for layer in layers)}</tr>'
        for kind in dict.fromkeys(one.kind for one in places)
    )
    return (
        f'<div class="pp-scroll"><table class="{" ".join(("pp-network", style)).strip()}"><thead><tr><th scope="col">'
        f"{escape(text(language, 'lowrank.layer'))}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _head(layer: int | None, language: str) -> str:
    """A column's number; where it has no room, only who listens hears it."""
    if layer is None:
        return f'<th scope="col"><span>{escape(text(language, "lowrank.outside"))}</span></th>'
    return f'<th scope="col">{f"<span>{layer}</span>" if layer % EVERY else layer}</th>'


def _cell(one: Place | None) -> str:
    if one is None:
        return "<td></td>"
    marks = [name for name, has in (("pp-chosen", one.chosen), ("pp-below", one.strength < 0)) if has]
    mark = f' class="{" ".join(marks)}"' if marks else ""
    return f'<td{mark} style="--v:{abs(one.strength):.3f}" title="{escape(one.name)}"><span>{escape(one.value)}</span></td>'
