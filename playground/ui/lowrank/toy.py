"""
The toy of the low-rank lab: a matrix made of two thin ones, and a picture as a matrix.

Controls on the left, drawings on the right. Everything is empty until `Section.draw` is called, so building the page
computes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.errors import PlaygroundError
from playground.lowrank import toy
from playground.lowrank.pictures import PICTURE, PICTURE_KINDS
from playground.plots.kit.matrix import MOST
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.html import words
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section, headed
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import toy_html as drawn
from playground.ui.lowrank.pieces import small

SIDE, RANK, KIND, PICTURE_RANK = 50, 2, "random", 8  # the course's example, and a rank at which the ship is a ship
FIRST_SECONDS, FRAME_SECONDS = 1.0, 0.1  # the eye has to follow a fit that takes a quarter of a second


@dataclass(frozen=True)
class Framed:
    """A picture, of which both sections can make a matrix."""

    language: str
    file: str | None  # None: the picture that came with the page

    @property
    def picture(self) -> Path:
        return Path(self.file) if self.file else PICTURE


@dataclass(frozen=True)
class Compressed(Framed):
    """What the picture's own controls ask for."""

    kept: int  # its rank


@dataclass(frozen=True)
class Asked(Framed):
    """What the toy's controls ask for."""

    kind: str
    rows: int
    columns: int
    rank: int
    seed: int

    def scene(self) -> drawn.Scene:
        """Raises PlaygroundError."""
        target, decomposition = toy.decomposed(self.kind, self.rows, self.columns, self.seed, self.picture)
        return drawn.Scene(toy.base_weight(self.rows, self.columns, self.seed), target, decomposition)


@dataclass(frozen=True)
class Cards:
    """What is drawn, and how it follows what is asked."""

    rank: gr.Slider
    matrices: gr.HTML
    spectrum: gr.HTML
    curve: gr.HTML
    kept: gr.Slider
    picture: gr.HTML

    def draw_matrices(self, asked: Asked, turned: bool = False) -> Changes:
        """
        The best factors of a rank; a rank too high for the shape is lowered, and said. Once something else is `turned`, any
        other rank stays: an answer that comes late must not undo what was moved meanwhile.
        """
        language = asked.language
        try:
            scene = asked.scene()
            highest = min(scene.target.shape)
            lowered = isinstance(asked.rank, int) and asked.rank > highest
            rank = highest if lowered else asked.rank
            best = scene.decomposition.best(rank)
        except PlaygroundError as error:
            return {self.matrices: alarm(error.message(language))}
        rows, columns = scene.target.shape
        said = [drawn.count("toy.parameters", rows, columns, rank, language)]
        if lowered:
            said.append(words(language, "toy.clipped", rank=rank, rows=rows, columns=columns))
        said += [drawn.kept(best, language), drawn.about(asked.kind, rank, scene, language)]
        idle, steps = words(language, "toy.curve.idle"), toy.affordable(rows, columns, rank)
        return {
            self.rank: gr.update(maximum=highest) if turned and not lowered else gr.update(maximum=highest, value=rank),
            self.matrices: drawn.sentences(said) + drawn.figures(scene, best.b, best.a, "toy.legend", language),
            self.spectrum: drawn.spectrum(scene.decomposition.s, rank, language),
            self.curve: drawn.curve([], steps, best.error, idle, language),
        }

    def grow(self, asked: Asked) -> Iterator[Changes]:
        """The factors while they are trained from B = 0."""
        language = asked.language
        try:
            scene = asked.scene()
            rows, columns = scene.target.shape
            best = scene.decomposition.best(asked.rank).error
            points: list[tuple[int, float]] = []
            every = 3 if max(rows, columns) > MOST else 1  # large drawings take longer than what they show
            for frame, fitted in enumerate(toy.fit(scene.target, asked.rank, seed=asked.seed)):
                began = time.monotonic()
                points.append((fitted.step, fitted.error))
                if frame % every and not fitted.ended:
                    continue
                count = drawn.count("toy.parameters", rows, columns, asked.rank, language)
                said = drawn.sentences([count, drawn.step(fitted, best, language)])
                legend = "toy.legend_learned" if fitted.ended else "toy.legend_trained"
                yield {
                    self.matrices: said + drawn.figures(scene, fitted.b, fitted.a, legend, language),
                    self.curve: drawn.curve(points, fitted.steps, best, drawn.length(fitted, language), language),
                }
                held = FRAME_SECONDS if frame else FIRST_SECONDS
                time.sleep(max(0.0, began + held - time.monotonic()))
        except PlaygroundError as error:
            yield {self.matrices: alarm(error.message(language)), self.curve: ""}

    def draw_picture(self, asked: Compressed) -> Changes:
        """The picture beside its best approximation of a rank."""
        try:
            pixels, decomposition = toy.decomposed_picture(asked.picture)
            highest = min(pixels.shape)
            rank = min(asked.kept, highest) if isinstance(asked.kept, int) else asked.kept
            best = decomposition.best(rank)
        except PlaygroundError as error:
            return {self.picture: alarm(error.message(asked.language))}
        return {
            self.kept: gr.update(maximum=highest, value=rank),
            self.picture: drawn.pictures(pixels, best, rank, asked.language),
        }


def build(lab: Lab) -> None:
    """Both sections and their events."""
    wording = lab.wording
    with lab.opened("toy") as first, gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("toy.title", "toy.lead"))
        with gr.Row(elem_classes="pp-lab"):
            shape, go = _controls(wording)
            with gr.Column(min_width=0):
                matrices = html("", elem_id="toy-matrices")
                with gr.Row(elem_classes="pp-charts"):
                    spectrum = html("", elem_id="toy-spectrum")
                    curve = html("", elem_id="toy-curve")
    with lab.opened("picture") as second, gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("toy.picture.title", "toy.picture.lead"))
        with gr.Row(elem_classes="pp-lab"):
            file, kept = _picture_controls(wording)
            with gr.Column(min_width=0):
                picture = html("", elem_id="toy-picture")
    cards = Cards(shape["rank"], matrices, spectrum, curve, kept, picture)
    framed = {"language": lab.language, "file": file}
    asked, compressed = Controls(Asked, {**framed, **shape}), Controls(Compressed, {**framed, "kept": kept})
    _wire(asked, cards, go)
    _wire_picture(compressed, cards)
    drawn_first, drawn_second = [cards.rank, matrices, spectrum, curve], [kept, picture]
    grown: dict[str, Any] = {"pressed": [go.click], "run": lambda asked, linked: cards.grow(asked)}
    lab.draw(Section(asked, drawn_first, cards.draw_matrices, **grown), first)
    lab.draw(Section(compressed, drawn_second, cards.draw_picture), second)


def _wire(controls: Controls[Asked], cards: Cards, go: gr.Button) -> None:
    handler, inputs, matrices = controls.handler, controls.inputs, [cards.matrices, cards.spectrum, cards.curve]
    kind, rows, columns, seed, file = (controls.components[name] for name in ("kind", "rows", "columns", "seed", "file"))
    training = go.click(handler(cards.grow), inputs, [cards.matrices, cards.curve], **{**STREAM, "concurrency_limit": 2})
    turned, replaced = [one.input for one in (kind, rows, columns, seed)], [file.upload, file.clear]
    # Before what draws, or a frame under way would come after it
    gr.on([*turned, cards.rank.input, *replaced], None, cancels=training)
    moved: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    gr.on(turned, handler(partial(cards.draw_matrices, turned=True)), inputs, [cards.rank, *matrices], **moved)
    cards.rank.input(handler(but(cards.rank, cards.draw_matrices)), inputs, matrices, **moved)
    gr.on(replaced, handler(cards.draw_matrices), inputs, [cards.rank, *matrices], **HIDDEN)


def _wire_picture(controls: Controls[Compressed], cards: Cards) -> None:
    handler, inputs, file = controls.handler, controls.inputs, controls.components["file"]
    alone = handler(but(cards.kept, cards.draw_picture))
    cards.kept.input(alone, inputs, cards.picture, trigger_mode="always_last", **HIDDEN)
    gr.on([file.upload, file.clear], handler(cards.draw_picture), inputs, [cards.kept, cards.picture], **HIDDEN)


def but(slider: gr.Slider, draw: Callable[[Any], Changes]) -> Callable[[Any], Changes]:
    """`draw` for the slider that the visitor moves: an answer that comes late must not move it back."""
    return lambda asked: {component: new for component, new in draw(asked).items() if component is not slider}


def _controls(wording: Wording) -> tuple[dict[str, Any], gr.Button]:
    """Target, d, k, r and seed by the fields of Asked, and the button. The rank's bound follows the shape."""

    def kinds(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"toy.kind.{kind}"), kind) for kind in toy.TARGETS]

    minimum, maximum = settings.TOY_SIDES
    bounds = (("toy.rows", minimum, SIDE), ("toy.columns", minimum, SIDE), ("toy.rank", 1, RANK))
    with gr.Column(min_width=0):
        kind = wording.make(gr.Radio, {"label": "toy.kind", "choices": kinds}, value=KIND, elem_id="toy-kind")
        rows, columns, rank = [
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
    return {"kind": kind, "rows": rows, "columns": columns, "rank": rank, "seed": seed}, go


def _picture_controls(wording: Wording) -> tuple[gr.File, gr.Slider]:
    largest = settings.PICTURE_SIDES[1]
    kinds = ", ".join(PICTURE_KINDS)
    with gr.Column(min_width=0):
        file = wording.make(
            gr.File, {"label": "toy.picture.file"}, file_types=[".png", ".jpg", ".jpeg", ".webp"], type="filepath",
            height=130, elem_id="toy-file",
        )  # fmt: skip
        wording.make(html, {"value": lambda lang: small(words(lang, "toy.picture.limits", kinds=kinds, side=largest))})
        kept = wording.make(
            gr.Slider, {"label": "toy.rank"}, minimum=1, maximum=largest, step=1, value=PICTURE_RANK,
            elem_id="toy-picture-rank",
        )  # fmt: skip
    return file, kept
