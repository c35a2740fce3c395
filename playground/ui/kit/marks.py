"""
Results that say what they were made from: a mark on their HTML, and the script that compares it with the controls.

What no longer matches is dimmed (theme.css), and a sentence in it says so. Knows nothing about what the controls are for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import gradio as gr

from playground.locales import text
from playground.ui.kit.events import HIDDEN
from playground.ui.kit.html import words

BASE = "base"  # what is made from a base in its plain form says so by this name
# Takes what is shown, the base in use and the named controls: says where the mark disagrees with them
COMPARE = """(html, used, ...controls) => {
  const shown = document.getElementById(%(shown)s), names = %(names)s;
  const marked = new DOMParser().parseFromString(html || "", "text/html").querySelector("[data-made-from]");
  const made = JSON.parse(marked?.dataset.madeFrom || "{}");
  const now = [used?.split(":")[0], ...controls];
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  shown?.toggleAttribute("data-former", names.some((name, at) => name in made && !same(made[name], now[at])));
  shown?.toggleAttribute("data-elsewhere", Boolean(marked?.dataset.base) && marked.dataset.base !== used);
}"""


def mark(made_from: Mapping[str, Any]) -> str:
    """The attribute that names what a result was made from: values by the names of controls, and of BASE."""
    return f'data-made-from="{escape(json.dumps(made_from))}"'


def marked(result: str, made_from: Mapping[str, Any], said: str = "") -> str:
    """A result with its mark; `said` is read once something has changed."""
    line = f'<p class="pp-asked pp-former">{said}</p>' if said else ""
    return f'<div {mark(made_from)}>{line}<div class="pp-result">{result}</div></div>'


def changed(language: str, button: str) -> str:
    """That a result is not what the controls say, and what brings that: a button, by its key."""
    return words(language, "lab.changed", button=text(language, button))


def wire(results: Iterable[gr.HTML], used: gr.Dropdown, controls: Mapping[str, Any] | None = None) -> None:
    """Compare results with the base in use and the controls, by their names in the marks, whenever one of them changes."""
    named = dict(controls or {})
    for shown in results:
        given = [shown, used, *named.values()]
        script = COMPARE % {"shown": json.dumps(shown.elem_id), "names": json.dumps([BASE, *named])}
        gr.on([one.change for one in given], None, given, None, js=script, **HIDDEN)
