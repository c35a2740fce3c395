"""
What a visitor or a program may ask for, in plain values (no gradio): the one way from the page into the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.model.bases import BASES

if TYPE_CHECKING:
    from playground.model.bases import Base
    from playground.model.pruning import Pruning


def _prune(plain: Base, pruning: Pruning) -> Base:
    """Its module needs torch, and the page is served before torch is there."""
    from playground.prune.form import pruned

    return pruned(plain, pruning)


BASES.prune = _prune
