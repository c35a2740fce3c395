"""
The low-rank lab: a toy, a picture, the trained adapter, two adapters, soft prompts, the arithmetic; one file each.

This one puts them into the lab's list.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit.events import lead
from playground.ui.kit.lab import Lab
from playground.ui.kit.wording import html
from playground.ui.lowrank import adapter, cost, overlap, softprompt, toy


def build(lab: Lab) -> gr.Tabs:
    """The tab's layout and its events."""
    wording = lab.wording
    visitor, language, base = (lab.visit.components[name] for name in ("key", "language", "base"))
    wording.make(html, {"value": lambda lang: lead(lang, "lowrank.lead")})
    with lab.listed() as sections:
        with lab.opened("toy") as place:
            lab.draw(toy.build(wording, language), place)
        with lab.opened("updates") as place:
            shared = adapter.build(wording, place.tab, base, visitor, language)
            softprompt.build(wording, shared)
        with lab.opened("overlap"):
            overlap.build(wording, shared)
        with lab.opened("arithmetic") as place:
            lab.draw(cost.build(wording, visitor, language, base), place)
    return sections
