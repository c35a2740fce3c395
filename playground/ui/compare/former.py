"""
Panes that gave way to those of an example or of a new adapter: which they were, and the way back to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.locales import counted
from playground.ui.compare.picker import pane_update, shown_choices
from playground.ui.kit.base import BaseChoice
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, plain
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html


@dataclass(frozen=True)
class Kept(Visit):
    """`former`: the base and the panes that gave way, `{"base": …, "panes": […]}`; None if none did."""

    former: dict[str, Any] | None


@dataclass(frozen=True)
class Former:
    """A row, seen once panes have given way."""

    row: gr.Row
    said: gr.HTML
    kept: gr.JSON  # in the browser: the server may forget a page's state
    back: gr.Button

    @property
    def all(self) -> list[Any]:
        return [self.row, self.said, self.kept]

    def gone(self) -> Changes:
        """There is nothing to go back to."""
        return {self.row: gr.update(visible=False), self.said: "", self.kept: None}

    def bring_back(self, kept: Kept, base: BaseChoice, panes: gr.Dropdown) -> Changes:
        """The panes that gave way, on their base."""
        if not kept.former:
            return self.gone()
        then = replace(kept, base=kept.former["base"])
        moved = base.set(then.base) if then.base != kept.base else {}
        return {panes: pane_update(then, kept.former["panes"]), **moved, **self.gone()}

    def give_way(self, visit: Visit, former: Sequence[str], panes: Sequence[str]) -> Changes:
        """The `former` panes, chosen on the base of `visit`, become `panes`: says which are no longer shown."""
        known = {one: title for title, one in shown_choices(visit, former)}
        titles = [known[one] for one in former if one in known and one not in panes]
        if not titles:
            return self.gone()
        said = counted(visit.language, "compare.gave_way", len(titles), titles=", ".join(titles))
        kept = {"base": visit.base, "panes": list(former)}
        return {self.row: gr.update(visible=True), self.said: plain(said), self.kept: kept}


def build(wording: Wording) -> Former:
    """The row; `wire` adds what its button does."""
    with gr.Row(visible=False, elem_classes="pp-chips", elem_id="former-panes") as row:
        said = html("")
        back = wording.make(
            gr.Button, {"value": "compare.back"}, size="sm", elem_classes="chip", elem_id="former-panes-back"
        )
        kept: gr.JSON = gr.JSON(visible=False)
    return Former(row, said, kept, back)


def wire(former: Former, visit: Controls[Visit], base: BaseChoice, panes: gr.Dropdown) -> None:
    """The button brings them back; whoever chooses panes has left the former ones behind."""
    controls = Controls(Kept, {**visit.components, "former": former.kept})
    brought = controls.handler(lambda kept: former.bring_back(kept, base, panes))
    former.back.click(brought, controls.inputs, [panes, *base.all, *former.all], **HIDDEN)
    panes.input(former.gone, None, former.all, **HIDDEN)
