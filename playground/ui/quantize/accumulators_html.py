"""
Accumulators as HTML: what became of an addition, where dot products overflow or stall, what hardware adds up in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from playground import locales
from playground.formats.accumulators import HARDWARE, Addition, DotProduct, Hardware
from playground.locales import NO_BREAK, number, significant
from playground.plots.kit.figures import signed
from playground.plots.kit.pieces import columns, table
from playground.plots.quantize.accumulators import addition, both_signs, partial_sums
from playground.plots.quantize.names import format_name
from playground.ui.kit.html import counted, folded, words
from playground.ui.quantize.pieces import said

# An addition


def additions(language: str, found: Sequence[Addition]) -> str:
    """One addition in several accumulators: what became of it in words, and its bits."""
    return said(_became(language, found)) + "".join(addition(one, language) for one in found)


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


def dots(language: str, found: Sequence[DotProduct]) -> str:
    """What happened in words, a chart for each pair, and a table."""
    charts = "".join(_chart(language, one, *_bounds(one, found)) for one in found)
    legend = "accumulators.dots.legend_even" if both_signs(found[0]) else "accumulators.dots.legend"
    return (
        f'{said(_happened(language, found))}<div class="pp-sums">{charts}</div>'
        f'<p class="pp-soft pp-small">{words(language, legend)}</p>'
        f"{folded(language, 'tensor.fold.table', _table(language, found))}"
    )


def _bounds(one: DotProduct, found: Sequence[DotProduct]) -> tuple[float, float]:
    """The least and the largest sum of all pairs that add up the same numbers."""
    sums = [total for other in found if other.exact == one.exact for total in (*other.sums, *other.exact)]
    return min(0, *filter(math.isfinite, sums)), max(1, *filter(math.isfinite, sums))


def _happened(language: str, found: Sequence[DotProduct]) -> Iterator[str]:
    """The exact sum, who overflows, who stalls, who is right."""
    length, exact = found[0].lengths[-1], signed(language, found[0].exact[-1])
    others = [f" {words(language, 'accumulators.dots.exact.wider', **wider)}" for wider in _wider(language, found)]
    yield f"<b>{counted(language, 'accumulators.dots.exact', length, sum=exact)}</b>{''.join(others)}"
    over = [_event(language, one, one.overflow_at) for one in found if one.overflow_at]
    if over:
        yield words(language, "accumulators.dots.overflow", events="; ".join(over))
    stalled = [_event(language, one, one.stall_at, one.sums[-1]) for one in found if one.stall_at]
    if stalled:
        yield counted(language, "accumulators.dots.stall", len(stalled), events="; ".join(stalled))
    right = [_pair(one) for one in found if one.sums == one.exact and not one.overflow_at]
    if right:
        yield words(language, "accumulators.dots.right", names=", ".join(right))


def _wider(language: str, found: Sequence[DotProduct]) -> Iterator[dict[str, str]]:
    """Operands whose codes, and so their sum, are others."""
    for one in found:
        if one.exact[-1] != found[0].exact[-1]:
            yield {"operand": one.pair.operand, "sum": signed(language, one.exact[-1])}


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
    names = ("pair", "sum", "exact", "error", "overflow", "lost", "stall")
    head = columns(locales.text(language, f"accumulators.table.{name}") for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(language, one))}</tr>" for one in found)
    return table("pp-entries pp-even", head, body, locales.text(language, "accumulators.dots"))


def _cells(language: str, one: DotProduct) -> list[str]:
    error = "—" if one.error is None else f"{significant(language, 100 * one.error, 3)}{NO_BREAK}%"
    places = ("—" if at is None else number(language, at) for at in (one.overflow_at, one.lost_at, one.stall_at))
    return [_pair(one), signed(language, one.sums[-1]), signed(language, one.exact[-1]), error, *places]


# Hardware


def hardware(language: str) -> str:
    """What is added up in what, by whom, and who says so."""
    names = ("device", "instruction", "operand", "accumulator", "source")
    head = columns(locales.text(language, f"accumulators.hardware.{name}") for name in names)
    body = "".join(_hardware_row(language, one) for one in HARDWARE)
    notes = f'<p class="pp-soft pp-small">{words(language, "accumulators.hardware.notes")}</p>'
    return table("pp-entries pp-even", head, body, locales.text(language, "accumulators.hardware")) + notes


def _hardware_row(language: str, one: Hardware) -> str:
    either = f" {locales.text(language, 'accumulators.hardware.or')} "
    source = f'<a href="{escape(one.url)}" target="_blank" rel="noopener">{escape(one.source)}</a>'
    cells = (
        escape(one.device),
        f"<code>{escape(one.instruction)}</code>",
        escape(format_name(language, one.operand)),
        escape(either.join(one.accumulators)),
        source,
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
