"""
The low-rank lab: a toy, the arithmetic, the trained adapter, two adapters, soft prompts; one file each.

This one puts them under each other and draws what depends on the visitor when the tab is opened.
"""

from __future__ import annotations

import gradio as gr

from playground.ui import arithmetic, components, edits, overlap, softprompt, toy, updates
from playground.ui.compare import HIDDEN, STREAM, lead
from playground.ui.wording import Wording, html

SECTIONS = {"toy": "toy.title", "updates": "updates.title", "overlap": "overlap.title", "arithmetic": "arithmetic.title"}


def build(wording: Wording, tab: gr.Tab, base: gr.Dropdown, visitor: gr.BrowserState, language: gr.BrowserState) -> None:
    """The tab's layout and its events."""
    wording.make(html, {"value": lambda lang: lead(lang, "lowrank.lead") + contents(lang)})
    with gr.Column(elem_id="section-toy"):
        playing = toy.build(wording, language)
    with gr.Column(elem_id="section-updates"):
        learned = updates.build(wording, visitor, language)
        prompts = softprompt.build(wording, visitor, language, base, learned.chosen, learned.prompt)
    with gr.Column(elem_id="section-overlap"):
        overlap.build(wording, visitor, language, base, learned)
    with gr.Column(elem_id="section-arithmetic"):
        arithmetic.build(wording, visitor, language, base)

    seen = gr.State(False)  # later visits keep what the visitor made of the toy
    tab.select(
        lambda lang, drawn, *given: [True, *([gr.skip()] * len(playing.shown) if drawn else playing.draw(lang, *given))],
        [language, seen, *playing.inputs], [seen, *playing.shown], **HIDDEN,
    )  # fmt: skip
    controls = learned.controls
    tab.select(
        updates.opened,
        [visitor, language, base, learned.adapter, learned.chosen, controls.module, learned.before],
        learned.shown,
        **HIDDEN,
    ).then(
        updates.draw, [visitor, language, learned.chosen, controls.module, controls.rank], learned.inside, **HIDDEN
    )  # fmt: skip
    tab.select(edits.attach, [visitor, language, learned.chosen], learned.answered, **STREAM)
    learned.chosen.change(
        softprompt.draw, [visitor, language, base, learned.chosen, prompts.leave_out], prompts.shown, **HIDDEN
    )


def contents(language: str) -> str:
    """Links to the sections of a long page."""
    links = (f'<a href="#section-{room}">{components.words(language, key)}</a>' for room, key in SECTIONS.items())
    return f'<nav class="pp-contents" aria-label="{components.words(language, "lowrank.contents")}">{"".join(links)}</nav>'
