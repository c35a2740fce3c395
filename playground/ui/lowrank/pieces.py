"""
What the lab's sections share: small buttons, small print, rows of matrices.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gradio as gr

from playground.ui.kit.wording import Said, Wording


def chip(wording: Wording, said: Said, elem_id: str, **properties: Any) -> gr.Button:
    """A small button."""
    return wording.make(gr.Button, {"value": said}, size="sm", elem_id=elem_id, **{"elem_classes": "chip", **properties})


def small(sentence: str) -> str:
    """Small print out of HTML."""
    return f'<p class="pp-soft pp-small">{sentence}</p>'


def matrices(drawn: Iterable[str]) -> str:
    """Drawings of matrices beside each other, see `plots.kit.matrix`."""
    return f'<div class="pp-matrices">{"".join(drawn)}</div>'
