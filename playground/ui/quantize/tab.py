"""
The quantization lab: a number, a tensor, activations, accumulators, the whole model, QLoRA; one file each.

This one puts them into the lab's list.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit.events import lead
from playground.ui.kit.lab import Lab
from playground.ui.kit.wording import html
from playground.ui.quantize import accumulators, activations, bits, qlora, straight_through, tensor, wholemodel

SECTIONS = {
    "number": bits,
    "tensor": tensor,
    "activations": activations,
    "aware": straight_through,
    "accumulators": accumulators,
    "wholemodel": wholemodel,
    "qlora": qlora,
}


def build(lab: Lab) -> gr.Tabs:
    """The tab's layout and its events."""
    lab.wording.make(html, {"value": lambda lang: lead(lang, "quantization.lead")})
    visitor, language, base = (lab.visit.components[name] for name in ("key", "language", "base"))
    with lab.listed() as sections:
        for name, room in SECTIONS.items():
            with lab.opened(name) as place:
                lab.draw(room.build(lab.wording, visitor, language, base), place)
    return sections
