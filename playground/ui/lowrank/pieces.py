"""
What the lab's sections share: small buttons, small print, links to Compare, rows of matrices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.ui.compare.panes import pane_title
from playground.ui.kit import links
from playground.ui.kit.html import words
from playground.ui.kit.wording import Said, Wording

if TYPE_CHECKING:
    from playground.ui.kit.html import Values


def chip(wording: Wording, said: Said, elem_id: str, **properties: Any) -> gr.Button:
    """A small button."""
    return wording.make(gr.Button, {"value": said}, size="sm", elem_id=elem_id, **{"elem_classes": "chip", **properties})


def to_compare(key: str, base: str, prompt: str, panes: Sequence[Values], language: str) -> str:
    """A link, called by the words `key`, to these panes in Compare."""
    own = {one["id"]: pane_title(one, language) for one in panes if one.get("own")}
    query = links.write({"base": base, "prompt": prompt, "panes": [one["id"] for one in panes], "own": own})
    way = f'<a class="pp-here" href="?lang={language}&amp;{escape(query)}">{words(language, key)}</a>'
    return f'<p class="pp-ways">{way}</p>'


def small(sentence: str) -> str:
    """Small print out of HTML."""
    return f'<p class="pp-soft pp-small">{sentence}</p>'


def matrices(drawn: Iterable[str]) -> str:
    """Drawings of matrices beside each other, see `plots.kit.matrix`."""
    return f'<div class="pp-matrices">{"".join(drawn)}</div>'
