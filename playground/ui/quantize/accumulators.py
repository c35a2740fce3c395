"""
Accumulators of the quantization lab: two codes added bit by bit, dot products of growing length, and what hardware does.

Controls on the left, drawings on the right. Everything is empty until `Section.draw` is called, so building the page
computes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.errors import PlaygroundError
from playground.formats import accumulators
from playground.formats.accumulators import INTEGERS, OPERANDS, OVERFLOWS, PAIRS, DotProduct
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.sections import Section
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import accumulators_html
from playground.ui.quantize.pieces import card

A, B = 127, 127  # the course's example
POWER = 12  # 4,096 products: the width of a layer
KIND = "ones"
FRAME_SECONDS = 0.4  # a long product shows the pairs that it has so far


@dataclass(frozen=True)
class Asked:
    """An addition: a, b and what an overflow does; and dot products of 2^power numbers."""

    language: str
    a: int
    b: int
    overflow: str
    kind: str
    power: int
    dot_overflow: str
    seed: int


@dataclass(frozen=True)
class Sums:
    """The components that change, and the handlers that change them."""

    addition: gr.HTML
    dots: gr.HTML

    def draw(self, asked: Asked) -> Changes:
        *_, dots = self.multiply(asked)
        return self.add(asked) | dots

    def add(self, asked: Asked) -> Changes:
        """A + B in every integer accumulator, and what became of it."""
        try:
            found = [accumulators.add(asked.a, asked.b, name, asked.overflow) for name in INTEGERS]
        except PlaygroundError as error:
            return {self.addition: alarm(error.message(asked.language))}
        return {self.addition: accumulators_html.additions(asked.language, found)}

    def multiply(self, asked: Asked) -> Iterator[Changes]:
        """The dot products of every pair; of a long one, those that are ready."""
        try:
            ready: list[DotProduct] = []
            shown = time.monotonic()
            for one in accumulators.dots(asked.kind, _length(asked.power), asked.dot_overflow, asked.seed):
                ready.append(one)
                if len(ready) == len(PAIRS) or time.monotonic() - shown > FRAME_SECONDS:
                    yield {self.dots: accumulators_html.dots(asked.language, ready)}
                    shown = time.monotonic()
        except PlaygroundError as error:
            yield {self.dots: alarm(error.message(asked.language))}


def _length(power: Any) -> int:
    """2^power. Raises PlaygroundError for what the slider does not have: the number would fill the memory."""
    if not isinstance(power, int) or not 0 <= power < 64:
        most = settings.MAX_DOT_LENGTH.bit_length() - 1
        raise PlaygroundError("out_of_range", name="length", value=str(power)[:60], minimum=0, maximum=most)
    return 1 << power


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> Section:
    """The three cards and their events."""
    with card(wording, "accumulators.title", "accumulators.lead"), gr.Row(elem_classes="pp-lab"):
        pair = _addition_controls(wording)
        with gr.Column(min_width=0):
            addition = html("", elem_id="acc-result")
    with card(wording, "accumulators.dots", "accumulators.dots.lead"), gr.Row(elem_classes="pp-lab"):
        product = _product_controls(wording)
        with gr.Column(min_width=0):
            dots = html("", elem_id="acc-dots")
    with card(wording, "accumulators.hardware", "accumulators.hardware.lead"):
        wording.make(html, {"value": accumulators_html.hardware}, elem_id="acc-hardware")
    controls, sums = Controls(Asked, {"language": language, **pair, **product}), Sums(addition, dots)
    gr.on(
        [one.input for one in pair.values()], controls.handler(sums.add), controls.inputs, addition,
        trigger_mode="always_last", **HIDDEN,
    )  # fmt: skip
    gr.on(
        [one.input for one in product.values()], controls.handler(sums.multiply), controls.inputs, dots,
        trigger_mode="always_last", **{**STREAM, "concurrency_limit": 2},
    )  # fmt: skip
    return Section(controls, [addition, dots], sums.draw)


def _overflows(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, f"accumulators.overflow.{one}"), one) for one in OVERFLOWS]


def _addition_controls(wording: Wording) -> dict[str, Any]:
    with gr.Column(min_width=0, elem_classes="pp-left"):
        sliders = {
            name: wording.make(
                gr.Slider, {"label": f"accumulators.{name}"}, minimum=-128, maximum=127, step=1, value=value,
                elem_id=f"acc-{name}",
            )
            for name, value in (("a", A), ("b", B))
        }  # fmt: skip
        overflow = wording.make(
            gr.Radio, {"label": "accumulators.overflow", "choices": _overflows}, value="wrap", elem_id="acc-overflow"
        )
    return {**sliders, "overflow": overflow}


def _product_controls(wording: Wording) -> dict[str, Any]:
    """What is multiplied, how many products, what an overflow does, and the seed of the drawn numbers."""

    def kinds(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"accumulators.kind.{kind}"), kind) for kind in OPERANDS]

    longest = settings.MAX_DOT_LENGTH.bit_length() - 1
    with gr.Column(min_width=0, elem_classes="pp-left"):
        kind = wording.make(gr.Radio, {"label": "accumulators.kind", "choices": kinds}, value=KIND, elem_id="acc-kind")
        power = wording.make(
            gr.Slider, {"label": "accumulators.length", "info": "accumulators.length.help"}, minimum=0, maximum=longest,
            step=1, value=POWER, elem_id="acc-length",
        )  # fmt: skip
        overflow = wording.make(
            gr.Radio, {"label": "accumulators.overflow", "choices": _overflows}, value="wrap", elem_id="acc-dot-overflow"
        )
        seed = wording.make(
            gr.Slider, {"label": "accumulators.seed"}, minimum=0, maximum=100, step=1, value=0, elem_id="acc-seed"
        )
    return {"kind": kind, "power": power, "dot_overflow": overflow, "seed": seed}
