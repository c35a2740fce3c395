"""
One tensor as HTML: which numbers these are, what each drawing shows in words, and the drawings below them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playground import locales
from playground.actions.tensor import MODULE, Taken
from playground.formats.calibration import OUTLIER
from playground.locales import number
from playground.plots.kit.figures import decibels, figure
from playground.plots.quantize import tensor as plots
from playground.plots.quantize.names import format_name, path_name
from playground.quantize.tensor import STOPS, Damage, Report
from playground.ui.kit.html import counted, words
from playground.ui.quantize.pieces import said


def stop_names(language: str, stop: int) -> str:
    """What the granularity slider can stop at, the present one marked."""
    names = [number(language, one) if isinstance(one, int) else words(language, f"tensor.stop.{one}") for one in STOPS]
    marked = (f"<b>{name}</b>" if place == stop else f"<span>{name}</span>" for place, name in enumerate(names))
    return f'<div class="pp-stops" aria-hidden="true">{"".join(marked)}</div>'


def about(report: Report, taken: Taken, source: str, language: str) -> str:
    """Which numbers these are and how far they reach; what they went through before."""
    return said([_numbers(report, source, taken.module, language), *origin(taken.stored, language)])


def histogram(report: Report, grid: str, logarithmic: bool, language: str) -> str:
    drawing = plots.weights(report, grid, logarithmic, language)
    return _chart(language, "tensor.weights.title", _lines(report, grid, language), drawing)


def errors(report: Report, formats: Sequence[str], logarithmic: bool, language: str) -> str:
    """The errors of all formats in one drawing."""
    return _chart(language, "tensor.errors.title", "", plots.overlaid(report, formats, logarithmic, language))


def worth(report: Report, formats: Sequence[str], language: str) -> str:
    """What to see in it."""
    return f'<p class="pp-conclusion" role="status">{_worth(report, formats, language)}</p>'


def table(report: Report, formats: Sequence[str], language: str) -> str:
    """All figures, and each format's errors in a drawing of its own."""
    return plots.table(report, formats, language) + _note(report, language) + plots.multiples(report, formats, language)


def rates(report: Report, formats: Sequence[str], language: str) -> str:
    drawing = plots.against_bits(report, formats, language)
    return _chart(language, "tensor.rates.title", _six_db(report, language), drawing)


def _titled(language: str, key: str, sentence: str) -> str:
    return f'<p class="pp-caption"><b>{words(language, key)}</b> {sentence}</p>'


def _chart(language: str, key: str, sentence: str, drawing: str) -> str:
    return f'<figure class="pp-drawn pp-tensor">{_titled(language, key, sentence)}{drawing}</figure>'


# Sentences


def sides(shape: Sequence[int], language: str) -> str:
    return " × ".join(number(language, side) for side in shape)


def _numbers(report: Report, source: str, module: str, language: str) -> str:
    """Which numbers these are, how many, and how far they reach."""
    name = path_name(language, module) if source == MODULE else locales.text(language, f"tensor.source.{source}")
    sentence = words(
        language, "tensor.about", name=name, shape=sides(report.shape, language),
        rms=figure(language, report.rms), largest=figure(language, report.largest),
        crest=number(language, report.crest, 1),
    )  # fmt: skip
    if len(report.shape) > 1 and report.rows < report.shape[0]:
        rows, every = (number(language, one) for one in (report.rows, report.shape[0]))
        sentence += " " + words(language, "tensor.sampled", rows=rows, all=every)
    return sentence


def origin(stored: str, language: str) -> list[str]:
    """What the embedded base's weights went through before they were expanded."""
    if stored == "q4_1":
        return [words(language, "stored.q4_1")]
    return [words(language, f"tensor.stored.{stored}")] if stored else []


def _lines(report: Report, grid: str, language: str) -> str:
    """What the lines over the weights are."""
    outcome = report.outcome(grid)
    values = {"format": format_name(language, grid), "levels": number(language, outcome.levels)}
    if not outcome.grid:
        return words(language, "tensor.grid.dense", **values)
    block = number(language, outcome.layout.block)
    return words(language, f"tensor.grid.{outcome.layout.granularity}", block=block, **values)


def damage(report: Report, language: str) -> list[str]:
    """What outliers do to the others, and what LLM.int8()'s threshold would."""
    found = report.damage
    values = {key: _kept(language, getattr(found, key)) for key in ("before", "tensor", "channel", "block", "mixed")}
    counts = {
        "all": number(language, found.all_columns), "crest": number(language, report.crest, 1),
        "threshold": number(language, OUTLIER, 1),
    }  # fmt: skip
    return [
        counted(language, "tensor.damage", found.outliers, **values, **counts)
        if found.outliers
        else words(language, "tensor.no_damage", **values, **counts),
        _threshold(found, values | counts, language),
    ]


def _threshold(found: Damage, values: Mapping[str, str], language: str) -> str:
    """How many columns LLM.int8() would leave out of int8."""
    if found.mixed is not None and found.columns:
        return counted(language, "tensor.threshold.some", found.columns, **values)
    if found.columns:
        return counted(language, "tensor.threshold.all", found.all_columns, **values)
    return counted(language, "tensor.threshold.none", found.all_columns, **values)


def _kept(language: str, sqnr: float | None) -> str:
    """A ratio in a sentence, which says what infinity means."""
    return locales.text(language, "tensor.nothing_lost") if sqnr is None else decibels(language, sqnr)


def _worth(report: Report, formats: Sequence[str], language: str) -> str:
    """The formats that no other one beats."""
    best = [
        locales.text(
            language, "tensor.worth.one", format=format_name(language, one.format),
            bits=locales.trimmed(language, one.bits_per_parameter), rate=decibels(language, one.sqnr_db),
        )
        for one in report.worth(formats)
    ]  # fmt: skip
    return words(language, "tensor.worth", formats=", ".join(best))


def _note(report: Report, language: str) -> str:
    """What the columns mean; where there are outliers, that they are part of the signal."""
    sentence = words(language, "tensor.table.help")
    if report.damage.outliers:
        sentence += " " + words(language, "tensor.table.outliers")
    return f'<p class="pp-soft pp-small">{sentence}</p>'


def _six_db(report: Report, language: str) -> str:
    """Where the 6.02 dB line lies for this tensor, and why."""
    constant = number(language, abs(report.line), 1)
    sign = "−" if report.line < 0 else "+"
    return words(
        language, "tensor.rates.line", sign=sign, constant=constant, crest=number(language, report.crest, 1),
        slope=number(language, 6.02, 2), start=number(language, 4.77, 2),
    )  # fmt: skip
