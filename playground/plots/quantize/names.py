"""
What the quantization lab calls formats and modules. Plain text, not yet escaped.
"""

from __future__ import annotations

from playground.locales import text
from playground.model.modules import kind_of, layer_of


def format_name(language: str, format_id: str) -> str:
    return text(language, f"formats.{format_id}")


def module_name(language: str, kind: str, layer: int | None) -> str:
    """A module; one outside of the layers by its own name alone."""
    return kind if layer is None else text(language, "lowrank.module", layer=layer, kind=kind)


def path_name(language: str, path: str) -> str:
    """The module at a path of the base."""
    return module_name(language, kind_of(path), layer_of(path))
