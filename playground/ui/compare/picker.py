"""
Which panes a comparison has: what can be chosen on a base, and what a visitor's wishes become there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.actions.compare import bases_of, offered
from playground.adapt.adapters import STEP_MARK
from playground.adapt.variant import BASE
from playground.model.catalogue import split_id
from playground.ui.compare.panes import pane_title
from playground.ui.kit.events import note
from playground.ui.kit.html import Values
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.work.sessions import SESSIONS

CARD = "pane-picker"


@dataclass(frozen=True)
class Picked(Visit):
    """
    The chosen panes, the path of the zip that was brought, if one was, what is said above the answers, which own adapter
    is looked at, and what is typed of one on the hub.
    """

    panes: list[str]
    zip: str | None
    notice: str = ""
    looked: str = ""
    hub: str = ""


@dataclass(frozen=True)
class Card:
    """The card, hidden at first: the panes, and an adapter from outside, a zip or, where settings allow it, of the hub."""

    column: gr.Column
    panes: gr.Dropdown
    zip: gr.File
    hub: gr.Textbox
    fetch: gr.Button

    @property
    def inputs(self) -> dict[str, Any]:
        """By the fields of `Picked`."""
        return {"panes": self.panes, "zip": self.zip, "hub": self.hub}

    @property
    def fetched(self) -> list[Any]:
        """Events that ask for an adapter of the hub."""
        return [self.hub.submit, self.fetch.click]


def card(wording: Wording, chosen: list[str]) -> Card:
    with gr.Column(elem_classes="pp-card pp-behind", elem_id=CARD) as column:
        panes = wording.make(
            gr.Dropdown,
            {"label": "compare.panes", "info": "compare.panes.help", "choices": ready_made},
            value=chosen, multiselect=True, max_choices=settings.MAX_PANES, elem_id="panes-chosen",
        )  # fmt: skip
        brought = wording.make(
            gr.File, {"label": "compare.upload"}, file_types=[".zip"], type="filepath", height=110, elem_id="upload-adapter"
        )
        with gr.Row(elem_classes="pp-ask", visible=settings.ANY_BASE):
            hub = wording.make(
                gr.Textbox, {"label": "compare.hub", "placeholder": "compare.hub.placeholder"},
                lines=1, max_lines=1, max_length=settings.MAX_TYPED_CHARACTERS, elem_id="hub-adapter",
            )  # fmt: skip
            fetch = wording.make(gr.Button, {"value": "compare.hub.fetch"}, elem_id="hub-fetch", elem_classes="pp-go")
    return Card(column, panes, brought, hub, fetch)


def uploaded(summary: Values, language: str) -> str:
    """That an adapter is here, and what of it is not as its zip says."""
    said = [note(language, "compare.uploaded", title=pane_title(summary, language))]
    if summary["made_for"]:
        fits = split_id(summary["base"])[0].name
        said.append(note(language, "compare.uploaded.made_for", found=summary["made_for"], base=fits))
    if summary["undone"]:
        said.append(note(language, "adapter.undone", name=summary["undone"]))
    return "".join(said)


def ready_made(language: str) -> list[tuple[str, str]]:
    """The panes that everybody can choose on the default base."""
    return pane_choices("", settings.DEFAULT_BASE, language)


def pane_choices(key: str, base_id: str, language: str) -> list[tuple[str, str]]:
    """What a pane can show, by its title: the base, the session's own adapters, the ready-made ones, fewer bits."""
    listed = [(pane_title(one, language), one["id"]) for one in offered(key, base_id)]
    return [(locales.text(language, "methods.base.name"), BASE), *listed]


def pane_update(visit: Visit, wanted: Sequence[str]) -> dict[str, Any]:
    """The dropdown of panes: what can be chosen on a base, and of what is wanted that which can be shown there."""
    choices = shown_choices(visit, wanted)
    known = [one for _, one in choices]
    return gr.update(choices=choices, value=[one for one in wanted if one in known] or [BASE])


def choices_update(visit: Visit, chosen: Sequence[str]) -> dict[str, Any]:
    """
    What can be chosen now. The chosen panes stay the browser's, which may know of newer ones than this request does, unless
    one of them cannot be shown any more.
    """
    update = pane_update(visit, chosen)
    return update if update["value"] != list(chosen) else gr.update(choices=update["choices"])


def titles(picked: Picked) -> list[str]:
    """What the chosen panes are called, in their order."""
    known = {one: title for title, one in shown_choices(picked, picked.panes)}
    return [known[one] for one in picked.panes if one in known]


def shown_choices(visit: Visit, wanted: Sequence[str]) -> list[tuple[str, str]]:
    """What can be chosen on a base, and the checkpoints and pruned bases that are wanted."""
    library = SESSIONS.get(visit.key).library
    steps = [pane for pane in wanted if STEP_MARK in pane and library.knows(pane)]
    titled = [(pane_title(library.get(pane).summary(), visit.language), pane) for pane in steps]
    less = [variant for variant in bases_of(visit.base, wanted) if variant.pruned]
    titled += [(pane_title(one.summary(0), visit.language), one.id) for one in less]
    return [*pane_choices(visit.key, visit.base, visit.language), *titled]
