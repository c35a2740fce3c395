"""
Sums in narrow accumulators drawn: an addition bit by bit in columns, and partial sums against the exact ones.

Takes what playground.formats.accumulators found, gives HTML; positions are relative, so both fit any width and change
without a flicker. Knows nothing about pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from playground.formats.accumulators import Addition, DotProduct, pattern
from playground.locales import text
from playground.plots.kit.figures import powered, signed
from playground.plots.kit.pieces import below
from playground.plots.kit.svg import UNITS, drawing, nice_step

WIDEST = 32  # bits of the widest accumulator; narrower ones stand under its lowest bits
TICKS = 4  # powers of ten on the axis of sums, at most
SHORT = 4  # powers of ten of lengths that all have a figure


# Two numbers, bit by bit


def addition(found: Addition, language: str) -> str:
    """Carries, A, B and their sum in columns; the sign bit tinted, marked where it is wrong, and a carry that is lost."""
    bits = len(found.bits_a)
    carried = f"{found.carry_out}{found.carries}".replace("0", " ")
    rows = [
        row(text(language, "accumulators.carries"), carried, "pp-carries", text(language, "accumulators.lost")),
        row(f"A = {signed(language, found.a)}", " " + found.bits_a),
        row(f"B = {signed(language, found.b)}", " " + found.bits_b),
    ]
    plain, marked = pattern(found.exact, bits), "pp-sum pp-wrong" if found.overflowed else "pp-sum"
    if plain != found.bits_result:  # it saturated
        rows.append(row(text(language, "accumulators.sum"), " " + plain, "pp-sum pp-dropped"))
        rows.append(row(f"→ {signed(language, found.result)}", " " + found.bits_result, "pp-last"))
    else:
        rows.append(row(f"= {signed(language, found.result)}", " " + found.bits_result, marked))
    caption = escape(text(language, "accumulators.holds", **held(found, language)))
    return (
        f'<table class="pp-addition{" pp-overflowed" if found.overflowed else ""}" data-accumulator="{found.accumulator}">'
        f"<caption><b>{found.accumulator}</b> {caption}</caption><tbody>{''.join(rows)}</tbody></table>"
    )


def held(found: Addition, language: str) -> dict[str, str]:
    """The range of the accumulator."""
    half = 2 ** (len(found.bits_a) - 1)
    return {"low": signed(language, -half), "high": signed(language, half - 1)}


def row(name: str, bits: str, kind: str = "", lost: str = "") -> str:
    """
    A line of cells, right-aligned: first what does not fit in the accumulator, then its sign bit, then the others.
    `lost` says what became of the first.
    """
    beyond = f' title="{escape(lost)}" class="pp-beyond"' if bits[0].strip() else ""
    places = (beyond, ' class="pp-sign-bit"', *[""] * (len(bits) - 2))
    cells = "".join(f"<td{place}>{bit.strip()}</td>" for place, bit in zip(places, bits, strict=True))
    before = f'<td colspan="{WIDEST + 1 - len(bits)}"></td>' if len(bits) <= WIDEST else ""
    return f'<tr class="{kind}"><th scope="row">{escape(name)}</th>{before}{cells}</tr>'


# Partial sums


def bent(value: float) -> float:
    """Powers of ten of both signs on one axis, and 0 between them."""
    return math.copysign(math.log10(1 + abs(value)), value)


def partial_sums(found: DotProduct, low: float, high: float, language: str, summary: str) -> str:
    """
    The sums of one pair by length against the exact ones (broad, grey); what comes after an overflow or a stall in another
    colour. Lengths are in powers of ten, and so are sums, unless the exact ones have both signs: crossing zero would fill
    a logarithmic chart. `low` and `high` bound every pair's chart alike.
    """
    even = both_signs(found)
    scale: Callable[[float], float] = float if even else bent
    bottom, top = scale(low), max(scale(high), scale(1))
    top += 0.04 * (top - bottom)
    longest = max(math.log10(found.lengths[-1]), 0.1)

    def path(first: int, last: int, sums: Sequence[float], kind: str) -> str:
        points = [
            f"{UNITS * math.log10(length) / longest:.1f} {UNITS * (top - scale(total)) / (top - bottom):.1f}"
            for length, total in zip(found.lengths[first:last], sums[first:last], strict=True)
            if math.isfinite(total)
        ]
        if not points:
            return ""
        dot = "h.01" if len(points) == 1 else ""
        return f'<path class="pp-curve {kind}" vector-effect="non-scaling-stroke" d="M{" L".join(points)}{dot}"/>'

    until = min((at for at in (found.overflow_at, found.stall_at) if at), default=found.lengths[-1] + 1)
    right, count = sum(length < until for length in found.lengths), len(found.lengths)
    gone = path(max(0, right - 1), count, found.sums, "pp-gone") if right < count else ""
    inside = path(0, count, found.exact, "pp-exact") + gone + path(0, right, found.sums, "pp-right")
    lines = [((scale(tick) - bottom) / (top - bottom), figure) for tick, figure in _ticks(low, high, even, language)]
    return drawing(summary, lines, _lengths(longest, language), inside)


def both_signs(found: DotProduct) -> bool:
    """Whether the exact sums go below 0."""
    return min(found.exact) < 0


def _ticks(low: float, high: float, even: bool, language: str) -> list[tuple[float, str]]:
    """Where the axis of sums has figures, and which."""
    if even:
        step = nice_step(high - low, TICKS)
        return [(here * step, signed(language, here * step)) for here in range(math.ceil(low / step), int(high / step) + 1)]
    every = math.ceil(max(bent(high), -bent(low), 1) / TICKS)
    ticks = [0.0, *(sign * 10.0**power for power in range(every, 11, every) for sign in (1, -1))]
    return [(tick, powered(tick)) for tick in ticks if low <= tick <= high]


def _lengths(longest: float, language: str) -> str:
    """Powers of ten along the bottom, up to 10^longest."""
    powers = range(0, math.floor(longest + 1e-9) + 1, 1 if longest < SHORT else 2)
    return "".join(below(power / longest, powered(10.0**power), "1.5em") for power in powers)
