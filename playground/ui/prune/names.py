"""
What can be pruned, as the page offers it: every rule of every kind in one list.
"""

from __future__ import annotations

from playground import locales
from playground.model.pruning import KINDS, Pruning

WHAT = [f"{kind.id}-{rule}" for kind in KINDS.values() for rule in kind.rules if rule != "apart"]


def choices(language: str) -> list[tuple[str, str]]:
    """MLP neurons: by activations."""
    return [(what_name(one, language), one) for one in WHAT]


def what_name(what: str, language: str) -> str:
    """A kind with a rule: `width-activation`."""
    kind, _, rule = what.partition("-")
    return f"{locales.text(language, f'pruning.kind.{kind}')}: {locales.text(language, f'pruning.rule.{rule}')}"


def what_of(pruning: Pruning) -> str:
    return f"{pruning.kind}-{pruning.rule}"
