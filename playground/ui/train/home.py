"""
What is taken home of a trained adapter, behind one button: its Python, that and the weights as files, the way to the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from playground import locales
from playground.actions.adapters import described
from playground.actions.export import KINDS, export, push
from playground.actions.train import python_code
from playground.adapt.methods import DOWNLOADABLE
from playground.errors import PlaygroundError
from playground.model.catalogue import split_id
from playground.ui.compare.panes import file_title
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import words
from playground.ui.kit.signed import SIGNS_IN, token_of
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import gpu_job
from playground.ui.train.gpu_job import GpuJob

LINES = 18  # of the code that are seen at once
VISIT = tuple(one.name for one in fields(Visit))
OFFERED = tuple(kind for kind in KINDS if kind != "adapter")  # that has a button of its own


@dataclass(frozen=True)
class Taken(Visit):
    """The adapter, whether it is looked at, and what shall be taken of it, where to."""

    adapter: str
    code_open: bool
    kind: str | None
    repository: str
    private: bool


@dataclass(frozen=True)
class Home:
    """The components."""

    panel: gr.Column
    code: gr.Code
    code_open: gr.State
    kind: gr.Radio
    notice: gr.HTML
    file: gr.DownloadButton
    hub: gr.Accordion
    repository: gr.Textbox
    token: gr.Textbox
    private: gr.Checkbox
    go: gr.Button
    pushed: gr.HTML
    gpu: GpuJob

    @property
    def shown(self) -> list[Any]:
        return [
            self.panel,
            self.code,
            self.code_open,
            self.kind,
            self.notice,
            self.file,
            self.hub,
            self.pushed,
            self.gpu.fold,
        ]

    def controls(self, visit: Mapping[str, Any], adapter: gr.State) -> Controls[Taken]:
        own = {name: getattr(self, name) for name in ("code_open", "kind", "repository", "private")}
        return Controls(Taken, {**visit, "adapter": adapter, **own})

    def toggle(self, taken: Taken) -> Changes:
        """A second press hides it."""
        return self.shut() if taken.code_open else self._opened(taken)

    def follow(self, taken: Taken) -> Changes:
        """Another adapter is looked at, or none: what is open becomes that one's."""
        if not taken.code_open:
            return unchanged(self.code)
        return self._opened(taken) if taken.adapter else self.shut()

    def shut(self) -> Changes:
        return {self.panel: gr.update(visible=False), self.code_open: False}

    def _opened(self, taken: Taken) -> Changes:
        fresh = {self.kind: None, self.notice: "", self.file: gr.update(visible=False), self.pushed: ""}
        try:
            code, method = (
                python_code(taken.key, taken.adapter, taken.language),
                described(taken.key, taken.adapter)["method"],
            )
        except PlaygroundError as error:  # the session has gone
            return {**fresh, self.panel: gr.update(visible=True), self.notice: alarm(error.message(taken.language))}
        given = {self.code: code, self.code_open: True, self.hub: gr.update(visible=method in DOWNLOADABLE)}
        given |= self.gpu.offered(method)
        return {**fresh, self.panel: gr.update(visible=True), **given}

    def write(self, taken: Taken) -> Iterator[Changes]:
        """The file of the kind that was chosen."""
        if not taken.kind or not taken.adapter:
            yield unchanged(self.notice)
            return
        yield {self.notice: note(taken.language, "home.packing"), self.file: gr.update(visible=False)}
        try:
            one = described(taken.key, taken.adapter)
            path = export(taken.key, taken.adapter, taken.kind, file_title(one, taken.language), taken.language)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(taken.language))}
            return
        size = locales.size(taken.language, Path(path).stat().st_size)
        said = note(taken.language, "home.ready", name=Path(path).name, size=size)
        if taken.kind == "model" and (one["method"] == "qlora" or split_id(one["base"])[1]):
            said += note(taken.language, "home.rounded")
        yield {self.notice: said, self.file: gr.update(value=path, visible=True)}

    def push(self, taken: Taken, token: str) -> Iterator[Changes]:
        """Upload with a `token`: the one that was pasted, which leaves its field, or that of whoever has signed in."""
        yield {self.pushed: note(taken.language, "home.pushing"), self.token: ""}
        try:
            title = file_title(described(taken.key, taken.adapter), taken.language)
            address = push(taken.key, taken.adapter, taken.repository, token, taken.private, title, taken.language)
        except PlaygroundError as error:
            yield {self.pushed: alarm(error.message(taken.language))}
            return
        link = f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(address)}</a>'
        yield {self.pushed: f'<p class="pp-note">{words(taken.language, "home.pushed")} {link}</p>'}


def build(wording: Wording) -> Home:
    """A column that is not there before the button is pressed."""
    make, look = wording.make, {"size": "sm", "elem_classes": "chip"}

    def choices(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"home.kind.{kind}"), kind) for kind in OFFERED]

    with gr.Column(visible=False, elem_id="home") as panel:
        code = make(
            gr.Code, {"label": "home.code"}, language="python", interactive=False, max_lines=LINES, elem_id="code",
            buttons=["copy"],  # Gradio's own download calls every file file.py
        )  # fmt: skip
        kind = make(gr.Radio, {"label": "home.kind", "choices": choices}, value=None, elem_id="home-kind")
        notice = html("", elem_id="home-notice")
        with gr.Row(elem_classes="pp-chips"):
            file = make(gr.DownloadButton, {"label": "home.save"}, visible=False, elem_id="home-file", **look)
        with make(gr.Accordion, {"label": "home.push"}, open=False, elem_classes="pp-more", elem_id="home-push") as hub:
            make(html, {"value": lambda lang: f'<p class="pp-soft">{words(lang, "home.push.lead")}</p>'})
            if SIGNS_IN:
                gr.LoginButton(size="sm")
            with gr.Row():
                repository = make(gr.Textbox, {"label": "home.repository"}, max_lines=1, elem_id="home-repository")
                token = make(
                    gr.Textbox, {"label": "home.token"}, type="password", max_lines=1, elem_id="home-token",
                    html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                )  # fmt: skip
            private = make(gr.Checkbox, {"label": "home.private"}, value=True, elem_id="home-private")
            go = make(gr.Button, {"value": "home.push.go"}, elem_id="home-go", **look)
            pushed = html("", elem_id="home-pushed")
        gpu = gpu_job.build(wording)
    return Home(panel, code, gr.State(False), kind, notice, file, hub, repository, token, private, go, pushed, gpu)


def wire(home: Home, controls: Controls[Taken], button: gr.Button, adapter: gr.State) -> None:
    def upload(given: Mapping[Any, Any], request: gr.Request) -> Iterator[Changes]:
        yield from home.push(controls.value(given), token_of(given[home.token], request))

    button.click(controls.handler(home.toggle), controls.inputs, home.shown, **HIDDEN)
    adapter.change(controls.handler(home.follow), controls.inputs, home.shown, **HIDDEN)
    home.kind.input(controls.handler(home.write), controls.inputs, [home.notice, home.file], **STREAM)
    signs = controls.inputs | {home.token}  # gradio keeps what a handler was given, so nothing else is given the token
    gr.on([home.go.click, home.repository.submit], upload, signs, [home.pushed, home.token], **STREAM)
    gpu_job.wire(home.gpu, home.gpu.controls({name: controls.components[name] for name in VISIT}, adapter))
