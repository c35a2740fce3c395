"""
One module's update as a card: its matrices, its spectrum, its figures. Knows no components and no events.
"""

from __future__ import annotations

from typing import Any

import torch

from playground import lowrank, updates
from playground.adapters import Adapter
from playground.bases import Base
from playground.locales import number, percent, significant, text
from playground.plots.lowrank import spectrum
from playground.plots.matrix import MOST, full_colour, matrix, shrink
from playground.ui import components

SIDE = 220  # pixels of the longer side of W


def module_card(base: Base, adapter: Adapter, module: str, rank: int, language: str) -> str:
    """What fits the method: factors and their spectrum, a vector, or a dense update."""
    update, weight = updates.update_of(base, adapter, module), updates.weight_of(base, module)
    name = text(language, "lowrank.module", layer=update.layer, kind=update.kind)
    head = f'<h2 class="pp-title">{components.escape(name)}</h2>'
    if update.factors is not None:
        body = _factors(base, adapter, update, weight, rank, language)
    else:
        body = _dense(update, weight, language)
    return f'<section class="pp-card" {components.colour(adapter.record.method)}>{head}{body}</section>'


def _factors(base: Base, adapter: Adapter, update: updates.Update, weight: Any, rank: int, language: str) -> str:
    factors = update.factors
    assert factors is not None
    cut = factors.truncated(rank)
    out, inputs = factors.shape
    longest = max(out, inputs)
    sizes = {"out": number(language, out), "inputs": number(language, inputs), "rank": number(language, factors.rank)}
    delta = factors.product().numpy()
    limit = full_colour(shrink(delta)[0])
    rank = min(rank, len(factors.svd.s))
    whole = rank == len(factors.svd.s)
    drawn = [
        matrix("W", weight.numpy(), text(language, "module.w", **sizes), side=SIDE, longest=longest),
        matrix("A", factors.a.numpy(), text(language, "module.a", **sizes), side=SIDE, longest=longest),
        matrix("B", factors.b.numpy(), text(language, "module.b", **sizes), side=SIDE, longest=longest),
        matrix(
            "ΔW",
            delta,
            text(language, "module.delta", scaling=significant(language, factors.scaling)),
            limit,
            SIDE,
            longest,
        ),
    ]
    if not whole:
        drawn.append(matrix(f"ΔW, r = {rank}", cut.product().numpy(), text(language, "module.cut"), limit, SIDE, longest))
    values = factors.svd.s.tolist()
    kept = float(lowrank.energy(factors.svd.s)[rank - 1]) if rank else 0.0
    report = updates.report(base, adapter, update.module)
    facts = [
        ("relative", percent(language, 100 * report.relative)),
        ("effective", number(language, report.effective_rank, 1)),
        ("kept", percent(language, 100 * kept)),
        ("within", _figure(language, report.within)),
        ("within_own", _figure(language, report.within_own)),
        ("within_random", _figure(language, report.within_random)),
        ("amplification", "–" if report.amplification is None else number(language, report.amplification, 1)),
    ]
    lengths = _lengths(update, weight, language) if update.magnitude is not None else ""
    bars = spectrum(values, rank, language)
    return f"{_matrices(drawn)}{_shrunk(weight, language)}{bars}{lengths}{_facts(facts, language)}"


def _dense(update: updates.Update, weight: Any, language: str) -> str:
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
    values = torch.linalg.svdvals(delta).tolist()
    change = float(torch.linalg.norm(delta))
    facts = [
        ("relative", percent(language, 100 * change / float(torch.linalg.norm(weight)))),
        ("effective", number(language, lowrank.effective_rank(torch.tensor(values)), 1)),
    ]
    return f"{_matrices(drawn)}{_shrunk(weight, language)}{spectrum(values, len(values), language)}{_facts(facts, language)}"


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
    return f'<p class="pp-soft pp-small">{components.words(language, key, height=height, width=width)}</p>'


def _facts(facts: list[tuple[str, str]], language: str) -> str:
    """A list of figures with what they mean."""
    rows = []
    for name, value in facts:
        said, meant = components.words(language, f"module.{name}"), components.words(language, f"module.{name}.help")
        rows.append(f'<div title="{meant}"><dt>{said}</dt><dd>{components.escape(value)}</dd></div>')
    return f'<dl class="pp-facts">{"".join(rows)}</dl>'
