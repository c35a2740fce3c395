"""
The loss curve as an inline SVG: training solid, held out dashed, each with its name beside its end.

Takes the training view's points, gives a string. The x axis reaches to the planned number of steps from the start, so
the curve grows without redrawing. Positions are percentages, so it fits any width. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from playground.locales import number, significant, text
from playground.plots.kit.pieces import rows
from playground.plots.kit.svg import EMPTY_TOP, UNITS, axis_top, curve, finite, labels, x_axis, y_axis, y_name

if TYPE_CHECKING:
    from playground.plots.kit.svg import Point


PREPARES = "few_shot"  # has no steps
COLUMNS = ("step", "loss", "held_out_loss")  # of the file


def loss_curve(view: Mapping[str, Any], language: str, at: int | None = None, whole: bool = False) -> str:
    """
    The curve of a training view so far, with a line at one step; its accessible name says the live numbers. A `whole` one
    has its points along, to be saved.
    """
    training, held_out = finite(view.get("losses")), finite(view.get("held_out"))
    points = [*training, *held_out]
    steps = max([1, view.get("steps") or 0, *(step for step, _ in points)])
    top = axis_top(max((loss for _, loss in points), default=EMPTY_TOP))
    method = view.get("method") or "base"
    method = method if method.isidentifier() else "base"
    names = [text(language, f"loss.{name}") for name in ("training", "held_out")]
    if method == PREPARES and held_out:  # a point alone: its number beside it
        names[1] += f" {significant(language, held_out[-1][1], 3)}"
    axis = "" if method == PREPARES else x_axis(steps, language)
    empty = "" if points else empty_note(method, language)
    here = "" if at is None else marker(at, steps)
    told = y_name(language) + (rows(COLUMNS, both(view)) if whole and points else "")
    return (
        f'<svg class="pp-loss"{told} role="img" aria-label="{escape(summary(view, training, held_out, language) or empty)}" '
        f'style="--m:var(--m-{method});--m-text:var(--m-{method}-text);--label:{max(map(len, names))}">'
        f"{y_axis(top, language)}{axis}{here}"
        f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" width="100%" height="100%" overflow="visible">'
        f"{curve(held_out, steps, top, 'pp-held-out')}{curve(training, steps, top, 'pp-training')}</svg>"
        f"{labels(training, held_out, names, steps, top)}"
        f'<text class="pp-axis" x="50%" y="45%" text-anchor="middle">{escape(empty)}</text></svg>'
    )


def both(view: Mapping[str, Any]) -> list[tuple[int, float | None, float | None]]:
    """A row for each step at which either loss was measured, as COLUMNS say."""
    training, held_out = dict(finite(view.get("losses"))), dict(finite(view.get("held_out")))
    return [(step, training.get(step), held_out.get(step)) for step in sorted({*training, *held_out})]


def marker(at: int, steps: int) -> str:
    """An upright line at a step; whoever moves it sets `x1` and `x2`."""
    x = f"{100 * at / steps:.2f}%"
    return f'<line class="pp-now" x1="{x}" x2="{x}" y1="0" y2="100%"/>'


def empty_note(method: str, language: str) -> str:
    return text(language, "loss.no_training" if method == PREPARES else "loss.empty")


def summary(view: Mapping[str, Any], training: Sequence[Point], held_out: Sequence[Point], language: str) -> str:
    """One sentence with the numbers that the drawing shows; "" before the first."""
    values = {"held_out": significant(language, held_out[-1][1], 3)} if held_out else {}
    if not training:
        key = "prepare.loss" if view.get("method") == PREPARES else "loss.summary_held_out_only"
        return text(language, key, **values) if held_out else ""
    return text(
        language,
        "loss.summary_held_out" if held_out else "loss.summary",
        step=number(language, training[-1][0]),
        steps=number(language, max(view.get("steps") or 0, training[-1][0])),
        training=significant(language, training[-1][1], 3),
        first=significant(language, training[0][1], 3),
        **values,
    )
