"""
What can be left out: a rule, a share, what goes from each layer, the base before and after, and what both answer.

Computes nothing before its button is pressed; the recorded table of the embedded base stands in a section of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.prune import PRUNE, PRUNE_ANSWERS, download, pruning_of, start_prune, start_pruned, variants
from playground.errors import PlaygroundError
from playground.model.pruning import SHARE, Pruning
from playground.ui.compare.lab import Answers
from playground.ui.kit import links, marks, sections
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english, note
from playground.ui.kit.html import words
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import ANSWER_TOKENS, Section, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.prune import pruning_html
from playground.ui.prune.names import choices, what_of
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.prune.looking import Looked

ANSWERS = Answers(PRUNE_ANSWERS, "prune.go", "lab.elsewhere.forms")
WHAT, PROMPT = "width-activation", "What is the capital of France?"
FORMS = ("", "nf4", "int8_vectorwise")


@dataclass(frozen=True)
class Asked:
    """What the controls say; `share` in percent."""

    key: str
    language: str
    base: str
    what: str
    share: float
    prompt: str
    form: str
    apart: bool


@dataclass(frozen=True)
class Pruned:
    """The components that change, and the handlers that change them."""

    notice: gr.HTML
    looked: gr.HTML
    said: gr.HTML
    panes: gr.HTML
    halt: gr.Button  # there while something goes on
    file: gr.DownloadButton  # there once it has been packed

    @property
    def shown(self) -> list[Any]:
        return [self.notice, self.looked, self.said, self.panes, self.halt, self.file]

    def draw(self, asked: Asked) -> Changes:
        """What the session has here; an empty room if that is nothing."""
        run = SESSIONS.get(asked.key).runs.get(PRUNE)
        seen: Looked | None = run.events[-1] if run and run.events else None
        return {self.looked: self._of(seen, asked.language) if seen else soft(asked.language, "prune.empty")}

    def prune(self, asked: Asked) -> Iterator[Changes]:
        """Look at a pruning, then have it answer."""
        try:
            pruning = pruning_of(asked.what, asked.share)
            shown = variants(asked.base, pruning, asked.form, asked.apart)
            run = start_prune(asked.key, asked.base, pruning)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        ANSWERS.forget(asked.key)  # they were another pruning's
        yield {self.panes: "", self.said: "", self.file: gr.update(visible=False)}
        yield from self._watch(run, asked)
        if run.replaced or run.error or len(run.events[-1].rows) < 2:
            return
        try:
            answering = start_pruned(asked.key, asked.base, shown, asked.prompt, {"max_new_tokens": ANSWER_TOKENS})
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(asked.language))}
            return
        ANSWERS.remember(asked.key, {name: getattr(asked, name) for name in ("prompt", "what", "share", "form", "apart")})
        yield from self._answered(answering, asked)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still runs, or runs again after a reload."""
        runs = SESSIONS.get(asked.key).runs
        looking, answering = runs.get(PRUNE), runs.get(PRUNE_ANSWERS)
        yield unchanged(self.notice)
        if looking:
            yield from self._watch(looking, asked)
        if answering and not answering.replaced:
            yield from self._answered(answering, asked)

    def pack(self, asked: Asked) -> Iterator[Changes]:
        """What is left as a zip, for plain transformers."""
        yield {self.notice: note(asked.language, "prune.packing"), self.file: gr.update(visible=False)}
        try:
            path = download(asked.base, pruning_of(asked.what, asked.share))
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        size = locales.size(asked.language, Path(path).stat().st_size)
        packed = note(asked.language, "prune.packed", size=size)
        yield {self.notice: packed, self.file: gr.update(value=path, visible=True)}

    def stop(self, asked: Asked) -> None:
        for place in (PRUNE, PRUNE_ANSWERS):
            SESSIONS.stop(asked.key, place)

    def _watch(self, run: Run, asked: Asked) -> Iterator[Changes]:
        draw = partial(self._of, language=asked.language)
        for changes in sections.follow(run, asked.language, self.notice, self.looked, draw):
            yield changes | {self.halt: gr.update(visible=not run.ended)}

    def _of(self, seen: Looked, language: str) -> str:
        pruning = Pruning.parse(seen.pruning)
        by = {marks.BASE: seen.base, "what": what_of(pruning), "share": round(100 * pruning.share, 4)}
        return marks.marked(pruning_html.looked(seen, language), by, marks.changed(language, "prune.go"))

    def _answered(self, run: Run, asked: Asked) -> Iterator[Changes]:
        for changes in ANSWERS.follow(run, asked.key, asked.language, self.said, self.panes):
            if run.ended and not run.error and self.said in changes:
                changes = changes | {self.said: changes[self.said] + to_compare(run, asked.language)}
            yield changes | {self.halt: gr.update(visible=not run.ended)}


def to_compare(run: Run, language: str) -> str:
    """A link to the same panes in Compare, once there are answers."""
    if not run.events:
        return ""
    frame = run.events[-1].as_json()
    query = links.write({"base": frame["base"], "prompt": frame["prompt"], "panes": [one["id"] for one in frame["panes"]]})
    href = escape(f"?lang={language}&{query}")
    return f'<p class="pp-ways"><a class="pp-here" href="{href}">{words(language, "prune.compare")}</a></p>'


# Layout


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("prune") as place, gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("prune.title", "prune.lead"))
        with gr.Row():
            what = make(
                gr.Dropdown, {"label": "prune.what", "choices": choices}, value=WHAT, filterable=False, elem_id="prune-what"
            )
            share = make(
                gr.Slider, {"label": "prune.percent"}, minimum=0, maximum=100 * (SHARE.maximum or 0), step=5, value=20,
                elem_id="prune-share",
            )  # fmt: skip
        with gr.Row(elem_classes="pp-ask"):
            prompt = make(
                gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=PROMPT,
                show_label=False, container=False, max_lines=4, elem_id="prune-prompt",
            )  # fmt: skip
            go = make(gr.Button, {"value": "prune.go"}, variant="primary", elem_id="prune-go", elem_classes="pp-go")
        make(html, {"value": english})
        form, apart = _more(wording)
        look: dict[str, Any] = {"size": "sm", "elem_classes": "chip"}
        with gr.Row(elem_classes="pp-chips"):
            pack = make(gr.Button, {"value": "prune.pack"}, elem_id="prune-pack", **look)
            file = make(gr.DownloadButton, {"label": "prune.download"}, visible=False, elem_id="prune-file", **look)
            stop = make(gr.Button, {"value": "wholemodel.stop"}, visible=False, elem_id="prune-stop", **look)
        results = {one: html("", elem_id=f"prune-{one}") for one in ("notice", "looked", "said", "panes")}
        pruned = Pruned(**results, halt=stop, file=file)
    made = {"base": lab.base, "what": what, "share": share, "prompt": prompt, "form": form, "apart": apart}
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, **made})
    marks.wire([pruned.looked], lab.base, {"what": what, "share": share})
    ANSWERS.wire(pruned.panes, lab.base, {name: one for name, one in made.items() if name != "base"})
    pressed = [go.click, prompt.submit]
    gr.on(pressed, controls.handler(pruned.prune), controls.inputs, pruned.shown, **STREAM)
    pack.click(controls.handler(pruned.pack), controls.inputs, [pruned.notice, file], **STREAM)
    stop.click(controls.handler(pruned.stop), controls.inputs, None, **HIDDEN)
    section = Section(
        controls, pruned.shown, pruned.draw, pruned.attach, pressed=pressed, run=lambda asked, linked: pruned.prune(asked)
    )
    lab.draw(section, place)


def _more(wording: Wording) -> tuple[gr.Radio, gr.Checkbox]:
    """What can be done besides: fewer bits for what is left, and the wrong way beside the right one."""

    def forms(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"formats.{one}" if one else "prune.form.none"), one) for one in FORMS]

    with wording.make(gr.Accordion, {"label": "prune.more"}, open=False, elem_classes="pp-more"):
        form = wording.make(gr.Radio, {"label": "prune.form", "choices": forms}, value="", elem_id="prune-form")
        apart = wording.make(
            gr.Checkbox, {"label": "prune.apart", "info": "prune.apart.help"}, value=False, elem_id="prune-apart"
        )
    return form, apart
