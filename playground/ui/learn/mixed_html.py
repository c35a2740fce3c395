"""
One run in several precisions, as recorded: the losses as curves, and what became 0 on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from statistics import fmean

from playground import locales
from playground.learn import mixed_precision
from playground.learn.mixed_precision import WAYS, PrecisionStep
from playground.locales import counted, number, percent, significant, text
from playground.plots.learn.runs import Line, curves
from playground.ui.kit.html import words
from playground.ui.learn.tables import table

Runs = dict[str, list[PrecisionStep]]
COLOURS = dict(zip(WAYS, ("--m-base", "--m-lora", "--m-full_fine_tuning", "--m-ia3", "--m-prompt_tuning"), strict=True))
DASHED = {"float16", "float16_scaled"}  # they lie over each other
MORE = 2.0  # so many times as far from float32 as bfloat16, which loses fewer gradients, is no longer rounding alone


def mixed(language: str) -> str:
    """The curves, a row for each way, and the sentence that follows from them."""
    runs = mixed_precision.recorded()
    losses = _lines(runs, lambda one: one.loss, language)
    lost = _lines(runs, lambda one: 100 * one.zeros, language)
    said = text(language, "mixed.curves", steps=number(language, len(runs["float32"])))
    share = text(language, "mixed.share")
    machine = text(language, "mixed.machine", machine=locales.machine(language, mixed_precision.machine()))
    rows = [[_name(way, language), *_cells(steps, language)] for way, steps in runs.items()]
    heads = [text(language, f"mixed.head.{one}") for one in ("loss", "zeros", "largest", "skipped")]
    ways = "".join(f"<p>{words(language, f'mixed.way.{one}')}</p>" for one in ("mixed", "scaled", "pure", "zeros"))
    return (
        f'<section class="pp-more-of-it"><h3>{words(language, "mixed.title")}</h3>{curves(losses, said, language)}'
        f'<p class="pp-soft pp-small">{escape(said)} {escape(machine)}</p>{curves(lost, share, language)}'
        f'<p class="pp-soft pp-small">{escape(share)}</p>{table(heads, rows)}'
        f'<p class="pp-meaning">{escape(concluded(runs, language))}</p>'
        f"<details><summary>{words(language, 'mixed.how')}</summary>{ways}</details></section>"
    )


def _lines(runs: Runs, value: Callable[[PrecisionStep], float], language: str) -> list[Line]:
    """A line for each way, as long as its loss is a number."""
    return [
        Line(
            _name(way, language),
            COLOURS[way],
            [(one.step, value(one)) for one in steps if math.isfinite(one.loss)],
            way in DASHED,
        )
        for way, steps in runs.items()
    ]


def _name(way: str, language: str) -> str:
    return text(language, f"mixed.{way}")


def _cells(steps: list[PrecisionStep], language: str) -> list[str]:
    """The last loss, the share of zeros, the largest gradient with the scale taken out again, and the steps left out."""
    last = steps[-1]
    broken = text(language, "mixed.nan", step=number(language, last.step - 1))
    return [
        number(language, last.loss, 3) if math.isfinite(last.loss) else broken,
        percent(language, 100 * zeros(steps)),
        significant(language, max(one.largest / one.scale for one in steps if math.isfinite(one.loss + one.largest)), 3),
        number(language, sum(one.skipped for one in steps)),
    ]


def zeros(steps: list[PrecisionStep]) -> float:
    """The mean share of gradients that are exactly 0, as long as the loss is a number."""
    return fmean(one.zeros for one in steps if math.isfinite(one.loss))


def concluded(runs: Runs, language: str) -> str:
    """How many gradients float16 loses, what scaling brings back and costs, and whether the loss shows any of it."""
    plain, half, scaled = (100 * zeros(runs[way]) for way in ("float32", "float16", "float16_scaled"))
    apart, other = (_apart(runs, way) for way in ("float16", "bfloat16"))
    values = {
        "lost": percent(language, half - plain), "left": percent(language, max(0.0, scaled - plain)),
        "apart": significant(language, apart), "other": significant(language, other),
    }  # fmt: skip
    said = [text(language, "mixed.lost", **values)]
    if skipped := sum(one.skipped for one in runs["float16_scaled"]):
        said.append(counted(language, "mixed.skipped", skipped))
    said.append(text(language, "mixed.seen" if apart > MORE * other else "mixed.unseen", **values))
    pure = runs["float16_pure"][-1]
    if not math.isfinite(pure.loss):
        said.append(text(language, "mixed.pure_ends", step=number(language, pure.step)))
    return " ".join(said)


def _apart(runs: Runs, way: str) -> float:
    """How far the loss goes from that in float32, in nats."""
    return max(abs(one.loss - other.loss) for one, other in zip(runs["float32"], runs[way], strict=True))
