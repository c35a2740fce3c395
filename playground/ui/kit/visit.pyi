"""
What every part of the page knows: who looks at it, in which language, on which base.

A browser keeps the first two, and may send anything for them: `Kept` makes it one of what there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

@dataclass(frozen=True)
class Visit:
    """`key` is the secret of the visitor's session, "" while the page still opens; the sections' values add their own."""

    key: str
    language: str
    base: str

class Kept(gr.BrowserState):
    """A text that the browser keeps, read through `sound` before any handler sees it."""

    is_template = True  # for the browser it is a BrowserState

    def __init__(self, default: str, sound: Callable[[Any], str], storage_key: str) -> None:
        super().__init__(default, storage_key=storage_key)
        self.sound = sound

    def preprocess(self, payload: Any) -> str:
        return self.sound(payload)
    from collections.abc import Callable, Sequence
    from typing import TYPE_CHECKING, Any, Literal

    from gradio.blocks import Block

    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

def key_of(kept: object) -> str:
    """The key that a browser has kept, "" for what is none."""
    return kept if isinstance(kept, str) and re.fullmatch("[0-9a-f]{32}", kept) else ""
