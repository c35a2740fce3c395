"""
What is seen as files, in one fold below the page: saving.js lists the drawings and tables of whatever section is open;
beside them the record of the session.
"""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from playground.ui.kit.controls import Controls
from playground.ui.kit.events import HIDDEN
from playground.ui.kit.html import words
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html


def fold(language: str) -> str:
    """Empty before it is opened."""
    form, session = words(language, "saving.json"), words(language, "saving.session")
    return (
        f'<details class="pp-card pp-saving"><summary>{words(language, "saving.title")}</summary>'
        f'<p class="pp-soft">{words(language, "saving.none")}</p><ul></ul><div class="pp-session"><span>{session}</span>'
        f'<button data-session aria-label="{form}: {session}">{form}</button></div></details>'
    )


def build(wording: Wording, visit: Controls[Visit], record: Callable[[str], str]) -> None:
    """The fold; `record` gives the JSON of a session by its key."""
    wording.make(html, {"value": fold}, elem_id="saving")
    ask, told = gr.Button(visible="hidden", elem_id="session-ask"), gr.Textbox(visible=False)
    asked = ask.click(visit.handler(lambda seen: {told: record(seen.key)}), visit.inputs, told, **HIDDEN)
    asked.success(None, told, None, js="text => { window.ppSession(text); }", **HIDDEN)
