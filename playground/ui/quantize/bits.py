"""
One number of the quantization lab: what each format keeps of it, bit by bit, and the ruler of all numbers of a format.

Two sections with a number of their own each. They are empty until `Section.draw` is called. A fold has what each format is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import gradio as gr

from playground.actions.formats import Kept, keep_number
from playground.errors import PlaygroundError
from playground.formats.bits import code_range
from playground.formats.format import LARGEST, SMALLEST
from playground.formats.registry import FORMATS
from playground.locales import written
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.sections import Section
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import bits_html
from playground.ui.quantize.pieces import card

VALUE = 0.622  # the course's example: code 4 in 4 bits, 79 in 8
EXAMPLES = (0.622, 0.1, 1e-5, 448.5, 70_000.0, -1.0)
GROUPED = {"en": re.compile(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?"), "es": re.compile(r"-?[1-9]\d{0,2}( \d{3})+(,\d+)?")}
POWER = re.compile("\\s?×\\s?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
LOWERED = str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", "--0123456789  ")
LONGEST = 40  # characters of a number that are read


@dataclass(frozen=True)
class Typed:
    """What the fields hold, as text, so that 1e-5 and 0,622 can be typed."""

    language: str
    value: str
    scale: str
    zero_point: str


@dataclass(frozen=True)
class Asked:
    """What was typed as numbers; None where a field is empty."""

    value: float
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class Number:
    """The components that change, and the handlers that change them; `drawing` makes what is shown of a number."""

    value: gr.Textbox
    notice: gr.HTML
    shown: gr.HTML
    drawing: Callable[[str, Sequence[Kept], bool], str]

    def draw(self, typed: Typed) -> Changes:
        """What is shown; while a field holds no number, a sentence in its place: it would be of another number."""
        try:
            asked = read(typed)
            found = keep_number(asked.value, asked.scale, asked.zero_point)
        except PlaygroundError as error:
            return {self.notice: alarm(error.message(typed.language)), self.shown: ""}
        scaled = bool(asked.scale) or asked.zero_point is not None
        return {self.notice: "", self.shown: self.drawing(typed.language, found, scaled)}

    def try_it(self, example: float, typed: Typed) -> Changes:
        """An example instead of the value."""
        value = written(typed.language, example)
        return {self.value: value} | self.draw(replace(typed, value=value))


def build(lab: Lab) -> None:
    """Both sections and their events."""
    with lab.opened("number") as place, card(lab.wording, "anatomy.title", "anatomy.lead"):
        _section(lab, place, bits_html.rows)
        with lab.wording.make(gr.Accordion, {"label": "anatomy.formats"}, open=False, elem_id="number-formats"):
            lab.wording.make(html, {"value": bits_html.records})
    with lab.opened("ruler") as place, card(lab.wording, "anatomy.rulers", "anatomy.rulers.lead"):
        _section(lab, place, bits_html.rulers)


def _section(lab: Lab, place: Place, drawing: Callable[[str, Sequence[Kept], bool], str]) -> None:
    """The fields, and what is drawn of the number in them."""
    fields, chips = _fields(lab.wording, place.name)
    number = Number(
        fields["value"], html("", elem_id=f"{place.name}-notice"), html("", elem_id=f"{place.name}-result"), drawing
    )
    controls, shown = (
        Controls(Typed, {"language": lab.language, **fields}),
        [number.notice, number.shown],
    )
    changed = [event for one in fields.values() for event in (one.input, one.submit)]
    gr.on(changed, controls.handler(number.draw), controls.inputs, shown, trigger_mode="always_last", **HIDDEN)
    tried = [
        chip.click(
            controls.handler(partial(number.try_it, entry)), controls.inputs, [number.value, *shown], **HIDDEN
        )
        for entry, chip in chips.items()
    ]  # fmt: skip
    lab.draw(Section(controls, shown, number.draw, retold=dict.fromkeys(fields.values(), retold), moved=tried), place)


def _fields(wording: Wording, name: str) -> tuple[dict[str, gr.Textbox], dict[float, gr.Button]]:
    """The fields by those of `Typed`, and values to try by what they are."""
    with gr.Row(elem_classes="pp-fields"):
        value = wording.make(
            gr.Textbox, {"label": "anatomy.value", "value": partial(written, value=VALUE)}, max_length=LONGEST,
            elem_id=f"{name}-value",
        )  # fmt: skip
        more = {
            field: wording.make(
                gr.Textbox, {"label": f"anatomy.{field}", "placeholder": f"anatomy.{field}.help"}, max_length=LONGEST,
                elem_id=f"{name}-{field.replace('_', '-')}",
            )
            for field in ("scale", "zero_point")
        }  # fmt: skip
    with gr.Row(elem_classes="pp-chips"):
        chips = {
            one: wording.make(
                gr.Button, {"value": partial(written, value=one)}, size="sm", elem_classes="chip",
                elem_id=f"{name}-try-{place}",
            )
            for place, one in enumerate(EXAMPLES)
        }  # fmt: skip
    return {"value": value, **more}, chips


# What is typed


def read(typed: Typed) -> Asked:
    """Raises PlaygroundError for a field that holds something else."""
    value, scale, zero = (_number(typed.language, one) for one in (typed.value, typed.scale, typed.zero_point))
    if not _entry(typed.value):
        raise PlaygroundError("number_missing")
    if value is None or not abs(value) <= LARGEST:
        raise PlaygroundError("number_typed", entry=_entry(typed.value))
    if _entry(typed.scale) and (scale is None or not SMALLEST <= scale <= LARGEST):
        raise PlaygroundError("scale_typed", entry=_entry(typed.scale))
    low, high = code_range(max(FORMATS.values(), key=lambda one: one.largest * one.zero_points), True)
    if _entry(typed.zero_point) and (zero is None or not low <= zero <= high or zero != int(zero)):
        least, most = written(typed.language, low), written(typed.language, high)
        raise PlaygroundError("zero_point_typed", entry=_entry(typed.zero_point), minimum=least, maximum=most)
    return Asked(value, scale, None if zero is None else int(zero))


def retold(entry: str, language: str, other: str) -> str:
    """What was typed in one language, as one types it in another: 0.622 becomes 0,622. What is no number stays."""
    value = _number(language, entry)
    if language == other or value is None or not math.isfinite(value):
        return entry
    shown = written(other, value)
    return shown if _number(other, shown) == value else repr(value).replace(".", "," if other == "es" else ".")


def _entry(field: str | None) -> str:
    return str(field or "").strip()[:LONGEST]


def _number(language: str, field: str | None) -> float | None:
    """
    What was typed as a number, or written as the page writes it: 70,000, 1 × 10⁻⁵; None if it is none. In Spanish a comma
    is the decimal mark.
    """
    entry = POWER.sub(r"e\1", _entry(field)).translate(LOWERED)
    if GROUPED[language].fullmatch(entry):
        entry = entry.replace("," if language == "en" else " ", "")
    try:
        return float(entry.replace(",", ".") if language == "es" else entry)
    except ValueError:
        return None
