"""
The quantization lab: a number, a tensor, a block, activations, accumulators, the whole model, algorithms that round, the
cache, speed, QLoRA, pruning; one file each.

This one puts them into the lab's list.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit.events import lead
from playground.ui.kit.lab import Lab
from playground.ui.kit.wording import html
from playground.ui.prune import curve, healing, pruning
from playground.ui.quantize import (
    accumulators,
    activations,
    answers,
    bits,
    blocks,
    kvcache,
    ladder,
    qlora,
    rungs,
    speed,
    straight_through,
    tensor,
    wholemodel,
)  # fmt: skip

ROOMS = (
    bits, tensor, blocks, activations, accumulators, straight_through, wholemodel, answers, ladder, rungs, kvcache, speed,
    qlora, pruning, curve, healing,
)  # fmt: skip


def build(lab: Lab) -> gr.Tabs:
    """The tab's layout and its events."""
    lab.wording.make(html, {"value": lambda lang: lead(lang, "quantization.lead")})
    with lab.listed() as sections:
        for room in ROOMS:
            room.build(lab)
    return sections
