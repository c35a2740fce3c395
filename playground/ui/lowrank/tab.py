"""
The low-rank lab: a toy, the arithmetic, the trained adapter, two adapters, soft prompts; one file each.

This one puts them under each other.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit import sections
from playground.ui.kit.controls import Controls
from playground.ui.kit.events import lead
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import adapter, cost, overlap, softprompt, toy

SECTIONS = {
    "toy": "toy.title",
    "picture": "toy.picture.title",
    "updates": "updates.title",
    "overlap": "overlap.title",
    "arithmetic": "arithmetic.title",
}


def build(wording: Wording, tab: gr.Tab, visit: Controls[Visit]) -> None:
    """The tab's layout and its events."""
    visitor, language, base = (visit.components[name] for name in ("key", "language", "base"))
    wording.make(html, {"value": lambda lang: lead(lang, "lowrank.lead") + sections.contents(lang, "lowrank", SECTIONS)})
    with gr.Column(elem_id="section-toy"):
        sections.draw_when_opened(tab, toy.build(wording, language), visit)
    with gr.Column(elem_id="section-updates"):
        shared = adapter.build(wording, tab, base, visitor, language)
        softprompt.build(wording, shared)
    with gr.Column(elem_id="section-overlap"):
        overlap.build(wording, shared)
    with gr.Column(elem_id="section-arithmetic"):
        sections.draw_when_opened(tab, cost.build(wording, visitor, language, base), visit)
