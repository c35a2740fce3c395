"""
Accumulators of the quantization lab: two codes added bit by bit, with what hardware does; dot products of growing length.

Two sections: controls on the left, drawings on the right. Everything is empty until `Section.draw` is called, so building
the page computes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.errors import PlaygroundError
from playground.formats import accumulators
from playground.formats.accumulators import INTEGERS, OPERANDS, OVERFLOWS, PAIRS, DotProduct
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import accumulators_html
from playground.ui.quantize.pieces import card

A, B = 127, 127  # the course's example
POWER = 12  # 4,096 products: the width of a layer
KIND = "ones"
FRAME_SECONDS = 0.4  # a long product shows the pairs that it has so far


@dataclass(frozen=True)
class Pair:
    """An addition: a, b and what an overflow does."""

    language: str
    a: int
    b: int
    overflow: str


@dataclass(frozen=True)
class Product:
    """Dot products of 2^power numbers."""

    language: str
    kind: str
    power: int
    overflow: str
    seed: int


@dataclass(frozen=True)
class Addition:
    """Where a sum is shown, and how it follows."""

    shown: gr.HTML

    def add(self, asked: Pair) -> Changes:
        """A + B in every integer accumulator, and what became of it."""
        try:
            found = [accumulators.add(asked.a, asked.b, name, asked.overflow) for name in INTEGERS]
        except PlaygroundError as error:
            return {self.shown: alarm(error.message(asked.language))}
        return {self.shown: accumulators_html.additions(asked.language, found)}


@dataclass(frozen=True)
class Dots:
    """Where dot products are shown, and how they follow."""

    shown: gr.HTML

    def draw(self, asked: Product) -> Changes:
        *_, last = self.multiply(asked)
        return last

    def multiply(self, asked: Product) -> Iterator[Changes]:
        """The dot products of every pair; of a long one, those that are ready."""
        try:
            ready: list[DotProduct] = []
            shown = time.monotonic()
            for one in accumulators.dots(asked.kind, _length(asked.power), asked.overflow, asked.seed):
                ready.append(one)
                if len(ready) == len(PAIRS) or time.monotonic() - shown > FRAME_SECONDS:
                    yield {self.shown: accumulators_html.dots(asked.language, ready)}
                    shown = time.monotonic()
        except PlaygroundError as error:
            yield {self.shown: alarm(error.message(asked.language))}


def _length(power: Any) -> int:
    """2^power. Raises PlaygroundError for what the slider does not have: the number would fill the memory."""
    if not isinstance(power, int) or not 0 <= power < 64:
        most = settings.MAX_DOT_LENGTH.bit_length() - 1
        raise PlaygroundError("out_of_range", name="length", value=str(power)[:60], minimum=0, maximum=most)
    return 1 << power


def build(lab: Lab) -> None:
    """Both sections and their events."""
    wording, language = lab.wording, {"language": lab.language}
    with lab.opened("accumulators") as place, card(wording, "accumulators.title", "accumulators.lead"):
        with gr.Row(elem_classes="pp-lab"):
            pair = Controls(Pair, language | _addition_controls(wording))
            sum_of = Addition(html("", elem_id="acc-result"))
        with wording.make(gr.Accordion, {"label": "accumulators.hardware"}, open=False):
            wording.make(html, {"value": hardware}, elem_id="acc-hardware")
        _follow(pair, sum_of.add, sum_of.shown, HIDDEN)
        lab.draw(Section(pair, [sum_of.shown], sum_of.add), place)
    with lab.opened("sums") as place, card(wording, "accumulators.dots", "accumulators.dots.lead"):
        with gr.Row(elem_classes="pp-lab"):
            product = Controls(Product, language | _product_controls(wording))
            dots = Dots(html("", elem_id="acc-dots"))
        _follow(product, dots.multiply, dots.shown, {**STREAM, "concurrency_limit": 2})
        lab.draw(Section(product, [dots.shown], dots.draw), place)


def _follow(controls: Controls[Any], act: Callable[[Any], Any], shown: gr.HTML, how: Mapping[str, Any]) -> None:
    """Whatever is moved is drawn."""
    moved = [one.input for name, one in controls.components.items() if name != "language"]
    gr.on(moved, controls.handler(act), controls.inputs, shown, trigger_mode="always_last", **how)


def hardware(language: str) -> str:
    """What chips add in, and the table of them."""
    return soft(language, "accumulators.hardware.lead") + accumulators_html.hardware(language)


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
    return {"kind": kind, "power": power, "overflow": overflow, "seed": seed}
