"""
How a base is called in a visitor's language: its name, then what was done to it, in its order (pruned, rounded).

Knows ids and words, no models.
"""

from __future__ import annotations

from dataclasses import dataclass

from playground import locales
from playground.model.catalogue import parts_of, spec_of
from playground.model.pruning import Pruning


@dataclass(frozen=True)
class Named:
    """A base in an error's sentence: by its name for a visitor, by its id for a program."""

    base_id: str

    def text(self, language: str) -> str:
        return base_name(self.base_id, language)

    def __str__(self) -> str:
        return self.base_id


def base_name(base_id: str, language: str) -> str:
    """SmolLM2-135M-Instruct · NF4; of one that is not here any more, its id is all that is known."""
    spec = spec_of(base_id)
    return " · ".join([spec.name if spec else parts_of(base_id)[0], *step_names(base_id, language)])


def step_names(base_id: str, language: str) -> list[str]:
    """What was done to a base, in its order: pruned, rounded."""
    _, pruning, form = parts_of(base_id)
    left = [pruning_name(pruning, language)] if pruning else []
    return [*left, *([locales.text(language, f"formats.{form}")] if form else [])]


def pruning_name(pruning: Pruning, language: str) -> str:
    """MLP neurons −20 % (max + |min|)."""
    kind = locales.text(language, f"pruning.kind.{pruning.kind}")
    rule = locales.text(language, f"pruning.rule.{pruning.rule}")
    name = f"{kind} −{locales.percent(language, 100 * pruning.share)} ({rule})"
    return name if pruning.multiple == 1 else f"{name} × {pruning.multiple}"
