"""
The quantization lab: a number, a tensor, activations, accumulators, the whole model, QLoRA; one file each.

This one puts them under each other and draws them when the tab is opened.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit import sections
from playground.ui.kit.events import lead
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import accumulators, activations, bits, qlora, tensor, wholemodel

SECTIONS = {
    "anatomy": bits,
    "tensor": tensor,
    "calibration": activations,
    "accumulators": accumulators,
    "wholemodel": wholemodel,
    "qlora": qlora,
}
TITLES = {room: f"{room}.title" for room in SECTIONS}


def build(wording: Wording, tab: gr.Tab, base: gr.Dropdown, visitor: gr.BrowserState, language: gr.BrowserState) -> None:
    """The tab's layout and its events."""
    wording.make(
        html, {"value": lambda lang: lead(lang, "quantization.lead") + sections.contents(lang, "lowrank.contents", TITLES)}
    )
    for name, room in SECTIONS.items():
        with gr.Column(elem_id=f"section-{name}"):
            section = room.build(wording, visitor, language, base)
        sections.draw_old_when_opened(tab, language, section)
