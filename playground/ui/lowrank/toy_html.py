"""
The toy's drawings and sentences as HTML. Knows no components and no events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from playground import locales, settings
from playground.locales import NO_BREAK, number
from playground.lowrank import toy
from playground.lowrank.toy import Approximation, Decomposition, Fitted
from playground.plots.kit.matrix import MOST, address, matrix
from playground.plots.lowrank import toy as plots
from playground.ui.kit.html import words
from playground.ui.lowrank.pieces import matrices, small

FULL = 2.0  # root mean squares at which a colour is full; W and ΔW* have one of 1
DRAWN = 124  # pixels of the longer side: six matrices stand in one row of a wide page, two in one of a phone
REACHED = 0.01  # a trained error this close to the best one, relative or in all, has arrived


@dataclass(frozen=True)
class Scene:
    """What stands still while the factors change: W, the wanted update ΔW* (both rows × columns), and its SVD."""

    weight: np.ndarray
    target: np.ndarray
    decomposition: Decomposition


def sentences(said: Sequence[str]) -> str:
    return f'<div class="pp-said" role="status">{"".join(f"<p>{sentence}</p>" for sentence in said)}</div>'


def figures(scene: Scene, b: np.ndarray, a: np.ndarray, legend: str, language: str) -> str:
    """W, ΔW*, B, A, BA and W + BA in one scale, and what their colours mean. The colours do not change with B and A."""
    rows, columns = scene.target.shape
    update = b @ a
    best = scene.decomposition.best(a.shape[0])
    limit, thin = FULL, FULL * float(np.sqrt(np.mean([np.mean(best.b**2), np.mean(best.a**2)])))
    shown = (
        ("W", scene.weight, limit),
        ("ΔW*", scene.target, limit),
        ("B", b, thin),
        ("A", a, thin),
        ("BA", update, limit),
        ("W + BA", scene.weight + update, limit),
    )
    longest = max(rows, columns)
    drawn = [
        matrix(name, values, f"{values.shape[0]} × {values.shape[1]}", bound, DRAWN, longest)
        for name, values, bound in shown
    ]
    pairs = (f'<div class="pp-pair">{one}{other}</div>' for one, other in zip(drawn[::2], drawn[1::2], strict=True))
    limits = {"limit": locales.significant(language, limit), "thin": locales.significant(language, thin)}
    notes = [words(language, legend, rank=a.shape[0]), words(language, "toy.colours", **limits)]
    if longest > MOST:
        notes.append(words(language, "toy.blocks", rows=-(-rows // MOST), columns=-(-columns // MOST)))
    return matrices(pairs) + small(" ".join(notes))


def pictures(pixels: np.ndarray, best: Approximation, rank: int, language: str) -> str:
    """A picture, grey levels from 0 to 1, beside its best approximation, and what the two cost."""
    rows, columns = pixels.shape
    shown = (
        (words(language, "toy.picture.original", rows=rows, columns=columns), pixels),
        (words(language, "toy.picture.rebuilt", rank=rank), best.b @ best.a),
    )
    drawn = "".join(
        f'<figure class="pp-matrix"><img src="{_grey(levels)}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
        for caption, levels in shown
    )
    said = sentences([count("toy.numbers", rows, columns, rank, language), kept(best, language)])
    return f'{said}<div class="pp-photos">{drawn}</div>'


def _grey(levels: np.ndarray) -> str:
    return address(np.rint(255 * levels.clip(0, 1)).astype(np.uint8))


# Sentences


def count(unit: str, rows: int, columns: int, rank: int, language: str) -> str:
    """200 parameters instead of 2,500: 92 % fewer."""
    found = toy.parameters(rows, columns, rank)
    factors = locales.text(language, unit, count=number(language, found.factors))
    values = {"full": number(language, found.full), "factors": factors}
    if found.full == found.factors:
        return f"<b>{words(language, 'toy.as_many', **values)}</b>"
    values["percent"] = percent(language, abs(found.saved))
    if found.saved > 0:
        return f"<b>{words(language, 'toy.fewer', **values)}</b>"
    limit = locales.significant(language, rows * columns / (rows + columns))
    return f"<b>{words(language, 'toy.more', **values)}</b> {words(language, 'toy.limit', limit=limit)}"


def kept(best: Approximation, language: str) -> str:
    """How much of the energy the best factors hold, and what is missing."""
    energy, error = (percent(language, 100 * share, 1) for share in (best.energy, best.error))
    hint = words(language, "toy.kept.hint")
    return f'<span title="{hint}">{words(language, "toy.kept", energy=energy, error=error)}</span>'


def about(kind: str, rank: int, scene: Scene, language: str) -> str:
    """What to see in this target; where the rank suffices, that it does."""
    needed = scene.decomposition.rank
    if rank >= needed:
        return words(language, "toy.exact", rank=needed)
    rows, columns = scene.target.shape
    values = {"rows": rows, "columns": columns, "layer": toy.TRAINED_LAYER, "rank": needed}
    return words(language, f"toy.about.{kind}", **values)


def step(fitted: Fitted, best: float, language: str) -> str:
    """Where the training stands; at its start, that W + BA is W. `best` is the smallest possible error."""
    if fitted.step == 0:
        return words(language, "toy.step_0")
    values = {
        "step": number(language, fitted.step),
        "steps": number(language, fitted.steps),
        "error": percent(language, 100 * fitted.error, 1),
        "best": percent(language, 100 * best, 1),
    }
    if not fitted.ended:
        return words(language, "toy.step", **values)
    reached = fitted.error <= best * (1 + REACHED) or fitted.error <= best + REACHED / 2
    return words(language, "toy.reached" if reached else "toy.not_reached", **values)


def length(fitted: Fitted, language: str) -> str:
    """What is to be said about the number of steps, if anything."""
    if fitted.steps == settings.TOY_STEPS:
        return words(language, "toy.curve.goal")
    return words(language, "toy.curve.short", steps=fitted.steps, all=settings.TOY_STEPS)


def percent(language: str, value: float, digits: int = 0) -> str:
    """`value` percent with at least `digits` decimals, and more where it would round to 0 or 100 without being that."""
    rest = min(abs(value), abs(100 - value))
    if rest < 1e-4:
        return number(language, value) + NO_BREAK + "%"
    return number(language, value, max(digits, -math.floor(math.log10(rest)))) + NO_BREAK + "%"


# Charts


def spectrum(values: np.ndarray, rank: int, language: str) -> str:
    count = locales.number(language, len(values))
    if rank == len(values):
        summary = locales.text(language, "toy.spectrum.whole", count=count)
    else:
        key = "toy.spectrum.summary.one" if rank == 1 else "toy.spectrum.summary"
        summary = locales.text(language, key, rank=locales.number(language, rank), count=count)
    chart = plots.spectrum(values.tolist(), rank, language, summary)
    return _chart("toy.spectrum.title", escape(summary), chart, language)


def curve(points: Sequence[tuple[int, float]], steps: int, best: float, note: str, language: str) -> str:
    summary = locales.text(language, "toy.curve.summary", best=percent(language, 100 * best, 1))
    chart = plots.error_curve(points, steps, best, language, summary)
    return _chart("toy.curve.title", note, chart, language)


def _chart(heading: str, note: str, drawing: str, language: str) -> str:
    return f'<figure class="pp-drawn"><figcaption><b>{words(language, heading)}</b> {note}</figcaption>{drawing}</figure>'
