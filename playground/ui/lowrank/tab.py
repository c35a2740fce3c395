"""
The low-rank lab: a toy, a picture, the trained adapter, two adapters, soft prompts, mixing, where factors begin, the cost;
one file each.

This one puts them into the lab's list.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit.events import lead
from playground.ui.kit.lab import Lab
from playground.ui.kit.wording import html
from playground.ui.lowrank import adapter, cost, initialization, mixing, toy


def build(lab: Lab) -> gr.Tabs:
    """The tab's layout and its events."""
    lab.wording.make(html, {"value": lambda lang: lead(lang, "lowrank.lead")})
    chosen = adapter.chooser(lab.wording)
    with lab.listed() as sections:
        toy.build(lab)
        adapter.build(lab, chosen)
        mixing.build(lab)
        initialization.build(lab)
        cost.build(lab)
    return sections
