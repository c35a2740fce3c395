"""
How handlers are wired, and the quiet line and the alarm that they answer with.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import gradio as gr

from playground.locales import DEFAULT
from playground.ui.kit.html import words

# Progress nowhere: not only hidden. At each answer of each event gradio tells how things stand to every component that has
# ever been an output, and walks through the whole page to find each of them.
QUIET: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
HIDDEN: dict[str, Any] = {"queue": False, **QUIET}
STREAM: dict[str, Any] = {"concurrency_limit": None, **QUIET}
TOUCHED = ("input", "blur", "upload", "clear", "delete")  # `input` alone misses a paste


def touches(fields: Iterable[Any]) -> list[Any]:
    """The events of a visitor's own hand; `change` is also heard when Gradio draws a field for the first time."""
    return [getattr(one, event) for one in fields for event in TOUCHED if hasattr(one, event)]


def reveal(chip: gr.Button, card: str) -> None:
    """
    One press shows the card of an id and of class `pp-behind`, the next one hides it. The browser does it, since the card
    has to be in the page before: gradio gives one that is not what it was set to only some time after it was first shown,
    on top of what the visitor has chosen there meanwhile.
    """
    chip.click(None, None, None, js=f"() => document.getElementById({card!r}).toggleAttribute('data-shown')", **HIDDEN)


def lead(language: str, key: str, more: str = "") -> str:
    """The quiet sentence at the top of a tab, and HTML after it."""
    return f'<p class="pp-lead">{words(language, key)}{" " + more if more else ""}</p>'


def note(language: str, key: str, **values: object) -> str:
    """A quiet line above the panes."""
    return f'<p class="pp-soft" role="status">{words(language, key, **values)}</p>'


def plain(said: str) -> str:
    """A quiet line of a sentence that is there already."""
    return f'<p class="pp-soft" role="status">{escape(said)}</p>'


def english(language: str) -> str:
    """Below a question: which language the models answer in; nothing where it goes without saying."""
    return "" if language == DEFAULT else f'<p class="pp-soft pp-small">{words(language, "compare.english")}</p>'


def alarm(message: str) -> str:
    """What is wrong and what would be right, where it is seen."""
    return f'<p class="pp-error" role="alert">{escape(message)}</p>'


def closable(message: str, language: str) -> str:
    """An alarm that stands above all tabs, and goes with a press (theme.js) or with the next thing that is done."""
    close = f'<button type="button" class="pp-close" aria-label="{words(language, "notice.close")}">×</button>'
    return f'<p class="pp-error" role="alert">{escape(message)} {close}</p>'
