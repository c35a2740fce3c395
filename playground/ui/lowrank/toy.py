"""
The toy of the low-rank lab: a matrix made of two thin ones, and a picture as a matrix.

Controls on the left, drawings on the right. Everything is empty until `Section.draw` is called, so building the page
computes nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from playground import locales, settings
from playground.errors import PlaygroundError
from playground.locales import NO_BREAK, number
from playground.lowrank import toy
from playground.lowrank.pictures import PICTURE, PICTURE_KINDS
from playground.lowrank.toy import Decomposition, Fitted
from playground.plots.kit.matrix import MOST, address, matrix
from playground.plots.lowrank.toy import error_curve, spectrum
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.html import escape, words
from playground.ui.kit.sections import OldSection, headed
from playground.ui.kit.wording import Wording, html

SIDE, RANK, KIND, PICTURE_RANK = 50, 2, "random", 8  # the course's example, and a rank at which the ship is a ship
FIRST_SECONDS, FRAME_SECONDS = 1.0, 0.1  # the eye has to follow a fit that takes a quarter of a second
FULL = 2.0  # root mean squares at which a colour is full; W and ΔW* have one of 1
DRAWN = 124  # pixels of the longer side: six matrices stand in one row of a wide page, two in one of a phone
REACHED = 0.01  # a trained error this close to the best one, relative or in all, has arrived


def build(wording: Wording, language: gr.BrowserState) -> OldSection:
    """Both cards and their events."""
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("toy.title", "toy.lead"))
        with gr.Row(elem_classes="pp-lab"):
            kind, rows, columns, rank, seed, go = _controls(wording)
            with gr.Column(min_width=0):
                matrices = html("", elem_id="toy-matrices")
                with gr.Row(elem_classes="pp-charts"):
                    values = html("", elem_id="toy-spectrum")
                    curve = html("", elem_id="toy-curve")
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("toy.picture.title", "toy.picture.lead"))
        with gr.Row(elem_classes="pp-lab"):
            file, kept = _picture_controls(wording)
            with gr.Column(min_width=0):
                picture = html("", elem_id="toy-picture")
    shape = [kind, rows, columns, rank, seed, file]
    inputs, shown = [*shape, kept], [rank, matrices, values, curve, kept, picture]
    training = go.click(grow, [language, *shape], [matrices, curve], **{**STREAM, "concurrency_limit": 2})
    moved: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    drawn, turned = [rank, matrices, values, curve], [one.input for one in (kind, rows, columns, seed)]
    changed = [*turned, rank.input, file.upload, file.clear]
    gr.on(changed, None, cancels=training)  # before what draws, or a frame under way would come after it
    gr.on(turned, draw_matrices, [language, *shape], drawn, **moved)
    rank.input(lambda *given: draw_matrices(*given)[1:], [language, *shape], drawn[1:], **moved)
    kept.input(lambda *given: draw_picture(*given)[1:], [language, file, kept], [picture], **moved)
    gr.on([file.upload, file.clear], draw, [language, *inputs], shown, **HIDDEN)
    return OldSection(inputs, shown, draw)


def _controls(wording: Wording) -> list[Any]:
    """Target, d, k, r, seed and the button. The rank's bound follows the shape, see `draw_matrices`."""

    def kinds(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"toy.kind.{kind}"), kind) for kind in toy.TARGETS]

    minimum, maximum = settings.TOY_SIDES
    bounds = (("toy.rows", minimum, SIDE), ("toy.columns", minimum, SIDE), ("toy.rank", 1, RANK))
    with gr.Column(min_width=0):
        kind = wording.make(gr.Radio, {"label": "toy.kind", "choices": kinds}, value=KIND, elem_id="toy-kind")
        sliders = [
            wording.make(
                gr.Slider, {"label": name}, minimum=least, maximum=maximum, step=1, value=value,
                elem_id=name.replace(".", "-"),
            )
            for name, least, value in bounds
        ]  # fmt: skip
        seed = wording.make(
            gr.Slider, {"label": "toy.seed", "info": "toy.seed.help"}, minimum=0, maximum=100, step=1, value=0,
            elem_id="toy-seed",
        )  # fmt: skip
        go = wording.make(gr.Button, {"value": "toy.train"}, variant="primary", elem_id="toy-train", elem_classes="pp-go")
    return [kind, *sliders, seed, go]


def _picture_controls(wording: Wording) -> tuple[gr.File, gr.Slider]:
    largest = settings.PICTURE_SIDES[1]
    with gr.Column(min_width=0):
        file = wording.make(
            gr.File, {"label": "toy.picture.file"}, file_types=[".png", ".jpg", ".jpeg", ".webp"], type="filepath",
            height=130, elem_id="toy-file",
        )  # fmt: skip
        wording.make(html, {"value": lambda lang: f'<p class="pp-soft pp-small">{_limits(lang)}</p>'})
        kept = wording.make(
            gr.Slider, {"label": "toy.rank"}, minimum=1, maximum=largest, step=1, value=PICTURE_RANK,
            elem_id="toy-picture-rank",
        )  # fmt: skip
    return file, kept


def _limits(language: str) -> str:
    return words(language, "toy.picture.limits", kinds=", ".join(PICTURE_KINDS), side=settings.PICTURE_SIDES[1])


# Handlers


def draw(language: str, *inputs: Any) -> list[Any]:
    """Both cards, in the order of `Section.shown`."""
    *shape, kept = inputs
    return [*draw_matrices(language, *shape), *draw_picture(language, shape[-1], kept)]


def draw_matrices(language: str, kind: str, rows: int, columns: int, rank: int, seed: int, file: str | None) -> list[Any]:
    """[rank slider, matrices, spectrum, curve] for the best factors of this rank; a rank too high is lowered, and said."""
    try:
        target, decomposition = toy.decomposed(kind, rows, columns, seed, _path(file))
        highest = min(rows, columns)
        lowered = isinstance(rank, int) and rank > highest
        rank = highest if lowered else rank
        best = decomposition.best(rank)
        weight = toy.base_weight(rows, columns, seed)
    except PlaygroundError as error:
        return [gr.skip(), alarm(error.message(language)), gr.skip(), gr.skip()]
    said = [_count(language, "toy.parameters", rows, columns, rank)]
    if lowered:
        said.append(words(language, "toy.clipped", rank=rank, rows=rows, columns=columns))
    said.append(_kept(language, best.energy, best.error))
    said.append(_about(language, kind, rows, columns, rank, decomposition))
    matrices = _sentences(said) + _figures(language, weight, target, best.b, best.a, decomposition, "toy.legend")
    curve = _curve(language, [], toy.affordable(rows, columns, rank), best.error, words(language, "toy.curve.idle"))
    slider = gr.update(maximum=highest, value=rank)
    return [slider, matrices, _spectrum(language, decomposition.s, rank), curve]


def grow(language: str, kind: str, rows: int, columns: int, rank: int, seed: int, file: str | None) -> Iterator[list[Any]]:
    """[matrices, curve] while the factors are trained from B = 0."""
    try:
        target, decomposition = toy.decomposed(kind, rows, columns, seed, _path(file))
        best = decomposition.best(rank)
        weight = toy.base_weight(rows, columns, seed)
        points: list[tuple[int, float]] = []
        every = 3 if max(rows, columns) > MOST else 1  # large drawings take longer than what they show
        for frame, fitted in enumerate(toy.fit(target, rank, seed=seed)):
            began = time.monotonic()
            points.append((fitted.step, fitted.error))
            if frame % every and not fitted.ended:
                continue
            said = _sentences([_count(language, "toy.parameters", rows, columns, rank), _step(language, fitted, best.error)])
            figures = _figures(language, weight, target, fitted.b, fitted.a, decomposition, "toy.legend_trained")
            yield [said + figures, _curve(language, points, fitted.steps, best.error, _length(language, fitted))]
            held = FRAME_SECONDS if frame else FIRST_SECONDS
            time.sleep(max(0.0, began + held - time.monotonic()))
    except PlaygroundError as error:
        yield [alarm(error.message(language)), ""]


def draw_picture(language: str, file: str | None, rank: int) -> list[Any]:
    """[rank slider, the picture beside its best approximation of this rank]."""
    try:
        pixels, decomposition = toy.decomposed_picture(_path(file))
        rows, columns = pixels.shape
        rank = min(rank, rows, columns) if isinstance(rank, int) else rank
        best = decomposition.best(rank)
    except PlaygroundError as error:
        return [gr.skip(), alarm(error.message(language))]
    rebuilt = best.b @ best.a
    shown = (
        (words(language, "toy.picture.original", rows=rows, columns=columns), pixels),
        (words(language, "toy.picture.rebuilt", rank=rank), rebuilt),
    )
    figures = "".join(
        f'<figure class="pp-matrix"><img src="{_grey(levels)}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
        for caption, levels in shown
    )
    said = _sentences([_count(language, "toy.numbers", rows, columns, rank), _kept(language, best.energy, best.error)])
    return [gr.update(maximum=min(rows, columns), value=rank), f'{said}<div class="pp-photos">{figures}</div>']


def _path(file: str | None) -> Path:
    return Path(file) if file else PICTURE


# Pieces


def _sentences(sentences: Sequence[str]) -> str:
    return f'<div class="pp-said" role="status">{"".join(f"<p>{sentence}</p>" for sentence in sentences)}</div>'


def _figures(
    language: str, weight: np.ndarray, target: np.ndarray, b: np.ndarray, a: np.ndarray, decomposition: Decomposition,
    legend: str,
) -> str:  # fmt: skip
    """W, ΔW*, B, A, BA and W + BA in one scale, and what their colours mean. The colours do not change with B and A."""
    rows, columns = target.shape
    update = b @ a
    best = decomposition.best(a.shape[0])
    limit, thin = FULL, FULL * float(np.sqrt(np.mean([np.mean(best.b**2), np.mean(best.a**2)])))
    shown = (
        ("W", weight, limit),
        ("ΔW*", target, limit),
        ("B", b, thin),
        ("A", a, thin),
        ("BA", update, limit),
        ("W + BA", weight + update, limit),
    )
    longest = max(rows, columns)
    drawn = "".join(
        matrix(name, values, f"{values.shape[0]} × {values.shape[1]}", bound, DRAWN, longest)
        for name, values, bound in shown
    )
    notes = [words(language, legend, rank=a.shape[0])]
    limits = {"limit": locales.significant(language, limit), "thin": locales.significant(language, thin)}
    notes.append(words(language, "toy.colours", **limits))
    if longest > MOST:
        notes.append(words(language, "toy.blocks", rows=-(-rows // MOST), columns=-(-columns // MOST)))
    return f'<div class="pp-matrices">{drawn}</div><p class="pp-soft pp-small">{" ".join(notes)}</p>'


def _count(language: str, unit: str, rows: int, columns: int, rank: int) -> str:
    """2,500 parameters against 200: 92 % fewer."""
    count = toy.parameters(rows, columns, rank)
    full = locales.text(language, unit, count=number(language, count.full))
    values = {"full": full, "factors": number(language, count.factors)}
    if count.full == count.factors:
        return f"<b>{words(language, 'toy.as_many', **values)}</b>"
    values["percent"] = _percent(language, abs(count.saved))
    if count.saved > 0:
        return f"<b>{words(language, 'toy.fewer', **values)}</b>"
    limit = locales.significant(language, rows * columns / (rows + columns))
    return f"<b>{words(language, 'toy.more', **values)}</b> {words(language, 'toy.limit', limit=limit)}"


def _kept(language: str, energy: float, error: float) -> str:
    hint = words(language, "toy.kept.hint")
    kept = words(language, "toy.kept", energy=_percent(language, 100 * energy, 1), error=_percent(language, 100 * error, 1))
    return f'<span title="{hint}">{kept}</span>'


def _about(language: str, kind: str, rows: int, columns: int, rank: int, decomposition: Decomposition) -> str:
    """What to see in this target; where the rank suffices, that it does."""
    if rank >= decomposition.rank:
        return words(language, "toy.exact", rank=decomposition.rank)
    values = {"rows": rows, "columns": columns, "layer": toy.TRAINED_LAYER, "rank": decomposition.rank}
    return words(language, f"toy.about.{kind}", **values)


def _step(language: str, fitted: Fitted, best: float) -> str:
    """Where the training stands; at its start, that W + BA is W."""
    if fitted.step == 0:
        return words(language, "toy.step_0")
    values = {
        "step": number(language, fitted.step),
        "steps": number(language, fitted.steps),
        "error": _percent(language, 100 * fitted.error, 1),
        "best": _percent(language, 100 * best, 1),
    }
    if not fitted.ended:
        return words(language, "toy.step", **values)
    reached = fitted.error <= best * (1 + REACHED) or fitted.error <= best + REACHED / 2
    return words(language, "toy.reached" if reached else "toy.not_reached", **values)


def _length(language: str, fitted: Fitted) -> str:
    """What is to be said about the number of steps, if anything."""
    if fitted.steps == settings.TOY_STEPS:
        return words(language, "toy.curve.goal")
    return words(language, "toy.curve.short", steps=fitted.steps, all=settings.TOY_STEPS)


def _spectrum(language: str, values: np.ndarray, rank: int) -> str:
    summary = locales.text(language, "toy.spectrum.summary", rank=rank, count=len(values))
    return _chart(language, "toy.spectrum.title", escape(summary), spectrum(values.tolist(), rank, language, summary))


def _curve(language: str, points: Sequence[tuple[int, float]], steps: int, best: float, note: str) -> str:
    summary = locales.text(language, "toy.curve.summary", best=_percent(language, 100 * best, 1))
    return _chart(language, "toy.curve.title", note, error_curve(points, steps, best, language, summary))


def _chart(language: str, heading: str, note: str, drawing: str) -> str:
    return f'<figure class="pp-drawn"><figcaption><b>{words(language, heading)}</b> {note}</figcaption>{drawing}</figure>'


def _grey(levels: np.ndarray) -> str:
    return address(np.rint(255 * levels.clip(0, 1)).astype(np.uint8))


def _percent(language: str, value: float, digits: int = 0) -> str:
    """`value` percent with at least `digits` decimals, and more where it would round to 0 or 100 without being that."""
    rest = min(abs(value), abs(100 - value))
    if rest < 1e-4:
        return number(language, value) + NO_BREAK + "%"
    return number(language, value, max(digits, -math.floor(math.log10(rest)))) + NO_BREAK + "%"
