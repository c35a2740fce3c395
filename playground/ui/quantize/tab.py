"""
The quantization lab: a number, a tensor, activations, accumulators, the whole model, QLoRA; one file each.

This one puts them under each other and draws them when the tab is opened.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit.events import lead
from playground.ui.kit.sections import contents, draw_when_opened
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import accumulators, activations, bits, qlora, straight_through, tensor, wholemodel

PLACES = {
    "anatomy": [bits],
    "tensor": [tensor],
    "calibration": [activations, straight_through],
    "accumulators": [accumulators],
    "wholemodel": [wholemodel],
    "qlora": [qlora],
}
TITLES = {place: f"{place}.title" for place in PLACES}


def build(wording: Wording, tab: gr.Tab, base: gr.Dropdown, visitor: gr.BrowserState, language: gr.BrowserState) -> None:
    """The tab's layout and its events."""
    wording.make(html, {"value": lambda lang: lead(lang, "quantization.lead") + contents(lang, "quantization", TITLES)})
    for place, sections in PLACES.items():
        with gr.Column(elem_id=f"section-{place}"):
            built = [section.build(wording, visitor, language, base) for section in sections]
        for section in built:
            draw_when_opened(tab, section)
