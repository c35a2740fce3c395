"""
Where an adapter learned, as HTML. Knows no components and no events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from playground import locales
from playground.adapt import ranks_left
from playground.lowrank import findings
from playground.model.modules import kind_of
from playground.plots.lowrank import adapter as plots
from playground.ui.kit.html import alike, colour
from playground.ui.kit.sections import soft
from playground.ui.lowrank.module import vectors

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.lowrank.findings import Cell
    from playground.model.bases import Base


def where(base: Base, adapter: Adapter, module: str, language: str) -> str:
    """The map over the whole network with one module framed, and for IA3 its vectors by kind of module."""
    cells = findings.network(base, adapter)
    plain = [asdict(cell) for cell in cells]
    drawn = plots.network(plain, module, language) + in_words(cells, language)
    drawn += beside(adapter, language)
    return f"<div {colour(adapter.record.method)}>{drawn}{vectors(findings.vectors(base, adapter), language)}</div>"


def beside(adapter: Adapter, language: str) -> str:
    """
    What the map does not show: AdaLoRA's ranks, biases, and that an initialization was undone; "" where there is nothing to
    say.
    """
    biases = sum(tensor.numel() for name, tensor in adapter.tensors.items() if name.endswith(".bias"))
    line = soft(language, "updates.where.biases", count=locales.number(language, biases)) if biases else ""
    line = left(ranks_left.left(adapter.tensors), language) + line
    return line + (soft(language, "adapter.undone", name=adapter.record.undone) if adapter.record.undone else "")


def left(modules: Mapping[str, tuple[int, int]], language: str) -> str:
    """What AdaLoRA has left of its ranks, by kind of module; nothing while all are zero, as before the first step."""

    def figures(those: Iterable[tuple[int, int]]) -> dict[str, str]:
        some, of = (sum(one) for one in zip(*those, strict=True))
        return {"left": locales.number(language, some), "all": locales.number(language, of)}

    if not any(some for some, _ in modules.values()):
        return ""
    kinds = {kind: [one for module, one in modules.items() if kind_of(module) == kind] for kind in map(kind_of, modules)}
    told = [locales.text(language, "updates.where.left.kind", kind=kind, **figures(those)) for kind, those in kinds.items()]
    ends = {"low": min(some for some, _ in modules.values()), "high": max(some for some, _ in modules.values())}
    return soft(language, "updates.where.left", **figures(modules.values()), **ends, kinds=", ".join(told))


def in_words(cells: Sequence[Cell], language: str) -> str:
    """Which module changed most, and the mean effective rank of all, in words."""
    if not any(cell.relative for cell in cells):
        return soft(language, "updates.where.nothing")
    share = locales.percent(language, 100 * max(cell.relative for cell in cells))
    top = [cell for cell in cells if locales.percent(language, 100 * cell.relative) == share]
    names = alike([locales.text(language, "lowrank.module", layer=cell.layer, kind=cell.kind) for cell in top])
    line = soft(language, "updates.where.most", modules=names, share=share)
    ranks = [cell.effective_rank for cell in cells if cell.effective_rank is not None]
    if ranks:
        line += soft(language, "updates.where.rank", mean=locales.number(language, sum(ranks) / len(ranks), 1))
    return line
