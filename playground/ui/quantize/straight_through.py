"""
Quantization-aware training: a small layer learns, rounded after training or rounded in every step.

Controls on the left, the errors as they fall on the right. Computes nothing before its button is pressed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales, settings
from playground.errors import PlaygroundError
from playground.plots.kit.figures import share
from playground.plots.quantize.names import format_name
from playground.plots.quantize.straight_through import curve
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.html import words
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize.pieces import card, choices, said

if TYPE_CHECKING:
    from playground.formats.straight_through import AwareStep


FORMATS = ("ternary", "int4", "int8")  # NF4 takes half a minute
STEPS, SHORTEST = 200, 20
FRAME_SECONDS = 0.05  # the eye has to follow a training of half a second
COSTS_NOTHING = 2.0  # so many times the float layer's error are not much


@dataclass(frozen=True)
class Asked:
    language: str
    format: str
    steps: int
    seed: int


@dataclass(frozen=True)
class Learning:
    """The components that change, and the handlers that change them."""

    said: gr.HTML
    curve: gr.HTML

    def draw(self, asked: Asked) -> Changes:
        """Before the first training."""
        return {
            self.said: soft(asked.language, "aware.idle"),
            self.curve: curve([], asked.steps or STEPS, asked.language),
        }

    def learn(self, asked: Asked) -> Iterator[Changes]:
        """Both layers step by step."""
        from playground.formats import straight_through

        done: list[AwareStep] = []
        try:
            for step in straight_through.study(asked.format, asked.steps, asked.seed):
                began = time.monotonic()
                done.append(step)
                sentence = _stands(asked.language, step) if step.step < step.steps else _ended(asked, step)
                yield {self.said: said([sentence]), self.curve: curve(done, asked.steps, asked.language)}
                time.sleep(max(0.0, began + FRAME_SECONDS - time.monotonic()))
        except PlaygroundError as error:
            yield {self.said: alarm(error.message(asked.language))}


def _stands(language: str, step: AwareStep) -> str:
    return words(language, "aware.step", step=locales.number(language, step.step), steps=step.steps)


def _ended(asked: Asked, step: AwareStep) -> str:
    """What rounding costs, after training and in every step."""
    language = asked.language
    values = {
        "float": share(language, step.float_loss),
        "after": share(language, step.rounded_after),
        "trained": share(language, step.trained_rounded),
        "format": format_name(language, asked.format),
    }
    if step.rounded_after < COSTS_NOTHING * step.float_loss:
        return words(language, "aware.end.nothing", **values)
    if step.trained_rounded >= step.rounded_after:
        return words(language, "aware.end.worse", **values)
    times = locales.significant(language, step.rounded_after / step.trained_rounded)
    return words(language, "aware.end", times=times, **values)


def build(lab: Lab) -> None:
    """The section and its event."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("aware") as place, card(wording, "aware.title", "aware.lead"):
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                recipe = _recipe(wording)
                go = make(gr.Button, {"value": "aware.go"}, variant="primary", elem_id="aware-go", elem_classes="pp-go")
            with gr.Column(min_width=0):
                learning = Learning(html("", elem_id="aware-said"), html("", elem_id="aware-curve"))
        make(html, {"value": lambda lang: soft(lang, "aware.straight") + soft(lang, "aware.bitnet")})
    controls, shown = (
        Controls(Asked, {"language": lab.language, **recipe}),
        [learning.said, learning.curve],
    )
    training = go.click(controls.handler(learning.learn), controls.inputs, shown, **{**STREAM, "concurrency_limit": 2})
    turned = [one.input for one in recipe.values()]
    gr.on(turned, None, cancels=training)  # before what clears, or a step under way would come after it
    gr.on(turned, controls.handler(learning.draw), controls.inputs, shown, trigger_mode="always_last", **HIDDEN)
    section = Section(controls, shown, learning.draw, pressed=[go.click], run=lambda asked, linked: learning.learn(asked))
    lab.draw(section, place)


def _recipe(wording: Wording) -> dict[str, Any]:
    make = wording.make
    return {
        "format": make(
            gr.Radio, {"label": "aware.format", "choices": partial(choices, formats=FORMATS)}, value="ternary",
            elem_id="aware-format",
        ),
        "steps": make(
            gr.Slider, {"label": "aware.steps"}, minimum=SHORTEST, maximum=settings.MAX_AWARE_STEPS, step=10, value=STEPS,
            elem_id="aware-steps",
        ),
        "seed": make(
            gr.Slider, {"label": "aware.seed", "info": "aware.seed.help"}, minimum=0, maximum=100, step=1, value=0,
            elem_id="aware-seed",
        ),
    }  # fmt: skip
