"""
A block of the embedded base's own file: 32 weights in 20 bytes, a scale, a minimum and 32 codes of 4 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.actions.ladder import Stored, in_blocks, stored
from playground.errors import PlaygroundError
from playground.locales import number, written
from playground.plots.quantize import stored as plots
from playground.plots.quantize.names import format_name, path_name
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import words
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, soft
from playground.ui.kit.wording import html
from playground.ui.quantize.pieces import card

TOP = 15  # the largest code of 4 bits
HALF = 16  # numbers between the two that share a byte
BITS = 4


@dataclass(frozen=True)
class Asked:
    """What the controls say."""

    language: str
    base: str
    module: str | None
    place: int


@dataclass(frozen=True)
class Blocks:
    """The components that change, and the handlers that change them."""

    module: gr.Dropdown
    result: gr.HTML

    @property
    def results(self) -> list[Any]:
        return [self.module, self.result]

    def draw(self, asked: Asked) -> Changes:
        """The base may still have to be read: that comes after the drawing."""
        return {self.result: note(asked.language, "lab.waiting")}

    def attach(self, asked: Asked) -> Iterator[Changes]:
        yield unchanged(self.result)
        yield self.show(asked)

    def show(self, asked: Asked) -> Changes:
        """The block, and which layers there are to choose from."""
        language = asked.language
        try:
            found = stored(asked.base, asked.module or "", asked.place)
        except PlaygroundError as error:
            return {self.result: alarm(error.message(language))}
        offered = [(path_name(language, path), path) for path in in_blocks(asked.base)]
        return {self.module: gr.update(choices=offered, value=found.module), self.result: drawn(found, language)}


def drawn(found: Stored, language: str) -> str:
    """Which block this is, its picture, its bytes, and what was checked."""
    block = found.block
    name, module = format_name(language, block.format), path_name(language, found.module)
    values = {
        "format": name,
        "module": module,
        "place": number(language, found.place),
        "every": number(language, found.every),
    }
    picture = plots.levels(block.codes, block.scale, block.minimum or 0.0, TOP, language)
    bits = written(language, 8 * len(block.stored) / len(block.codes))
    facts = {
        "scale": written(language, block.scale), "minimum": written(language, block.minimum or 0.0),
        "bytes": number(language, len(block.stored)), "count": number(language, len(block.codes)), "bits": bits,
    }  # fmt: skip
    return (
        f"{soft(language, 'blocks.about', **values)}"
        f'<figure class="pp-drawn pp-codes">{picture}</figure>'
        f"{plots.stored(block.format, block.stored, language)}"
        f"{soft(language, 'blocks.first', **_first(found, language))}{soft(language, 'blocks.bits', **facts)}"
        f'<p class="pp-conclusion" role="status">{_checked(found, language)}</p>'
    )


def _first(found: Stored, language: str) -> dict[str, str]:
    """How the first byte of codes becomes two weights."""
    block = found.block
    low, high = block.codes[0], block.codes[HALF]
    numbers = block.numbers
    return {
        "byte": escape(f"{(high << BITS) + low:02x}"), "low": str(low), "high": str(high), "other": str(HALF + 1),
        "weight": written(language, numbers[0], 4), "weight_high": written(language, numbers[HALF], 4),
        "scale": written(language, block.scale, 4), "minimum": written(language, block.minimum or 0.0, 4),
    }  # fmt: skip


def _checked(found: Stored, language: str) -> str:
    """Whether encoding the numbers again gives these bytes, and whether the base computes with just these numbers."""
    again = words(language, "blocks.again" if found.again else "blocks.not_again")
    values = {"alike": number(language, found.alike), "blocks": number(language, found.blocks)}
    return f"{again} {words(language, 'blocks.alike', **values)}"


def build(lab: Lab) -> None:
    """The section and its events."""
    make = lab.wording.make
    with lab.opened("blocks") as place, card(lab.wording, "blocks.title", "blocks.lead"):
        result = html("", elem_id="blocks-result")
        with gr.Row():
            module = make(
                gr.Dropdown, {"label": "ladder.module", "info": "tensor.module.help"}, choices=[], elem_id="blocks-module"
            )
            which = make(
                gr.Number, {"label": "blocks.place", "info": "blocks.place.help"}, value=0, minimum=0, maximum=27_647,
                precision=0,
                elem_id="blocks-place",
            )  # fmt: skip
    controls = Controls(Asked, {"language": lab.language, "base": lab.base, "module": module, "place": which})
    shown = Blocks(module, result)
    moved: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    gr.on([module.input, which.input], controls.handler(shown.show), controls.inputs, shown.results, **moved)
    lab.base.change(controls.handler(shown.show), controls.inputs, shown.results, **STREAM)
    lab.draw(Section(controls, shown.results, shown.draw, shown.attach, offered=[module]), place)
