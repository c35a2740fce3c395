"""
The quantization lab: a number, a tensor, activations, accumulators, the whole model, QLoRA; one file each.

This one puts them under each other and draws them when the tab is opened.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit.controls import Controls
from playground.ui.kit.events import lead
from playground.ui.kit.sections import contents, draw_when_opened
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import accumulators, activations, bits, qlora, straight_through, tensor, wholemodel
from playground.ui.quantize.pieces import place

SECTIONS = (bits, tensor, activations, straight_through, accumulators, wholemodel, qlora)
CONTENTS = (
    "anatomy.title", "tensor.title", "calibration.title", "calibration.outliers.title", "aware.title", "accumulators.title",
    "accumulators.hardware", "wholemodel.title", "qlora.title",
)  # fmt: skip


def build(wording: Wording, tab: gr.Tab, visit: Controls[Visit]) -> None:
    """The tab's layout and its events."""
    titles = {place(title): title for title in CONTENTS}
    wording.make(html, {"value": lambda lang: lead(lang, "quantization.lead") + contents(lang, "quantization", titles)})
    visitor, language, base = (visit.components[name] for name in ("key", "language", "base"))
    for section in [one.build(wording, visitor, language, base) for one in SECTIONS]:
        draw_when_opened(tab, section, visit)
