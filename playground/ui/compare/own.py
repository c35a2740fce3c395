"""
A visitor's own adapters: told apart, renamed, downloaded, deleted.

What is deleted leaves the panes; answers that it gave stay, marked as those of other panes. Handlers give back what
changes by component.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.actions.adapters import list_adapters, remove, rename
from playground.actions.export import download
from playground.adapt.methods import DOWNLOADABLE
from playground.errors import PlaygroundError
from playground.model.names import base_name
from playground.ui.compare.panes import file_title, pane_title, plain_title
from playground.ui.compare.picker import choices_update, pane_update
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html


@dataclass(frozen=True)
class Mine(Visit):
    """One of the visitor's own adapters, what is typed for its name, and the panes that are chosen."""

    adapter: str | None
    name: str
    panes: list[str]


@dataclass(frozen=True)
class OwnAdapters:
    """The card's part on own adapters, seen once there are any, and what happens to them."""

    column: gr.Column
    adapter: gr.Dropdown
    details: gr.HTML
    name: gr.Textbox
    rename: gr.Button
    download: gr.DownloadButton
    remove: gr.Button
    sure: gr.Row  # whether to delete, asked once more
    really: gr.Button
    keep: gr.Button
    said: gr.HTML
    looked: gr.Textbox  # the one that is looked at; gradio refuses what `adapter` says of one that has just gone
    renamed: Any = None  # events, for whoever shows adapters elsewhere
    deleted: Any = None

    @property
    def offered(self) -> list[Any]:
        """What depends on which adapters there are."""
        return [self.column, self.adapter, *self.looks]

    @property
    def looks(self) -> list[Any]:
        """What depends on which of them is looked at."""
        return [self.details, self.name, self.download, self.sure, self.looked]

    def offer(self, visit: Visit, kept: str = "") -> Changes:
        """
        The adapters that there are now. The `kept` one stays the one that is looked at, and what is typed about it stays;
        if it is not there, it is the newest one.
        """
        choices = _choices(visit)
        ids = [one for _, one in choices]
        if kept in ids:
            return {self.column: gr.update(visible=True), self.adapter: gr.update(choices=choices)}
        return self.show(visit, next(iter(ids), None))

    def show(self, visit: Visit, chosen: str | None) -> Changes:
        """The adapters that there are now, and all about the chosen one."""
        choices = _choices(visit)
        return {
            self.column: gr.update(visible=bool(choices)),
            self.adapter: gr.update(choices=choices, value=chosen),
            **self._looked(visit, chosen),
        }

    def look(self, looked: Mine) -> Changes:
        """Another one is chosen; what was said of the former one goes."""
        return {**self._looked(looked, looked.adapter), self.said: ""}

    def _looked(self, visit: Visit, adapter_id: str | None) -> Changes:
        """What it is, what it is called, and its zip."""
        found = next((one for one in mine(visit.key) if one["id"] == adapter_id), None)
        hidden = gr.update(visible=False)
        if found is None:
            return {self.details: "", self.name: "", self.download: hidden, self.sure: hidden, self.looked: ""}
        offered, path, wrong = found["method"] in DOWNLOADABLE, None, ""
        try:
            path = download(visit.key, found["id"], file_title(found, visit.language), visit.language) if offered else None
        except PlaygroundError as error:  # a full disk
            offered, wrong = False, alarm(error.message(visit.language))
        return {
            self.details: f'<p class="pp-soft pp-small">{escape(details(found, visit.language))}</p>{wrong}',
            self.name: pane_title(found, visit.language),
            self.download: gr.update(value=path, visible=offered),
            self.sure: hidden,
            self.looked: found["id"],
        }

    def call(self, looked: Mine, panes: gr.Dropdown) -> Changes:
        """Give it the name that was typed, in the panes too."""
        try:
            found = rename(looked.key, looked.adapter or "", looked.name)
        except PlaygroundError as error:
            return {self.said: alarm(error.message(looked.language))}
        told = note(looked.language, "own.renamed", title=pane_title(found, looked.language))
        return {**self.show(looked, found["id"]), panes: choices_update(looked, looked.panes), self.said: told}

    def delete(self, looked: Mine, panes: gr.Dropdown) -> Changes:
        """It goes, from the panes too."""
        try:
            found = remove(looked.key, looked.adapter or "")
        except PlaygroundError as error:
            return {self.said: alarm(error.message(looked.language))}
        told = note(looked.language, "own.removed", title=pane_title(found, looked.language))
        return {**self.offer(looked), panes: pane_update(looked, looked.panes), self.said: told}


def mine(key: str) -> Sequence[dict[str, Any]]:
    """The session's own adapters, newest first."""
    return [one for one in list_adapters(key) if one["own"]]


def _choices(visit: Visit) -> list[tuple[str, str]]:
    return [(pane_title(one, visit.language), one["id"]) for one in mine(visit.key)]


def details(summary: dict[str, Any], language: str) -> str:
    """LoRA r = 8 · pirate · 24 steps · SmolLM2-135M-Instruct · 1.8 MB; plain text, not yet escaped."""
    steps = [locales.counted(language, "own.steps", summary["steps"])] if summary["steps"] else []
    size = locales.size(language, summary["bytes"])
    return " · ".join([plain_title(summary, language), *steps, base_name(summary["base"], language), size])


def build(wording: Wording, visit: Controls[Visit], panes: gr.Dropdown) -> OwnAdapters:
    """Its layout and its events; `panes` follow."""
    own = _layout(wording)
    looked = Controls(Mine, {**visit.components, "adapter": own.adapter, "name": own.name, "panes": panes})
    own.adapter.input(looked.handler(own.look), looked.inputs, [*own.looks, own.said], **STREAM)
    changed = [*own.offered, panes, own.said]
    called = looked.handler(lambda one: own.call(one, panes))
    renamed = gr.on([own.rename.click, own.name.submit], called, looked.inputs, changed, **STREAM)
    deleted = own.really.click(looked.handler(lambda one: own.delete(one, panes)), looked.inputs, changed, **STREAM)
    own.remove.click(lambda: gr.update(visible=True), None, own.sure, **HIDDEN)
    own.keep.click(lambda: gr.update(visible=False), None, own.sure, **HIDDEN)
    return replace(own, renamed=renamed, deleted=deleted)


def _layout(wording: Wording) -> OwnAdapters:
    make = wording.make
    chip: dict[str, Any] = {"size": "sm", "elem_classes": "chip"}
    with gr.Column(visible=False, elem_id="own-adapters") as column:
        adapter = make(gr.Dropdown, {"label": "own.adapters"}, choices=[], value=None, elem_id="own-adapter")
        about = html("", elem_id="own-details")
        name = make(gr.Textbox, {"label": "own.name"}, max_length=settings.MAX_ADAPTER_NAME, elem_id="own-name")
        with gr.Row(elem_classes="pp-chips"):
            called = make(gr.Button, {"value": "own.rename"}, elem_id="own-rename", **chip)
            zipped = make(gr.DownloadButton, {"label": "train.download"}, visible=False, elem_id="own-download", **chip)
            gone = make(gr.Button, {"value": "own.remove"}, elem_id="own-remove", **chip)
        with gr.Row(elem_classes="pp-chips", visible=False) as sure:
            make(html, {"value": lambda lang: note(lang, "own.sure")})
            really = make(gr.Button, {"value": "own.really"}, elem_id="own-really", **chip)
            keep = make(gr.Button, {"value": "own.keep"}, elem_id="own-keep", **chip)
    said = html("", elem_id="own-said")  # outside: the last one may have gone
    looked = gr.Textbox(visible=False)
    return OwnAdapters(column, adapter, about, name, called, zipped, gone, sure, really, keep, said, looked)
