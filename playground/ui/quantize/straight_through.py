"""
Quantization-aware training: a small layer learns, rounded after training or rounded in every step.

Controls on the left, the errors as they fall on the right. Computes nothing before its button is pressed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales, settings
from playground.errors import PlaygroundError
from playground.ui.kit.events import STREAM, alarm
from playground.ui.kit.html import words
from playground.ui.kit.sections import OldSection, headed, soft
from playground.ui.kit.wording import Wording, html

if TYPE_CHECKING:
    from playground.formats.straight_through import AwareStep


FORMATS = {"ternary": "formats.ternary", "int4": "formats.int4", "int8": "formats.int8"}  # NF4 takes half a minute
STEPS, SHORTEST = 200, 20
FRAME_SECONDS = 0.05  # the eye has to follow a training of half a second
COSTS_NOTHING = 2.0  # so many times the float layer's error are not much


def build(wording: Wording, language: gr.BrowserState) -> OldSection:
    """The card and its event."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        make(html, headed("aware.title", "aware.lead"))
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                format = make(
                    gr.Radio, {"label": "aware.format", "choices": _formats}, value="ternary", elem_id="aware-format"
                )
                steps = make(
                    gr.Slider, {"label": "aware.steps"}, minimum=SHORTEST, maximum=settings.MAX_AWARE_STEPS, step=10,
                    value=STEPS, elem_id="aware-steps",
                )  # fmt: skip
                seed = make(
                    gr.Slider, {"label": "aware.seed", "info": "aware.seed.help"}, minimum=0, maximum=100, step=1, value=0,
                    elem_id="aware-seed",
                )  # fmt: skip
                go = make(gr.Button, {"value": "aware.go"}, variant="primary", elem_id="aware-go", elem_classes="pp-go")
            with gr.Column(min_width=0):
                said = html("", elem_id="aware-said")
                curve = html("", elem_id="aware-curve")
        make(html, {"value": lambda lang: soft(lang, "aware.straight") + soft(lang, "aware.bitnet")})
    go.click(learn, [language, format, steps, seed], [said, curve], **{**STREAM, "concurrency_limit": 2})
    return OldSection([steps], [said, curve], draw)


def _formats(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, key), format) for format, key in FORMATS.items()]


def draw(language: str, steps: int) -> list[Any]:
    """[sentences, curve] before the first training."""
    return [soft(language, "aware.idle"), _curve([], steps or STEPS, language)]


def learn(language: str, format: str, steps: int, seed: int) -> Iterator[list[Any]]:
    """[sentences, curve] while both layers learn."""
    from playground.formats import straight_through

    done: list[AwareStep] = []
    try:
        for step in straight_through.study(format, steps, seed):
            began = time.monotonic()
            done.append(step)
            yield [_sentences(language, format, step), _curve(done, steps, language)]
            time.sleep(max(0.0, began + FRAME_SECONDS - time.monotonic()))
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip()]


def _curve(done: list[AwareStep], steps: int, language: str) -> str:
    from playground.plots.quantize.activations import aware_curve

    return aware_curve(done, steps, language)


def _sentences(language: str, format: str, step: AwareStep) -> str:
    """Where the training stands; at its end, what rounding costs either way."""
    from playground.plots.kit.figures import share

    values = {
        "float": share(language, step.float_loss),
        "after": share(language, step.rounded_after),
        "trained": share(language, step.trained_rounded),
        "format": locales.text(language, FORMATS[format]),
    }
    if step.step < step.steps:
        said = words(language, "aware.step", step=locales.number(language, step.step), steps=step.steps)
        return f'<div class="pp-said" role="status"><p>{said}</p></div>'
    if step.rounded_after < COSTS_NOTHING * step.float_loss:
        said = words(language, "aware.end.nothing", **values)
    elif step.trained_rounded < step.rounded_after:
        times = locales.significant(language, step.rounded_after / step.trained_rounded)
        said = words(language, "aware.end", times=times, **values)
    else:
        said = words(language, "aware.end.worse", **values)
    return f'<div class="pp-said" role="status"><p>{said}</p></div>'
