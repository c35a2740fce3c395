"""
One module's update as a card: its matrices, its spectrum, its figures. Knows no components and no events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape

import torch

from playground.adapt.adapters import Adapter
from playground.locales import number, percent, significant, text
from playground.lowrank import findings, updates
from playground.lowrank.factors import Factors, effective_rank, energy
from playground.lowrank.findings import ModuleReport
from playground.lowrank.ranks import ranks
from playground.model.bases import Base
from playground.model.weights import weight_of
from playground.plots.kit.matrix import MOST, full_colour, matrix, shrink
from playground.plots.lowrank.adapter import spectrum
from playground.ui.kit import html
from playground.ui.lowrank.pieces import matrices, small

NONE = "–"
NAMES = {"adalora": ("P", "ΛQ")}  # of B and A, where a method has others
SIDE = 220  # pixels of the longer side of W


def module_card(base: Base, adapter: Adapter, module: str, rank: int, language: str) -> str:
    """What fits the method: factors and their spectrum, a vector, or a dense update."""
    update, weight = updates.update_of(base, adapter, module), weight_of(base.model, module)
    name = text(language, "lowrank.module", layer=update.layer, kind=update.kind)
    head = f'<h2 class="pp-title">{escape(name)}</h2>'
    if update.factors is not None:
        report = findings.report(base, adapter, module)
        names = NAMES.get(adapter.record.method, ("B", "A"))
        body = _factors(update, update.factors, names, weight, report, rank, language)
    else:
        body = _dense(base, adapter, update, weight, language)
    return f'<section class="pp-card" {html.colour(adapter.record.method)}>{head}{body}</section>'


def _factors(
    update: updates.Update, factors: Factors, names: tuple[str, str], weight: torch.Tensor, report: ModuleReport, rank: int,
    language: str,
) -> str:  # fmt: skip
    values = factors.svd.s
    rank = min(rank, len(values))
    drawn = _products(update, factors, names, weight, rank, language)
    kept = energy(values)[rank - 1] if rank else 0.0
    facts = [
        ("relative", percent(language, 100 * report.relative)),
        ("effective", number(language, report.effective_rank, 1)),
        *_enough(values, factors.shape, language),
        ("kept", percent(language, 100 * float(kept)) if values[0] else NONE),
        *((name, significant(language, getattr(report, name), 3)) for name in ("within", "within_own", "within_random")),
        ("amplification", NONE if report.amplification is None else number(language, report.amplification, 1)),
    ]
    bars = spectrum(values.tolist(), rank, language)
    return f"{matrices(drawn)}{_shrunk(weight, language)}{bars}{_lengths(update, weight, language)}{_facts(facts, language)}"


def _enough(values: torch.Tensor, shape: tuple[int, int], language: str) -> list[tuple[str, str]]:
    """The ranks that would have been enough, by energy and beside noise."""
    found = ranks(values.tolist(), shape)
    return [(name, number(language, getattr(found, name))) for name in ("energy_rank", "noise_rank")]


def _products(
    update: updates.Update, factors: Factors, names: tuple[str, str], weight: torch.Tensor, rank: int, language: str
) -> Iterator[str]:
    """W, the two factors, their product, and what a lower rank leaves of it, all in one scale."""
    draw = partial(matrix, side=SIDE, longest=max(factors.shape))
    sizes = {**_sizes(factors.shape, language), "rank": number(language, factors.rank)}
    yield draw("W", weight.numpy(), text(language, "module.w", **sizes))
    b, a = names
    yield draw(a, factors.a.numpy(), text(language, "module.a", **sizes))
    yield draw(b, factors.b.numpy(), text(language, "module.b", **sizes))
    delta = factors.product().numpy()
    limit = full_colour(shrink(delta)[0])
    note = text(language, "module.delta", scaling=significant(language, factors.scaling), product=f"{b}·{a}")
    yield draw("ΔW" if update.low_rank else "s·BA", delta, note, limit)
    if rank < len(factors.svd.s):
        yield draw(f"r = {rank}", factors.truncated(rank).product().numpy(), text(language, "module.cut"), limit)


def _dense(base: Base, adapter: Adapter, update: updates.Update, weight: torch.Tensor, language: str) -> str:
    """IA3's vector and full fine-tuning's weight: the update has every rank, so there are no factors to show."""
    delta = update.delta(weight)
    draw = partial(matrix, side=SIDE, longest=max(weight.shape))
    drawn = [draw("W", weight.numpy(), text(language, "module.w", **_sizes(weight.shape, language)))]
    relative = float(torch.linalg.norm(delta)) / findings.weight_norm(base, update.module)
    facts, bars = [("relative", percent(language, 100 * relative))], ""
    if update.vector is not None:
        vector = (update.vector - 1).numpy()
        most = significant(language, float(abs(vector).max()))
        drawn.append(draw("l − 1", vector, text(language, "module.vector", count=number(language, vector.size), most=most)))
    else:
        values = findings.spectrum(base, adapter, update.module)
        facts.append(("effective", number(language, effective_rank(values), 1)))
        facts += _enough(values, (weight.shape[0], weight.shape[1]), language)
        bars = spectrum(values.tolist(), len(values), language)
    how = "scaled" if update.vector is not None else "trained"
    drawn.append(draw("ΔW", delta.numpy(), text(language, f"module.{how}")))
    return f"{matrices(drawn)}{_shrunk(weight, language)}{bars}{_facts(facts, language)}"


def vectors(found: Mapping[str, torch.Tensor], language: str) -> str:
    """IA3's vectors by kind of module: layers down, entries across, l − 1 around zero; "" for other methods."""
    drawn = []
    for kind, values in found.items():
        layers, entries = values.shape
        note = text(
            language, "module.vectors", layers=layers, entries=number(language, entries),
            mean=significant(language, float(values.abs().mean())),
        )  # fmt: skip
        drawn.append(matrix(kind, values.numpy(), note, side=2 * SIDE, longest=max(entries, 2 * layers)))
    return matrices(drawn) if drawn else ""


def _lengths(update: updates.Update, weight: torch.Tensor, language: str) -> str:
    """DoRA: how far each row's length was moved; "" for other methods."""
    if update.magnitude is None:
        return ""
    change = update.magnitude / torch.linalg.norm(weight, dim=1) - 1
    note = text(language, "module.lengths", mean=percent(language, 100 * float(change.abs().mean())))
    return matrices([matrix("m / ‖w‖ − 1", change[None].numpy(), note, side=2 * SIDE)])


def _sizes(shape: Sequence[int], language: str) -> dict[str, str]:
    return {"out": number(language, shape[0]), "inputs": number(language, shape[1])}


def _shrunk(weight: torch.Tensor, language: str) -> str:
    """How large matrices are drawn small."""
    height, width = (-(-size // MOST) for size in weight.shape)
    key = "module.colours" if height == width == 1 else "module.shrunk"
    return small(html.words(language, key, height=height, width=width))


def _facts(facts: list[tuple[str, str]], language: str) -> str:
    """A list of figures with what they mean."""
    rows = []
    for name, value in facts:
        said, meant = html.words(language, f"module.{name}"), html.words(language, f"module.{name}.help")
        rows.append(f'<div title="{meant}"><dt>{said}</dt><dd>{escape(value)}</dd></div>')
    said = html.words(language, "module.facts") if "within" in dict(facts) else ""
    return f'<dl class="pp-facts">{"".join(rows)}</dl>{small(said)}'
