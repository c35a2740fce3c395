"""
The low-rank lab: a toy, the arithmetic, the trained adapter, two adapters, soft prompts; one file each.

This one puts them under each other and draws what depends on the visitor when the tab is opened.
"""

from __future__ import annotations

import gradio as gr

from playground.ui.kit import sections
from playground.ui.kit.events import HIDDEN, STREAM, lead
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import adapter, cost, edits, overlap, softprompt, toy

SECTIONS = {"toy": "toy.title", "updates": "updates.title", "overlap": "overlap.title", "arithmetic": "arithmetic.title"}


def build(wording: Wording, tab: gr.Tab, base: gr.Dropdown, visitor: gr.BrowserState, language: gr.BrowserState) -> None:
    """The tab's layout and its events."""
    wording.make(
        html, {"value": lambda lang: lead(lang, "lowrank.lead") + sections.contents(lang, "lowrank.contents", SECTIONS)}
    )
    with gr.Column(elem_id="section-toy"):
        playing = toy.build(wording, language)
    with gr.Column(elem_id="section-updates"):
        learned = adapter.build(wording, visitor, language)
        prompts = softprompt.build(wording, visitor, language, base, learned.chosen, learned.prompt)
    with gr.Column(elem_id="section-overlap"):
        overlap.build(wording, visitor, language, base, learned)
    with gr.Column(elem_id="section-arithmetic"):
        cost.build(wording, visitor, language, base)

    sections.draw_when_opened(tab, playing)
    controls = learned.controls
    tab.select(
        adapter.opened,
        [visitor, language, base, learned.adapter, learned.chosen, controls.module, learned.before],
        learned.shown,
        **HIDDEN,
    ).then(
        adapter.draw, [visitor, language, learned.chosen, controls.module, controls.rank], learned.inside, **HIDDEN
    )  # fmt: skip
    tab.select(edits.attach, [visitor, language, learned.chosen], learned.answered, **STREAM)
    learned.chosen.change(
        softprompt.draw, [visitor, language, base, learned.chosen, prompts.leave_out], prompts.shown, **HIDDEN
    )
