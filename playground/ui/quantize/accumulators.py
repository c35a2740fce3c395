"""
Accumulators of the quantization lab: two codes added bit by bit, dot products of growing length, and what hardware does.

Controls on the left, drawings on the right. Everything is empty until `Section.draw` is called, so building the page
computes nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.errors import PlaygroundError
from playground.formats import accumulators
from playground.formats.accumulators import HARDWARE, INTEGERS, OPERANDS, OVERFLOWS, PAIRS, Addition, DotProduct, Hardware
from playground.locales import NO_BREAK, number, significant
from playground.plots.kit.figures import signed
from playground.plots.quantize.accumulators import addition, both_signs, partial_sums
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.html import escape, words
from playground.ui.kit.sections import OldSection, headed
from playground.ui.kit.wording import Wording, html

A, B = 127, 127  # the course's example
POWER = 12  # 4,096 products: the width of a layer
KIND = "ones"
FRAME_SECONDS = 0.4  # a long product shows the pairs that it has so far


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> OldSection:
    """The three cards and their events."""
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("accumulators.title", "accumulators.lead"))
        with gr.Row(elem_classes="pp-lab"):
            pair = _addition_controls(wording)
            with gr.Column(min_width=0):
                result = html("", elem_id="acc-result")
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("accumulators.dots", "accumulators.dots.lead"))
        with gr.Row(elem_classes="pp-lab"):
            product = _product_controls(wording)
            with gr.Column(min_width=0):
                sums = html("", elem_id="acc-dots")
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("accumulators.hardware", "accumulators.hardware.lead"))
        wording.make(html, {"value": hardware}, elem_id="acc-hardware")
    gr.on([one.input for one in pair], draw_addition, [language, *pair], result, trigger_mode="always_last", **HIDDEN)
    gr.on(
        [one.input for one in product], grow, [language, *product], sums,
        trigger_mode="always_last", **{**STREAM, "concurrency_limit": 2},
    )  # fmt: skip
    return OldSection([*pair, *product], [result, sums], draw)


def _overflows(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, f"accumulators.overflow.{one}"), one) for one in OVERFLOWS]


def _addition_controls(wording: Wording) -> list[Any]:
    """A, B and what an overflow does."""
    with gr.Column(min_width=0, elem_classes="pp-left"):
        sliders = [
            wording.make(gr.Slider, {"label": f"accumulators.{name}"}, minimum=-128, maximum=127, step=1, value=value,
                         elem_id=f"acc-{name}")
            for name, value in (("a", A), ("b", B))
        ]  # fmt: skip
        overflow = wording.make(
            gr.Radio, {"label": "accumulators.overflow", "choices": _overflows}, value="wrap", elem_id="acc-overflow"
        )
    return [*sliders, overflow]


def _product_controls(wording: Wording) -> list[Any]:
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
    return [kind, power, overflow, seed]


# Handlers


def draw(language: str, *inputs: Any) -> list[Any]:
    """Both drawings, in the order of `Section.shown`."""
    *_, sums = grow(language, *inputs[3:])
    return [draw_addition(language, *inputs[:3]), sums]


def draw_addition(language: str, a: int, b: int, overflow: str) -> str:
    """A + B in every integer accumulator, and what became of it in a sentence."""
    try:
        found = [accumulators.add(a, b, name, overflow) for name in INTEGERS]
    except PlaygroundError as error:
        return alarm(error.message(language))
    said = "".join(f"<p>{one}</p>" for one in _became(language, found))
    return f'<div class="pp-said" role="status">{said}</div>{"".join(addition(one, language) for one in found)}'


def grow(language: str, kind: str, power: int, overflow: str, seed: int) -> Iterator[str]:
    """The dot products of every pair; of a long one, those that are ready."""
    try:
        if not isinstance(power, int) or not 0 <= power < 64:
            most = settings.MAX_DOT_LENGTH.bit_length() - 1
            raise PlaygroundError("out_of_range", name="length", value=str(power)[:60], minimum=0, maximum=most)
        ready: list[DotProduct] = []
        shown = time.monotonic()
        for one in accumulators.dots(kind, 2**power, overflow, seed):
            ready.append(one)
            if len(ready) == len(PAIRS) or time.monotonic() - shown > FRAME_SECONDS:
                yield _dots(language, ready)
                shown = time.monotonic()
    except PlaygroundError as error:
        yield alarm(error.message(language))


# An addition


def _became(language: str, found: Sequence[Addition]) -> Iterator[str]:
    """127 + 127 = 254, who holds it, and why the others do not."""
    first = found[0]
    values = {"a": signed(language, first.a), "b": signed(language, first.b), "sum": signed(language, first.exact)}
    values["b"] = f"({values['b']})" if first.b < 0 else values["b"]
    held = words(language, "accumulators.sum.held", names=", ".join(one.accumulator for one in found if not one.overflowed))
    yield f"<b>{words(language, 'accumulators.sum.exact', **values)}</b> {held}"
    for one in found:
        values = {"name": one.accumulator, "result": signed(language, one.result)}
        if one.overflowed and one.overflow == "saturate":
            yield words(language, "accumulators.sum.saturates", **values)
        elif one.overflowed:
            turn = ("− " if one.exact > 0 else "+ ") + number(language, 2 ** len(one.bits_a))
            key = "accumulators.sum.wraps" if one.exact > 0 else "accumulators.sum.wraps_below"
            yield words(language, key, sum=signed(language, one.exact), turn=turn, **values)
    if not first.overflowed and first.carry_out:
        yield words(language, "accumulators.sum.carry")


# Dot products


def _dots(language: str, found: Sequence[DotProduct]) -> str:
    """What happened in words, a chart for each pair, and a table."""
    sums = [total for one in found for total in (*one.sums, *one.exact) if math.isfinite(total)]
    low, high = min(0, *sums), max(1, *sums)
    charts = "".join(_chart(language, one, low, high) for one in found)
    said = "".join(f"<p>{one}</p>" for one in _happened(language, found))
    legend = "accumulators.dots.legend_even" if both_signs(found[0]) else "accumulators.dots.legend"
    return (
        f'<div class="pp-said" role="status">{said}</div><div class="pp-sums">{charts}</div>'
        f'<p class="pp-soft pp-small">{words(language, legend)}</p>{_table(language, found)}'
    )


def _happened(language: str, found: Sequence[DotProduct]) -> Iterator[str]:
    """The exact sum, who overflows, who stalls, who is right."""
    values = {"length": number(language, found[0].lengths[-1]), "sum": signed(language, found[0].exact[-1])}
    yield f"<b>{words(language, 'accumulators.dots.exact', **values)}</b>"
    over = [_event(language, one, one.overflow_at) for one in found if one.overflow_at]
    if over:
        yield words(language, "accumulators.dots.overflow", events="; ".join(over))
    stalled = [_event(language, one, one.stall_at, one.sums[-1]) for one in found if one.stall_at]
    if stalled:
        yield words(language, "accumulators.dots.stall", events="; ".join(stalled))
    right = [_pair(one) for one in found if one.sums == one.exact and not one.overflow_at]
    if right:
        yield words(language, "accumulators.dots.right", names=", ".join(right))


def _event(language: str, one: DotProduct, at: int | None, total: float | None = None) -> str:
    values = {"pair": _pair(one), "length": number(language, at or 0)}
    if total is None:
        return locales.text(language, "accumulators.dots.at", **values)
    return locales.text(language, "accumulators.dots.stops", sum=signed(language, total), **values)


def _pair(one: DotProduct) -> str:
    return f"{one.pair.operand} → {one.pair.accumulator}"


def _chart(language: str, one: DotProduct, low: float, high: float) -> str:
    """One pair's partial sums under its name and what happened to it."""
    note = locales.text(language, "accumulators.dots.holds")
    if one.overflow_at:
        note = locales.text(language, "accumulators.dots.overflows_at", length=number(language, one.overflow_at))
    elif one.stall_at:
        note = locales.text(language, "accumulators.dots.stalls_at", length=number(language, one.stall_at))
    elif one.sums != one.exact:
        note = locales.text(language, "accumulators.dots.rounds")
    kind = "pp-error" if one.overflow_at or one.stall_at else "pp-soft"
    drawn = partial_sums(one, low, high, language, f"{_pair(one)}: {note}")
    return (
        f'<figure class="pp-sums-chart" data-pair="{one.pair.id}"><figcaption><b>{_pair(one)}</b> '
        f'<span class="{kind}">{escape(note)}</span></figcaption>{drawn}</figure>'
    )


def _table(language: str, found: Sequence[DotProduct]) -> str:
    """Pair, sum, exact sum, error, and where it happened."""
    columns = ("pair", "sum", "exact", "error", "overflow", "lost", "stall")
    head = "".join(f'<th scope="col">{words(language, f"accumulators.table.{column}")}</th>' for column in columns)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(language, one))}</tr>" for one in found)
    return _scrolling(language, "accumulators.dots", head, rows)


def _cells(language: str, one: DotProduct) -> list[str]:
    error = "—" if one.error is None else f"{significant(language, 100 * one.error, 3)}{NO_BREAK}%"
    places = ("—" if at is None else number(language, at) for at in (one.overflow_at, one.lost_at, one.stall_at))
    return [_pair(one), signed(language, one.sums[-1]), signed(language, one.exact[-1]), error, *places]


# Hardware


def hardware(language: str) -> str:
    """What is added up in what, by whom, and who says so."""
    columns = ("device", "instruction", "operand", "accumulator", "source")
    head = "".join(f'<th scope="col">{words(language, f"accumulators.hardware.{column}")}</th>' for column in columns)
    rows = "".join(_hardware_row(language, one) for one in HARDWARE)
    notes = f'<p class="pp-soft pp-small">{words(language, "accumulators.hardware.notes")}</p>'
    return _scrolling(language, "accumulators.hardware", head, rows) + notes


def _scrolling(language: str, name: str, head: str, rows: str) -> str:
    """A table that may be wider than a phone."""
    return (
        f'<div class="pp-scroll" role="region" tabindex="0" aria-label="{words(language, name)}">'
        f'<table class="pp-entries pp-even"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _hardware_row(language: str, one: Hardware) -> str:
    either = f" {locales.text(language, 'accumulators.hardware.or')} "
    source = f'<a href="{escape(one.url)}" target="_blank" rel="noopener">{escape(one.source)}</a>'
    operand = words(language, f"formats.{one.operand}")
    cells = (
        escape(one.device),
        f"<code>{escape(one.instruction)}</code>",
        operand,
        escape(either.join(one.accumulators)),
        source,
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
