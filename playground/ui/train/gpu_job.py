"""
The same recipe on a bigger base, on a GPU that the visitor rents (Hugging Face Jobs), behind a fold of what is taken home:
what it would cost, the job while it goes, its adapter afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales
from playground.actions import gpu_jobs
from playground.errors import PlaygroundError
from playground.train.gpu_script import travels
from playground.ui.compare.panes import pane_title
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import STREAM, alarm, note
from playground.ui.kit.html import words
from playground.ui.kit.signed import SIGNS_IN, token_of
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import gpu_job_html

MADE = "COMPLETED"  # the stage in which there is an adapter


@dataclass(frozen=True)
class Rented(Visit):
    """The adapter whose recipe it is, on which base and GPU, and where to."""

    adapter: str
    bigger: str | None
    flavor: str
    repository: str


@dataclass(frozen=True)
class GpuJob:
    """The components, and what happens to them. `brought` is the id of the adapter that came back, "" before."""

    fold: gr.Accordion
    bigger: gr.Dropdown
    flavor: gr.Dropdown
    estimate: gr.HTML
    repository: gr.Textbox
    token: gr.Textbox
    go: gr.Button
    stop: gr.Button
    follow: gr.Button
    back: gr.Button
    compare: gr.Button
    going: gr.HTML
    said: gr.HTML
    brought: gr.State

    @property
    def looks(self) -> list[Any]:
        """What an estimate changes."""
        return [self.estimate, self.flavor, self.go, self.follow]

    @property
    def shown(self) -> list[Any]:
        """What a job changes."""
        buttons = [self.go, self.stop, self.follow, self.back, self.compare]
        return [*buttons, self.token, self.going, self.said, self.brought]

    def controls(self, visit: Mapping[str, Any], adapter: gr.State) -> Controls[Rented]:
        own = {name: getattr(self, name) for name in ("bigger", "flavor", "repository")}
        return Controls(Rented, {**visit, "adapter": adapter, **own})

    def offered(self, method: str) -> Changes:
        """For another adapter: folded, and only there where its method means the same on another base."""
        return {self.fold: gr.update(visible=travels(method), open=False)}

    def look(self, rented: Rented) -> Iterator[Changes]:
        """What it would cost; a job that nobody follows can be followed again."""
        language, sent = rented.language, gpu_jobs.latest(rented.key)
        left = gr.update(visible=bool(sent and not sent.ended.is_set()))
        yield {self.estimate: note(language, "gpu.looking"), self.follow: left}
        try:
            plan = gpu_jobs.plan(rented.key, rented.adapter, rented.bigger or "", rented.flavor)
        except PlaygroundError as error:
            yield {self.estimate: alarm(error.message(language)), self.go: gr.update(interactive=False)}
            return
        total = locales.text(language, "gpu.go.for", total=gpu_job_html.money(language, plan.estimate.total))
        yield {
            self.estimate: gpu_job_html.estimated(plan, language),
            self.flavor: gr.update(choices=gpu_job_html.flavors(language, plan.prices)),
            self.go: gr.update(value=total, interactive=not plan.offline),
        }

    def start(self, rented: Rented, token: str) -> Iterator[Changes]:
        """Send it with a `token`: the one that was pasted, which leaves its field, or that of whoever has signed in."""
        language = rented.language
        yield {self.said: note(language, "gpu.sending"), self.token: "", self.go: gr.update(interactive=False)}
        try:
            plan = gpu_jobs.plan(rented.key, rented.adapter, rented.bigger or "", rented.flavor)
            gpu_jobs.start(rented.key, plan, rented.repository, token, language)
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(language)), self.go: gr.update(interactive=True)}
            return
        yield from self._followed(rented, token)

    def again(self, rented: Rented, token: str) -> Iterator[Changes]:
        """After a reload, or where the hub was not reached for a while."""
        yield {self.said: "", self.token: ""}
        yield from self._followed(rented, token)

    def _followed(self, rented: Rented, token: str) -> Iterator[Changes]:
        hidden, there = gr.update(visible=False), gr.update(visible=True)
        yield {self.said: "", self.stop: there, self.follow: hidden, self.back: hidden, self.compare: hidden}
        view: dict[str, Any] = {"stage": ""}
        try:
            for view in gpu_jobs.follow(rented.key, token):
                yield {self.going: gpu_job_html.progress(view, rented.language)}
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(rented.language)), self.follow: there}
        else:
            yield {self.said: ""}
        yield {self.stop: hidden, self.go: gr.update(interactive=True)}
        if view["stage"] == MADE:
            yield from self.bring(rented, token)

    def halt(self, rented: Rented) -> Changes:
        """Whoever follows it has the token."""
        gpu_jobs.stop(rented.key)
        return {self.said: note(rented.language, "gpu.stopping")}

    def bring(self, rented: Rented, token: str) -> Iterator[Changes]:
        """The adapter that it has made, offered in Compare from then on."""
        language = rented.language
        yield {self.said: note(language, "gpu.bringing"), self.token: ""}
        try:
            found = gpu_jobs.bring_back(rented.key, token)
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(language)), self.back: gr.update(visible=True)}
            return
        said = note(language, "gpu.brought", title=pane_title(found, language))
        shown = {self.back: gr.update(visible=False), self.compare: gr.update(visible=True)}
        yield {self.said: said, self.brought: found["id"], **shown}


def build(wording: Wording) -> GpuJob:
    make, look = wording.make, {"size": "sm", "elem_classes": "chip"}
    wide: dict[str, Any] = {"min_width": 280}  # one below the other on a phone: a price is not cut off
    with make(gr.Accordion, {"label": "gpu.title"}, open=False, elem_classes="pp-more", elem_id="gpu") as fold:
        make(html, {"value": lambda lang: f'<p class="pp-soft">{words(lang, "gpu.lead")}</p>'})
        with gr.Row():
            bigger = make(
                gr.Dropdown, {"label": "gpu.base", "info": "gpu.base.help"}, choices=gpu_jobs.bases(), value=gpu_jobs.BASE,
                allow_custom_value=True, elem_id="gpu-base", **wide,
            )  # fmt: skip
            flavor = make(
                gr.Dropdown, {"label": "gpu.flavor", "choices": gpu_job_html.flavors}, value=gpu_jobs.FLAVOR,
                elem_id="gpu-flavor", **wide,
            )  # fmt: skip
        estimate = html("", elem_id="gpu-estimate")
        if SIGNS_IN:
            gr.LoginButton(size="sm")
        with gr.Row():
            repository = make(gr.Textbox, {"label": "home.repository"}, max_lines=1, elem_id="gpu-repository", **wide)
            token = make(
                gr.Textbox, {"label": "gpu.token"}, type="password", max_lines=1, elem_id="gpu-token", **wide,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "gpu.go"}, elem_id="gpu-go", interactive=False, **look)
            stop = make(gr.Button, {"value": "gpu.stop"}, visible=False, elem_id="gpu-stop", **look)
            follow = make(gr.Button, {"value": "gpu.follow"}, visible=False, elem_id="gpu-follow", **look)
            back = make(gr.Button, {"value": "gpu.back"}, visible=False, elem_id="gpu-back", **look)
            compare = make(gr.Button, {"value": "train.compare"}, visible=False, elem_id="gpu-compare", **look)
        said, going = html("", elem_id="gpu-said"), html("", elem_id="gpu-going")
    return GpuJob(
        fold, bigger, flavor, estimate, repository, token, go, stop, follow, back, compare, going, said, gr.State("")
    )  # fmt: skip


def wire(gpu: GpuJob, controls: Controls[Rented]) -> None:
    def signed(act: Callable[[Rented, str], Iterator[Changes]]) -> Callable[..., Iterator[Changes]]:
        def stream(given: Mapping[Any, Any], request: gr.Request) -> Iterator[Changes]:
            yield from act(controls.value(given), token_of(given[gpu.token], request))

        return stream

    signs = controls.inputs | {gpu.token}  # gradio keeps what a handler was given, so nothing else is given the token

    gr.on(
        [gpu.fold.expand, gpu.bigger.change, gpu.flavor.input], controls.handler(gpu.look), controls.inputs, gpu.looks,
        trigger_mode="always_last", **STREAM,
    )  # fmt: skip
    gpu.go.click(signed(gpu.start), signs, gpu.shown, **STREAM)
    gpu.follow.click(signed(gpu.again), signs, gpu.shown, **STREAM)
    gpu.stop.click(controls.handler(gpu.halt), controls.inputs, gpu.said, **STREAM)
    gpu.back.click(signed(gpu.bring), signs, gpu.shown, **STREAM)
