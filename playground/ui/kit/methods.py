"""
What a method is called where its settings have a name of their own: DoRA, LoRA+, PiSSA. Plain text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.adapt.initialization import NAMES, RANDOM, chosen
from playground.locales import text

if TYPE_CHECKING:
    from playground.adapt.initialization import Values


def method_name(method: str, values: Values, language: str) -> str:
    """LoRA; with magnitudes DoRA, with two learning rates LoRA+."""
    own = "pane.dora" if values.get("dora") else "pane.lora_plus" if values.get("rate_ratio", 1.0) != 1 else ""
    return text(language, own or f"methods.{method}.name")


def beginning_name(values: Values, language: str) -> str:
    """How LoRA's factors begin, if not with noise: PiSSA; else ""."""
    kind = chosen(values)
    return "" if kind == RANDOM else start_name(kind, language)


def start_name(kind: str, language: str) -> str:
    """A way to begin: a proper name as it is."""
    return text(language, f"initialization.{kind}") if kind in (RANDOM, "orthogonal") else NAMES[kind]
