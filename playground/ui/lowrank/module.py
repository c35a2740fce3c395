"""
One module's update as a card: its matrices, its spectrum, its figures. Knows no components and no events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from playground.adapt.adapters import Adapter
from playground.locales import number, percent, significant, text
from playground.lowrank import findings, updates
from playground.lowrank.factors import effective_rank, energy
from playground.model.bases import Base
from playground.model.weights import weight_of
from playground.plots.kit.matrix import MOST, full_colour, matrix, shrink
from playground.plots.lowrank.adapter import spectrum
from playground.ui.kit import html

NONE = "–"
SIDE = 220  # pixels of the longer side of W


def module_card(base: Base, adapter: Adapter, module: str, rank: int, language: str) -> str:
    """What fits the method: factors and their spectrum, a vector, or a dense update."""
    update, weight = updates.update_of(base, adapter, module), weight_of(base.model, module)
    name = text(language, "lowrank.module", layer=update.layer, kind=update.kind)
    head = f'<h2 class="pp-title">{html.escape(name)}</h2>'
    if update.factors is not None:
        body = _factors(base, adapter, update, weight, rank, language)
    else:
        body = _dense(base, adapter, update, weight, language)
    return f'<section class="pp-card" {html.colour(adapter.record.method)}>{head}{body}</section>'


def _factors(base: Base, adapter: Adapter, update: updates.Update, weight: Any, rank: int, language: str) -> str:
    factors = update.factors
    assert factors is not None
    out, inputs = factors.shape
    longest = max(out, inputs)
    sizes = {"out": number(language, out), "inputs": number(language, inputs), "rank": number(language, factors.rank)}
    delta = factors.product().numpy()
    limit = full_colour(shrink(delta)[0])
    rank = min(rank, len(factors.svd.s))
    drawn = [
        matrix("W", weight.numpy(), text(language, "module.w", **sizes), side=SIDE, longest=longest),
        matrix("A", factors.a.numpy(), text(language, "module.a", **sizes), side=SIDE, longest=longest),
        matrix("B", factors.b.numpy(), text(language, "module.b", **sizes), side=SIDE, longest=longest),
        matrix(
            "ΔW" if update.low_rank else "s·BA",
            delta,
            text(language, "module.delta", scaling=significant(language, factors.scaling)),
            limit,
            SIDE,
            longest,
        ),
    ]
    if rank < len(factors.svd.s):
        cut = factors.truncated(rank).product().numpy()
        drawn.append(matrix(f"r = {rank}", cut, text(language, "module.cut"), limit, SIDE, longest))
    values = factors.svd.s.tolist()
    kept = energy(factors.svd.s)
    report = findings.report(base, adapter, update.module)
    facts = [
        ("relative", percent(language, 100 * report.relative)),
        ("effective", number(language, report.effective_rank, 1)),
        ("kept", percent(language, 100 * float(kept[rank - 1]) if rank else 0.0) if values[0] else NONE),
        ("within", _figure(language, report.within)),
        ("within_own", _figure(language, report.within_own)),
        ("within_random", _figure(language, report.within_random)),
        ("amplification", NONE if report.amplification is None else number(language, report.amplification, 1)),
    ]
    lengths = _lengths(update, weight, language) if update.magnitude is not None else ""
    bars = spectrum(values, rank, language)
    return f"{_matrices(drawn)}{_shrunk(weight, language)}{bars}{lengths}{_facts(facts, language)}"


def _dense(base: Base, adapter: Adapter, update: updates.Update, weight: Any, language: str) -> str:
    """IA3's vector and full fine-tuning's weight: the update has every rank, so there are no factors to show."""
    delta = update.delta(weight)
    longest = max(weight.shape)
    sizes = {"out": number(language, weight.shape[0]), "inputs": number(language, weight.shape[1])}
    drawn = [matrix("W", weight.numpy(), text(language, "module.w", **sizes), side=SIDE, longest=longest)]
    if update.vector is not None:
        vector = (update.vector - 1).numpy()
        note = text(
            language,
            "module.vector",
            count=number(language, vector.size),
            most=significant(language, float(abs(vector).max())),
        )
        drawn.append(matrix("l − 1", vector, note, side=SIDE, longest=longest))
    drawn.append(
        matrix(
            "ΔW",
            delta.numpy(),
            text(language, f"module.{'scaled' if update.vector is not None else 'trained'}"),
            side=SIDE,
            longest=longest,
        )
    )
    relative = float(torch.linalg.norm(delta)) / findings.weight_norm(base, update.module)
    facts = [("relative", percent(language, 100 * relative))]
    bars = ""
    if update.vector is None:
        values = findings.spectrum(base, adapter, update.module)
        facts.append(("effective", number(language, effective_rank(values), 1)))
        bars = spectrum(values.tolist(), len(values), language)
    return f"{_matrices(drawn)}{_shrunk(weight, language)}{bars}{_facts(facts, language)}"


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
    return _matrices(drawn) if drawn else ""


def _lengths(update: updates.Update, weight: Any, language: str) -> str:
    """DoRA: how far each row's length was moved."""
    assert update.magnitude is not None
    change = update.magnitude / torch.linalg.norm(weight, dim=1) - 1
    note = text(language, "module.lengths", mean=percent(language, 100 * float(change.abs().mean())))
    return _matrices([matrix("m / ‖w‖ − 1", change[None].numpy(), note, side=2 * SIDE)])


def _matrices(drawn: list[str]) -> str:
    return f'<div class="pp-matrices">{"".join(drawn)}</div>'


def _figure(language: str, value: float) -> str:
    return significant(language, value, 3)


def _shrunk(weight: Any, language: str) -> str:
    """How large matrices are drawn small."""
    height, width = (-(-size // MOST) for size in weight.shape)
    key = "module.colours" if height == width == 1 else "module.shrunk"
    return f'<p class="pp-soft pp-small">{html.words(language, key, height=height, width=width)}</p>'


def _facts(facts: list[tuple[str, str]], language: str) -> str:
    """A list of figures with what they mean."""
    rows = []
    for name, value in facts:
        said, meant = html.words(language, f"module.{name}"), html.words(language, f"module.{name}.help")
        rows.append(f'<div title="{meant}"><dt>{said}</dt><dd>{html.escape(value)}</dd></div>')
    said = html.words(language, "module.facts") if len(facts) > 2 else ""
    return f'<dl class="pp-facts">{"".join(rows)}</dl><p class="pp-soft pp-small">{said}</p>'
