"""
How far one can go: perplexity of the embedded base by rule and share, as it was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from playground.locales import machine
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, headed
from playground.ui.kit.wording import html
from playground.ui.prune import pruning_html


@dataclass(frozen=True)
class Asked:
    language: str


@dataclass(frozen=True)
class Curve:
    """The component that changes."""

    table: gr.HTML

    def draw(self, asked: Asked) -> Changes:
        from playground.prune.rows import recorded

        found, where = recorded()
        how = note(asked.language, "prune.curve.recorded", machine=machine(asked.language, where))
        return {self.table: pruning_html.curve(found.rows, asked.language) + how}


def build(lab: Lab) -> None:
    """The section."""
    with lab.opened("prunecurve") as place, gr.Column(elem_classes="pp-card"):
        lab.wording.make(html, headed("prune.curve.title", "prune.curve.lead"))
        curve = Curve(html("", elem_id="prunecurve-table"))
    controls = Controls(Asked, {"language": lab.language})
    lab.draw(Section(controls, [curve.table], curve.draw), place)
