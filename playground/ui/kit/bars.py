"""
Bars of memory by what holds it, all in one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from playground import locales
from playground.locales import NO_BREAK, number, text
from playground.ui.kit.html import colour

if TYPE_CHECKING:
    from playground.adapt.cost import Memory


def bytes_text(language: str, count: float) -> str:
    """As `locales.size`, and from a thousand GB on in TB: a hundred copies of a published model fill a shelf of disks."""
    if count < 1e12:
        return locales.size(language, count)
    return number(language, count / 1e12, 1) + NO_BREAK + "TB"


Part = tuple[str, str, int]  # class of its colour, its words, bytes


def parts_of(memory: Memory, language: str) -> list[Part]:
    """What training holds, without what is empty."""
    weights = "trained" if memory.way == "full_fine_tuning" else "frozen"
    named = {"trained": "arithmetic.part.weights", "frozen": "arithmetic.part.frozen"}
    found = [
        (weights, text(language, named[weights]), memory.weights),
        ("trained", text(language, "arithmetic.part.adapter"), memory.adapter),
        ("gradients", text(language, "arithmetic.part.gradients"), memory.gradients),
        ("optimizer", text(language, "arithmetic.part.optimizer"), memory.optimizer),
    ]
    return [part for part in found if part[2]]


def bar(method_id: str, name: str, parts: Sequence[Part], longest: int, language: str) -> str:
    """One stacked bar with its name, its total, and its parts in words."""
    total = bytes_text(language, sum(size for _, _, size in parts))
    said = [f"{words} {bytes_text(language, size)}" for _, words, size in parts]
    label = f"{name}: {', '.join(said)}"
    pieces = "".join(f'<i class="pp-{kind}" style="width:{100 * size / longest:.3f}%"></i>' for kind, _, size in parts)
    legend = "".join(
        f'<span class="pp-{kind}">{escape(words)}</span>' for (kind, _, _), words in zip(parts, said, strict=True)
    )
    return (
        f'<div class="pp-budget" {colour(method_id)}>'
        f"<p><span>{escape(name)}</span><b>{total}</b></p>"
        f'<div class="pp-stack" role="img" aria-label="{escape(label)}">{pieces}</div>'
        f'<p class="pp-pieces" aria-hidden="true">{legend}</p></div>'
    )
