"""
What the sections of the quantization lab share: sentences below each other, and formats to choose from.
"""

from __future__ import annotations

from collections.abc import Iterable

from playground.plots.quantize.names import format_name


def said(sentences: Iterable[str], live: bool = True) -> str:
    """Sentences in HTML; `live` ones are read out whenever they change."""
    role = ' role="status"' if live else ""
    return f'<div class="pp-said"{role}>{"".join(f"<p>{sentence}</p>" for sentence in sentences)}</div>'


def choices(language: str, formats: Iterable[str]) -> list[tuple[str, str]]:
    """Formats by their names."""
    return [(format_name(language, one), one) for one in formats]
