"""
The Compare tab: a prompt, its panes, and where their first tokens part.

Handlers turn actions into HTML; what is shown comes from the latest frame of the session's comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from playground import settings
from playground.actions.adapters import upload
from playground.actions.compare import first_frame, pane_ids, recorded, start_comparison, stop_comparison
from playground.errors import PlaygroundError
from playground.ui.compare import decoding, panes, picker
from playground.ui.compare.decoding import Manner
from playground.ui.compare.picker import Picked, pane_update
from playground.ui.kit import links
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english, lead, note
from playground.ui.kit.html import words
from playground.ui.kit.sections import watch
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import Run
from playground.work.lanes import COMPARE
from playground.work.sessions import SESSIONS

COPY = "query => navigator.clipboard.writeText(location.origin + location.pathname + '?' + query)"


@dataclass(frozen=True)
class Asked(Manner):
    """A question, who shall answer it, and in which manner."""

    prompt: str
    panes: list[str]


@dataclass(frozen=True)
class CompareTab:
    """The tab's components, and what happens to them."""

    visit: Controls[Visit]
    manner: Controls[Manner]
    asked: Controls[Asked]
    picked: Controls[Picked]
    prompt: gr.Textbox
    panes: gr.Dropdown
    zip: gr.File
    decoding: Mapping[str, Any]
    summary: gr.Button  # of the decoding
    link: gr.Textbox
    go: gr.Button
    stop: gr.Button
    notice: gr.HTML
    answers: gr.HTML
    tokens: gr.HTML

    @property
    def shown(self) -> list[Any]:
        """What a comparison changes."""
        return [self.notice, self.answers, self.tokens, self.go, self.stop]

    def start(self, asked: Asked) -> Iterator[Changes]:
        """Queue a comparison and show it; a wrong input becomes a sentence above the panes."""
        try:
            run = start_comparison(asked.key, asked.base, asked.prompt, asked.panes, asked.decoding)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self.follow(run, asked.language)

    def follow(self, run: Run, language: str) -> Iterator[Changes]:
        """Show a comparison as it is written."""

        def changes(run: Run) -> Changes:
            drawn = self.drawn(run.events[-1].as_json(), language) if run.events else {}
            return {self.notice: progress(run, language)} | drawn | self.buttons(running=not run.ended)

        yield from watch(run, self.notice, changes)

    def attach(self, visit: Visit) -> Iterator[Changes]:
        """After a reload: show the session's latest comparison again, and follow it if it still runs."""
        run = SESSIONS.get(visit.key).runs.get(COMPARE)
        yield unchanged(self.notice)  # a generator that yields nothing would empty what it may change
        if run and (run.events or not run.ended):
            yield from self.follow(run, visit.language)

    def halt(self, visit: Visit) -> Changes:
        """Stop the session's comparison. The buttons do not wait for whoever follows it: that may be another window."""
        stop_comparison(visit.key)
        return self.buttons(running=False)

    def buttons(self, running: bool) -> Changes:
        return {self.go: gr.update(visible=not running), self.stop: gr.update(visible=running)}

    def drawn(self, frame: Mapping[str, Any], language: str) -> Changes:
        return {self.answers: panes.panes(frame, language), self.tokens: panes.first_tokens(frame, language)}

    def example(self, task: str, visit: Visit) -> Changes:
        """A recorded comparison with its question and panes, on the base that it was recorded with."""
        frame = recorded()[task]
        return {
            self.visit.components["base"]: frame["base"],
            self.prompt: frame["prompt"],
            self.panes: pane_update(replace(visit, base=frame["base"]), pane_ids(frame)),
            self.notice: note(visit.language, "compare.recorded"),
            **self.drawn(frame, visit.language),
        }

    def offer(self, picked: Picked) -> Changes:
        """What can be chosen now: with a new adapter, or on another base, where the panes that it cannot show go."""
        return {self.panes: pane_update(picked, picked.panes)}

    def receive(self, picked: Picked) -> Changes:
        """An adapter from outside becomes the last pane."""
        try:
            adapter = upload(picked.key, picked.zip, picked.base)
        except PlaygroundError as error:
            return {self.notice: alarm(error.message(picked.language)), self.zip: None}
        return {
            self.panes: pane_update(picked, [*picked.panes[: settings.MAX_PANES - 1], adapter["id"]]),
            self.notice: picker.uploaded(adapter, picked.language),
            self.zip: None,
        }

    def summarize(self, manner: Manner) -> Changes:
        return {self.summary: decoding.summary(manner.language, manner.decoding)}

    def write_link(self, asked: Asked) -> Changes:
        query = links.write({"base": asked.base, "prompt": asked.prompt, "panes": asked.panes, **asked.decoding})
        return {self.link: f"lang={asked.language}&{query}"}

    def say_copied(self, visit: Visit) -> Changes:
        return {self.notice: note(visit.language, "compare.copied")}

    def opened(self, visit: Visit, link: Mapping[str, Any]) -> dict[Any, dict[str, Any]]:
        """What a link asks for, as properties by component; what it leaves open is the first example's."""
        wanted = link["panes"] or pane_ids(first_frame())
        return {
            self.prompt: {"value": link["prompt"] or first_frame()["prompt"]},
            self.panes: pane_update(visit, wanted),
            **{control: {"value": link[name]} for name, control in self.decoding.items()},
        }


def progress(run: Run, language: str) -> str:
    """Where a comparison stands, in one line."""
    if run.error:
        return alarm(run.error.message(language))
    if run.state == "queued" and run.position:
        return note(language, "compare.queued", position=run.position)
    if run.state == "stopped":
        return note(language, "compare.stopped")
    if not run.events:
        return note(language, "compare.waiting")
    return note(language, "compare.done" if run.ended else "compare.running")


def build(wording: Wording, visit: Controls[Visit]) -> CompareTab:
    """The tab's layout and its own events."""
    make, opening = wording.make, first_frame()
    make(html, {"value": lambda lang: lead(lang, "compare.lead")})
    prompt, go, stop = _question(wording, opening["prompt"])
    make(html, {"value": english}, elem_classes="pp-english")
    with gr.Row(elem_classes="pp-chips"):
        make(html, {"value": lambda lang: f'<span class="pp-soft pp-small">{words(lang, "compare.try")}</span>'})
        examples = {task: _chip(wording, f"compare.try.{task}", f"try-{task}") for task in recorded()}
        summary = make(
            gr.Button, {"value": lambda lang: decoding.summary(lang, decoding.DEFAULTS)},
            size="sm", elem_classes=["chip", "pp-push"], elem_id="decoding-chip",
        )  # fmt: skip
        model = _chip(wording, "compare.model", "choose-base")
        add = _chip(wording, "compare.add", "add-pane")
        copy = _chip(wording, "compare.copy", "copy-link")
    with gr.Column(elem_classes="pp-card", visible=False) as base_card:
        visit.components["base"].render()
    decoding_card, how = decoding.card(wording)
    panes_card, chosen, brought = picker.card(wording, pane_ids(opening))
    tab = CompareTab(
        visit=visit,
        manner=Controls(Manner.of, {**visit.components, **how}),
        asked=Controls(Asked.of, {**visit.components, "prompt": prompt, "panes": chosen, **how}),
        picked=Controls(Picked, {**visit.components, "panes": chosen, "zip": brought}),
        prompt=prompt, panes=chosen, zip=brought, decoding=how, summary=summary, go=go, stop=stop,
        link=gr.Textbox(visible=False),
        notice=make(html, {"value": lambda lang: note(lang, "compare.recorded")}, elem_id="compare-notice"),
        answers=make(html, {"value": lambda lang: panes.panes(opening, lang)}, elem_id="panes"),
        tokens=make(html, {"value": lambda lang: panes.first_tokens(opening, lang)}, elem_id="first-tokens"),
    )  # fmt: skip
    for chip, card in ((summary, decoding_card), (model, base_card), (add, panes_card)):
        _reveal(chip, card)
    _wire(tab, examples, copy)
    return tab


def _question(wording: Wording, prompt: str) -> tuple[gr.Textbox, gr.Button, gr.Button]:
    """The prompt, and the two buttons that take turns beside it."""
    make = wording.make
    with gr.Row(elem_classes="pp-ask"):
        box = make(
            gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=prompt,
            show_label=False, container=False, lines=1, max_lines=6, elem_id="prompt",
        )  # fmt: skip
        go = make(gr.Button, {"value": "compare.go"}, variant="primary", elem_id="compare", elem_classes="pp-go")
        stop = make(gr.Button, {"value": "compare.stop"}, visible=False, elem_id="stop-compare", elem_classes="pp-go")
    return box, go, stop


def _chip(wording: Wording, key: str, element: str) -> gr.Button:
    return wording.make(gr.Button, {"value": key}, size="sm", elem_classes="chip", elem_id=element)


def _reveal(chip: gr.Button, card: gr.Column) -> None:
    """One press shows the card, the next one hides it."""
    shown = gr.State(False)
    chip.click(lambda now: {shown: not now, card: gr.update(visible=not now)}, shown, [shown, card], **HIDDEN)


def _wire(tab: CompareTab, examples: Mapping[str, gr.Button], copy: gr.Button) -> None:
    visit, asked, picked = tab.visit, tab.asked, tab.picked
    gr.on([tab.go.click, tab.prompt.submit], asked.handler(tab.start), asked.inputs, tab.shown, **STREAM)
    tab.stop.click(visit.handler(tab.halt), visit.inputs, [tab.go, tab.stop], **HIDDEN)
    example = [visit.components["base"], tab.prompt, tab.panes, tab.notice, tab.answers, tab.tokens]
    for task, chip in examples.items():
        chip.click(visit.handler(partial(tab.example, task)), visit.inputs, example, **HIDDEN)
    gr.on(
        [control.change for control in tab.decoding.values()],
        tab.manner.handler(tab.summarize), tab.manner.inputs, tab.summary, trigger_mode="always_last", **HIDDEN,
    )  # fmt: skip
    tab.zip.upload(picked.handler(tab.receive), picked.inputs, [tab.panes, tab.notice, tab.zip], **STREAM)
    copied = copy.click(asked.handler(tab.write_link), asked.inputs, tab.link, **HIDDEN).then(None, tab.link, None, js=COPY)
    copied.then(visit.handler(tab.say_copied), visit.inputs, tab.notice, **HIDDEN)
