"""
The last entry of the bases' list: one text box for a model that is not in it, what is known of it, and its loading.

What is loaded stands in that visitor's list, and in nobody else's. Knows nothing about what a base is used for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import settings
from playground.actions import another
from playground.errors import PlaygroundError
from playground.ui.kit.another_html import findings
from playground.ui.kit.controls import Changes
from playground.ui.kit.events import alarm, note
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html

ANOTHER = "another…"  # in the list, where no base can have it as its id


@dataclass(frozen=True)
class Typed(Visit):
    """What is typed."""

    text: str


@dataclass(frozen=True)
class Another:
    """The box below the list of bases, hidden until it is asked for."""

    panel: gr.Column
    text: gr.Textbox
    look: gr.Button
    found: gr.HTML
    load: gr.Button

    @property
    def shown(self) -> list[Any]:
        return [self.panel, self.text, self.found, self.load]

    def open(self, language: str, text: str = "") -> dict[Any, dict[str, Any]]:
        """The box with what a link asks for, or the sentence that settings forbid it, as properties by component."""
        allowed = settings.ANY_BASE
        said = "" if allowed else alarm(PlaygroundError("any_base_off").message(language))
        return {
            self.panel: {"visible": True},
            self.text: {"value": text, "visible": allowed},
            self.look: {"visible": allowed},
            self.found: {"value": said},
            self.load: {"visible": False},
        }

    def close(self) -> Changes:
        return {self.panel: gr.update(visible=False), self.found: "", self.load: gr.update(visible=False)}

    def examine(self, typed: Typed) -> Iterator[Changes]:
        """What is known of it; it can be loaded unless something speaks against it."""
        hidden = gr.update(visible=False)
        yield {self.found: note(typed.language, "another.looking"), self.load: hidden}
        try:
            found = another.examine(typed.text)
        except PlaygroundError as error:
            yield {self.found: alarm(error.message(typed.language)), self.load: hidden}
        else:
            shown = gr.update(visible=found["too_large"] is None)
            yield {self.found: findings(found, typed.language), self.load: shown}

    def bring(self, typed: Typed) -> Iterator[dict[str, Any]]:
        """How the loading of it goes (`actions.another.bring`)."""
        with closing(another.bring(typed.key, typed.text)) as going:
            yield from going


def build(wording: Wording) -> Another:
    make = wording.make
    with gr.Column(visible=False, elem_id="another", elem_classes="pp-card") as panel:
        with gr.Row(elem_classes="pp-ask"):
            text = make(
                gr.Textbox, {"label": "another.label", "info": "another.help", "placeholder": "another.placeholder"},
                lines=1, max_lines=1, max_length=settings.MAX_TYPED_CHARACTERS, elem_id="another-text",
            )  # fmt: skip
            look = make(gr.Button, {"value": "another.look"}, elem_id="another-look", elem_classes="pp-go")
        found = html("", elem_id="another-found")
        load = make(
            gr.Button, {"value": "another.load"}, variant="primary", visible=False, elem_id="another-load",
            elem_classes="pp-go",
        )  # fmt: skip
    return Another(panel, text, look, found, load)
