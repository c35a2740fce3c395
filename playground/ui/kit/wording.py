"""
Components that change their words with the language.

Every component with words is made by `Wording.make`, which remembers the keys; `said` gives them all in another
language at once. Knows nothing about what the components are for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gradio as gr

from playground import locales

Said = str | Callable[[str], Any]  # a key of the locale files, or a function of the language
Kind = TypeVar("Kind")


class Wording:
    """The components of one page and the words that they show."""

    def __init__(self) -> None:
        self._said: list[tuple[Any, Mapping[str, Said]]] = []

    def make(self, kind: Callable[..., Kind], said: Mapping[str, Said], **properties: Any) -> Kind:
        """A component of `kind`, its `said` properties filled in the default language."""
        component = kind(**_filled(said, locales.DEFAULT), **properties)
        self._said.append((component, said))
        return component

    @property
    def components(self) -> list[Any]:
        return [component for component, _ in self._said]

    @property
    def labels(self) -> dict[int, str]:
        """The keys of labels, by the component's id."""
        found = {component._id: said.get("label") for component, said in self._said}
        return {one: key for one, key in found.items() if isinstance(key, str)}

    def said(self, language: str) -> dict[Any, dict[str, Any]]:
        """What every component shows in `language`, as properties by component."""
        return {component: _filled(said, language) for component, said in self._said}


def html(value: str, **properties: Any) -> gr.HTML:
    """A piece of our own HTML, styled by theme.css alone."""
    return gr.HTML(value, apply_default_css=False, **properties)


def _filled(said: Mapping[str, Said], language: str) -> dict[str, Any]:
    return {
        name: locales.text(language, value) if isinstance(value, str) else value(language) for name, value in said.items()
    }
