"""
Where a question is typed, and the small buttons around it.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit.wording import Wording


def build(wording: Wording, prompt: str) -> tuple[gr.Textbox, gr.Button, gr.Button]:
    """The prompt, and the two buttons that take turns beside it."""
    make = wording.make
    with gr.Row(elem_classes="pp-ask"):
        box = make(
            gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=prompt,
            show_label=False, container=False, lines=1, max_lines=6, elem_id="prompt",
        )  # fmt: skip
        go = make(gr.Button, {"value": "compare.go"}, variant="primary", elem_id="compare", elem_classes="pp-go")
        stop = make(gr.Button, {"value": "compare.stop"}, visible=False, elem_id="stop-compare", elem_classes="pp-go")
    return box, go, stop


def chip(wording: Wording, key: str, element: str) -> gr.Button:
    return wording.make(gr.Button, {"value": key}, size="sm", elem_classes="chip", elem_id=element)
