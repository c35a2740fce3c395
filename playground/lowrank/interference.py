"""
How much adapters get into each other's way before they are mixed: module by module, from the factors alone.

Never forms a dense update: ⟨ΔW₁, ΔW₂⟩ = s₁ s₂ tr((B₁A₁)ᵀ(B₂A₂)) is the sum of (B₁ᵀB₂) ∘ (A₁A₂ᵀ), two small products. Knows
nothing about the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from playground.adapt.adapters import Adapter
from playground.lowrank.factors import Factors, overlap
from playground.lowrank.updates import Update, updates
from playground.model.bases import Base


@dataclass(frozen=True)
class Interference:
    """
    Two adapters of a list, by their places in it, in one module. `cosine` is ⟨ΔW₁, ΔW₂⟩ / (‖ΔW₁‖ ‖ΔW₂‖), −1 to 1. `rows` is
    φ of the row spaces (what the updates read), `columns` of the column spaces (what they write): 0 where they are
    orthogonal, 1 where one lies in the other (`factors.overlap`); `rows_by_chance`, `columns_by_chance` is what random
    spaces of these ranks have on average, max(r₁, r₂) / d. None where an update is zero.
    """

    module: str
    kind: str
    layer: int | None
    pair: tuple[int, int]
    cosine: float | None
    rows: float | None
    columns: float | None
    rows_by_chance: float | None
    columns_by_chance: float | None


def interference(base: Base, adapters: Sequence[Adapter]) -> list[Interference]:
    """Every pair in every module that both have factors in. Raises PlaygroundError as `updates`."""
    parts = [updates(base, one) for one in adapters]
    return [
        _between(part[module], other[module], (first, second))
        for (first, part), (second, other) in combinations(enumerate(parts), 2)
        for module in part
        if module in other and part[module].factors and other[module].factors
    ]


def _between(one: Update, other: Update, pair: tuple[int, int]) -> Interference:
    mine, theirs = one.factors, other.factors
    assert mine  # those without are left out
    assert theirs
    place = (one.module, one.kind, one.layer, pair)
    left, right = mine.svd.strong, theirs.svd.strong
    if not (len(left.s) and len(right.s)):
        return Interference(*place, None, None, None, None, None)
    lengths = float(torch.linalg.norm(left.s) * torch.linalg.norm(right.s))
    rows, columns = (
        float(overlap(getattr(left, side), getattr(right, side))[-1, -1]) for side in ("v", "u")
    )  # fmt: skip
    most, (outputs, inputs) = max(len(left.s), len(right.s)), mine.shape
    return Interference(*place, inner(mine, theirs) / lengths, rows, columns, most / inputs, most / outputs)


def inner(one: Factors, other: Factors) -> float:
    """⟨ΔW₁, ΔW₂⟩ of two updates of the same shape."""
    written, read = one.b.double().T @ other.b.double(), one.a.double() @ other.a.double().T  # (r₁, r₂) each
    return one.scaling * other.scaling * float((written * read).sum())
