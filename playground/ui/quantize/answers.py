"""
What the model answers in fewer bits: the base and its forms beside each other on one prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gradio as gr

from playground.actions.quantize import FORMS_ANSWERS, start_forms
from playground.errors import PlaygroundError
from playground.ui.compare.lab import Answers
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import ANSWER_TOKENS, Section, soft
from playground.ui.kit.wording import html
from playground.ui.quantize.pieces import card, more
from playground.ui.quantize.wholemodel import usual_forms
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

ANSWERS = Answers(FORMS_ANSWERS, "wholemodel.ask", "lab.elsewhere.forms")
PROMPT = "What is the capital of France?"


@dataclass(frozen=True)
class Asked:
    """What the controls say."""

    key: str
    language: str
    base: str
    formats: list[str]
    prompt: str
    more: Sequence[str] = ()  # formats that are not among the usual ones


@dataclass(frozen=True)
class Forms:
    """The components that change, and the handlers that change them."""

    said: gr.HTML
    panes: gr.HTML
    halt: gr.Button  # there while something goes on

    def draw(self, asked: Asked) -> Changes:
        return {self.panes: soft(asked.language, "wholemodel.answers.empty")}

    def answer(self, asked: Asked) -> Iterator[Changes]:
        """The base and its forms answering the same prompt."""
        yield {self.said: note(asked.language, "wholemodel.preparing")}
        try:
            wanted = [*asked.formats, *asked.more]
            run = start_forms(asked.key, asked.base, wanted, asked.prompt, {"max_new_tokens": ANSWER_TOKENS})
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(asked.language))}
            return
        ANSWERS.remember(asked.key, {"prompt": asked.prompt, "formats": asked.formats, "more": asked.more})
        yield from self._follow(run, asked)

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """Follow what still answers, or does so again after a reload."""
        yield unchanged(self.said)
        answering = SESSIONS.get(asked.key).runs.get(FORMS_ANSWERS)
        if answering:
            yield from self._follow(answering, asked)

    def stop(self, asked: Asked) -> None:
        SESSIONS.stop(asked.key, FORMS_ANSWERS)

    def _follow(self, run: Run, asked: Asked) -> Iterator[Changes]:
        for changes in ANSWERS.follow(run, asked.key, asked.language, self.said, self.panes):
            yield changes | {self.halt: gr.update(visible=not run.ended)}


def build(lab: Lab) -> None:
    """The section and its events."""
    make = lab.wording.make
    with lab.opened("answers") as place, card(lab.wording, "wholemodel.answers.title", "wholemodel.answers.lead"):
        with gr.Row(elem_classes="pp-ask"):
            prompt = make(
                gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=PROMPT,
                show_label=False, container=False, max_lines=4, elem_id="wholemodel-prompt",
            )  # fmt: skip
            ask = make(gr.Button, {"value": "wholemodel.ask"}, elem_id="wholemodel-ask", elem_classes="pp-go")
        make(html, {"value": english})
        formats, others = usual_forms(lab.wording, "answers-formats"), more(lab.wording, "answers-more")
        stop = make(
            gr.Button, {"value": "wholemodel.stop"}, visible=False, size="sm", elem_classes="chip", elem_id="answers-stop"
        )
        forms = Forms(html("", elem_id="wholemodel-said"), html("", elem_id="wholemodel-answers"), stop)
    made = {"base": lab.base, "formats": formats, "prompt": prompt, "more": others}
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, **made})
    ANSWERS.wire(forms.panes, lab.base, {"prompt": prompt, "formats": formats, "more": others})
    shown, asked = [forms.said, forms.panes, stop], [ask.click, prompt.submit]
    gr.on(asked, controls.handler(forms.answer), controls.inputs, shown, **STREAM)
    stop.click(controls.handler(forms.stop), controls.inputs, None, **HIDDEN)
    section = Section(
        controls, shown, forms.draw, forms.attach, pressed=asked, run=lambda asked, linked: forms.answer(asked)
    )
    lab.draw(section, place)
