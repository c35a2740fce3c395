"""
The page as it first comes: in the language that its address or its browser asks for, before any handler has spoken.

Gradio writes the components into the page's HTML as they were made, in one language for everybody; here their words are
put in their place. Knows nothing about what the components are for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from fastapi import Request

from playground import locales

Said = Callable[[str], Mapping[Any, Mapping[str, Any]]]  # properties by component, in a language (Wording.said)
ASKED: ContextVar[str] = ContextVar("asked", default=locales.DEFAULT)


async def listen(request: Request) -> None:
    """Notes the language of a request for whoever answers it (no thread of its own: that would forget it)."""
    ASKED.set(locales.choose(request.query_params.get("lang"), request.headers.get("accept-language")))


def spoken(config: Mapping[str, Any], said: Said, language: str) -> dict[str, Any]:
    """A page's config with the components' words in a language; what is no plain text or list stays for the handlers."""
    words = {component._id: properties for component, properties in said(language).items()}
    components = [_with(one, words.get(one["id"], {})) for one in config["components"]]
    return {**config, "components": components}


def _with(component: dict[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in words.items() if isinstance(value, str | list)}
    return {**component, "props": {**component["props"], **plain}} if plain else component
