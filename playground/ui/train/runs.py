"""
Below everything on Train: the session's runs in one table, behind one line that says how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.actions.runs import runs_csv, runs_view
from playground.locales import number, text
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.sections import soft
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import runs_html


@dataclass(frozen=True)
class Runs:
    """The components, and what is shown in them."""

    visit: Controls[Visit]
    card: gr.Column
    panel: gr.Accordion
    result: gr.HTML

    @property
    def shown(self) -> list[Any]:
        return [self.card, self.panel, self.result]

    def show(self, visit: Visit) -> Changes:
        """The runs as they are now; nothing as long as there is none."""
        groups = runs_view(visit.key)
        title = text(visit.language, "runs.title", count=number(visit.language, sum(len(one["rows"]) for one in groups)))
        return {
            self.card: gr.update(visible=bool(groups)),
            self.panel: gr.update(label=title),
            self.result: runs_html.drawn(groups, runs_csv(visit.key), visit.language) if groups else "",
        }


def build(wording: Wording, visit: Controls[Visit]) -> Runs:
    """One closed line, not there before the first run has ended."""
    make, title = wording.make, {"label": lambda lang: text(lang, "runs.title", count=0)}  # said anew whenever it is shown
    with (
        gr.Column(elem_classes="pp-card", visible=False, elem_id="runs") as card,
        make(gr.Accordion, title, open=False, elem_id="runs-panel") as panel,
    ):
        make(html, {"value": lambda lang: soft(lang, "runs.lead")})
        result = html("", elem_id="runs-result")
    return Runs(visit, card, panel, result)
