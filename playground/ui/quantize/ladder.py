"""
The ladder of the quantization lab: every rung on one layer, from rounding to GPTQ, its weight error beside its output error.

The embedded base's usual layer was measured beforehand and is there at once; another one is measured when it is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.ladder import calibration_text, layers_of, recorded, recorded_layer, start_layer
from playground.actions.quantize import is_here
from playground.errors import PlaygroundError
from playground.locales import machine, number
from playground.model.catalogue import split_id
from playground.plots.quantize.ladder import rung_name
from playground.plots.quantize.names import path_name
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import STREAM, alarm, note
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, progress, watch
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import ladder_html
from playground.ui.quantize.pieces import card
from playground.work.jobs import Run

if TYPE_CHECKING:
    from playground.quantize.onelayer import LayerLadder

BITS, BLOCKS = (2, 3, 4, 8), (32, 64, 128)
FIRST = {"bits": 4, "block": 64}


@dataclass(frozen=True)
class Asked:
    """What the controls say; `read` is the page's base when it was last read with unasked, "" before the first visit."""

    key: str
    language: str
    base: str
    module: str | None
    bits: int
    block: int
    read: str


@dataclass(frozen=True)
class Ladder:
    """The components that change, and the handlers that change them."""

    read: gr.State
    module: gr.Dropdown
    notice: gr.HTML
    result: gr.HTML
    text: gr.HTML

    @property
    def results(self) -> list[Any]:
        """What `show` changes."""
        return [self.module, self.notice, self.result, self.text]

    def draw(self, asked: Asked) -> Changes:
        """What was recorded, if that is asked for; the layers come after the drawing, as they need the base."""
        chosen = [(path_name(asked.language, asked.module), asked.module)] if asked.module else []
        offered = {self.module: gr.update(choices=chosen, value=asked.module)} if chosen else {}
        try:
            known = recorded_layer(asked.base, asked.module, asked.bits, asked.block)
        except PlaygroundError as error:
            return {self.notice: alarm(error.message(asked.language))}
        return offered | (self._recorded(known, asked) if known else {self.notice: note(asked.language, "lab.waiting")})

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """At a visit: the layers of the page's base, and the ladder of one, unless that was done."""
        if asked.read == asked.base:
            yield unchanged(self.notice)
            return
        yield {self.read: asked.base}
        yield from self.show(asked)

    def change_base(self, asked: Asked) -> Iterator[Changes]:
        """Nobody has to wait for a base that nobody looks at."""
        if asked.read:
            yield from self.attach(asked)
        else:
            yield unchanged(self.notice)

    def show(self, asked: Asked) -> Iterator[Changes]:
        """The ladder of the chosen layer, rung by rung."""
        language = asked.language
        try:
            if not is_here(asked.base):
                yield {self.notice: note(language, "calibration.loading")}
            layers = layers_of(asked.base)
            yield {self.text: ladder_html.calibration(*calibration_text(asked.base), language)}
            module = asked.module if asked.module in layers else None
            known = recorded_layer(asked.base, module, asked.bits, asked.block)
            if known:
                yield self._offered(layers, known["module"], language) | self._recorded(known, asked)
                return
            run = start_layer(asked.key, asked.base, module, asked.bits, asked.block)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(language))}
            return
        yield self._offered(layers, run.job.module, language)
        yield from self._follow(run, asked)

    def _offered(self, layers: Mapping[str, tuple[int, int]], module: str, language: str) -> Changes:
        choices = [
            (f"{path_name(language, path)} · {' × '.join(number(language, one) for one in shape)}", path)
            for path, shape in layers.items()
        ]
        return {self.module: gr.update(choices=choices, value=module)}

    def _recorded(self, known: Mapping[str, Any], asked: Asked) -> Changes:
        line = note(asked.language, "ladder.recorded", machine=machine(asked.language, recorded()["machine"]))
        return {self.notice: line, self.result: _marked({**known, "done": True}, asked)}

    def _follow(self, run: Run, asked: Asked) -> Iterator[Changes]:
        def changes(run: Run) -> Changes:
            found: LayerLadder | None = run.events[-1] if run.events else None
            drawn = {self.result: _marked(asdict(found) | {"done": found.done}, asked)} if found and found.steps else {}
            return {self.notice: _standing(run, found, asked.language)} | drawn

        yield from watch(run, self.notice, changes)


def _standing(run: Run, found: LayerLadder | None, language: str) -> str:
    """Which rung is being worked at."""
    from playground.quantize.ladder import RUNGS

    if run.ended or not found:
        return progress(run, language)
    if not found.seen:
        return note(language, "ladder.reading")
    rungs = list(RUNGS)[len(found.steps) :]
    return note(language, "ladder.working", rung=rung_name(language, rungs[0])) if rungs else progress(run, language)


def _marked(found: Mapping[str, Any], asked: Asked) -> str:
    """With the base that was measured: every other control measures anew by itself."""
    result = ladder_html.layer(found, asked.language)
    return marks.marked(result, {marks.BASE: split_id(asked.base)[0].id})


def grid(wording: Wording, elem_id: str) -> dict[str, Any]:
    """Bits of a weight, and how many weights share a scale."""
    make = wording.make
    return {
        "bits": make(
            gr.Radio, {"label": "ladder.bits", "info": "ladder.bits.help"}, choices=list(BITS), value=FIRST["bits"],
            elem_id=f"{elem_id}-bits",
        ),
        "block": make(
            gr.Radio, {"label": "ladder.block", "info": "ladder.block.help"}, choices=list(BLOCKS), value=FIRST["block"],
            elem_id=f"{elem_id}-block",
        ),
    }  # fmt: skip


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, make = lab.wording, lab.wording.make
    with lab.opened("ladder") as place, card(wording, "ladder.title", "ladder.lead"):
        notice, result = html("", elem_id="ladder-notice"), html("", elem_id="ladder-result")
        with gr.Row(elem_classes="pp-gridded"):
            module = make(
                gr.Dropdown, {"label": "ladder.module", "info": "tensor.module.help"}, choices=[], elem_id="ladder-module"
            )
            made = grid(wording, "ladder")
        with make(gr.Accordion, {"label": "ladder.text"}, open=False, elem_classes="pp-more"):
            text = html("", elem_id="ladder-text")
        read = gr.State("")
    given = {"key": lab.visitor, "language": lab.language, "base": lab.base, "module": module, **made, "read": read}
    controls, shown = Controls(Asked, given), Ladder(read, module, notice, result, text)
    marks.wire([result], lab.base)
    asking: dict[str, Any] = {"trigger_mode": "multiple", **STREAM}
    moved = [module.input, *(one.input for one in made.values())]
    gr.on(moved, controls.handler(shown.show), controls.inputs, shown.results, **asking)
    lab.base.change(controls.handler(shown.change_base), controls.inputs, [read, *shown.results], **asking)
    lab.draw(Section(controls, [read, *shown.results], shown.draw, shown.attach, offered=[module]), place)
