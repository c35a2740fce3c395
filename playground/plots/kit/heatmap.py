"""
A map over the whole network: kinds of modules down, layers across.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from playground.locales import number, text

if TYPE_CHECKING:
    from playground.plots.quantize.wholemodel import Values


def network(modules: Sequence[Values], language: str) -> str:
    """SQNR of every module: kinds down, layers across; the fuller the colour, the less was lost."""
    kinds = list(dict.fromkeys(module["kind"] for module in modules))
    layers = sorted({module["layer"] for module in modules if module["layer"] is not None})
    known = {(module["kind"], module["layer"]): module for module in modules}
    values = [module["sqnr_db"] for module in modules if module["sqnr_db"] is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    heads = "".join(f"<th>{layer if layer % 5 == 0 else ''}</th>" for layer in layers)
    rows = "".join(
        f'<tr><th scope="row">{escape(kind)}</th>'
        + "".join(_cell(known.get((kind, layer)), low, high, language) for layer in layers)
        + "</tr>"
        for kind in kinds
    )
    return (
        f'<div class="pp-scroll"><table class="pp-network"><thead><tr><th scope="col">'
        f"{escape(text(language, 'lowrank.layer'))}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(module: Values | None, low: float, high: float, language: str) -> str:
    if module is None:
        return "<td></td>"
    value = module["sqnr_db"]
    said = text(language, "wholemodel.exact") if value is None else f"{number(language, value, 1)} dB"
    share = 1.0 if value is None or high == low else 0.15 + 0.85 * (value - low) / (high - low)
    name = text(language, "wholemodel.cell", layer=module["layer"], kind=module["kind"], sqnr=said)
    return f'<td style="--v:{share:.3f}" title="{escape(name)}"><span>{escape(said)}</span></td>'
