"""
Activations as HTML: the ranges of a layer, the features that a threshold keeps out of int8, the map over all layers; and
what each of them shows in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from playground import locales
from playground.formats.calibration import OUTLIER, Mixed
from playground.locales import number, significant
from playground.plots.kit.figures import figure, share
from playground.plots.kit.pieces import captioned
from playground.plots.quantize import activations as plots
from playground.plots.quantize.names import path_name
from playground.ui.compare.tokens_html import VISIBLE_SPACES
from playground.ui.kit.html import alike, counted, words
from playground.ui.kit.sections import soft
from playground.ui.quantize.pieces import said

if TYPE_CHECKING:
    import numpy as np

    from playground.actions.quantize import Found, Outside
    from playground.quantize.activations import Cell


MOSTLY = 0.5  # of the numbers become 0: SQNR hides that
MASSIVE = 100.0, 1000.0  # Sun et al. 2024, section 2: as large, and as many times the median
GAIN = 1.05  # times less error, from which on there is one to speak of


def result(found: Found, language: str) -> str:
    """How large the numbers are, and what each range for them costs."""
    clips = {one.method: one.clip for one in found.ranges if one.static}
    title = locales.text(language, "calibration.sizes.title")
    return (
        said(_about(found, language), live=False)
        + captioned(title, plots.sizes(found.sizes, clips, language))
        + plots.ranges(found.ranges, language)
        + said(_compared(found, language), live=False)
    )


def outside(found: Outside, language: str) -> str:
    """Feature by feature beside the weights, and the product with and without the outliers in int8."""
    mixed = found.mixed
    stored = soft(language, "stored.q4_1") if found.embedded else ""
    return (
        plots.features(found.largest, found.weights, found.threshold, language)
        + said([_flat(found, language), *_kept_out(found, language)], live=False)
        + plots.products(mixed.plain, mixed.mixed, language)
        + stored
    )


def network(cells: Sequence[Cell], chosen: str, language: str) -> str:
    """The map, the `chosen` module marked."""
    return plots.network(cells, chosen, language) + said(_network(cells, language), live=False)


# A layer


def _about(found: Found, language: str) -> list[str]:
    """How large, where, and how that compares with the rest."""
    peak = found.peak
    sentences = [
        words(
            language, "calibration.said.peak", name=path_name(language, found.module),
            largest=figure(language, peak.value), median=figure(language, found.median),
            times=_two_figures(language, _times(peak.value, found.median)), feature=number(language, peak.feature),
            token=peak.token.translate(VISIBLE_SPACES),
        )
    ]  # fmt: skip
    large, times = MASSIVE
    if peak.value > large and peak.value > times * found.median:
        sentences.append(words(language, "calibration.said.massive" if peak.always else "calibration.said.massive_here"))
    return sentences


def _compared(found: Found, language: str) -> list[str]:
    """What the ranges cost on the test prompt."""
    by = {one.method: one for one in found.ranges}
    largest, clipped, token = by["min_max"], by["percentile"], by["dynamic_token"]
    values = {"percentile": figure(language, clipped.rmse), "min_max": figure(language, largest.rmse)}
    key = "calibration.said.clip_worse" if clipped.rmse > largest.rmse else "calibration.said.clip_better"
    sentences = [
        words(language, "calibration.said.zeros", zeros=share(language, largest.zeros), token=share(language, token.zeros)),
        words(language, key, **values),
    ]
    if largest.zeros > MOSTLY:
        sentences.append(words(language, "calibration.said.sqnr"))
    return sentences


# Outliers


def _flat(found: Outside, language: str) -> str:
    """That the weights are spread less than what they are multiplied with, or that they are not."""
    spread, flatter = _spread(found.largest), _spread(found.weights)
    key = "calibration.said.weights" if spread > flatter else "calibration.said.weights_as_far"
    return words(language, key, largest=_two_figures(language, spread), weights=_two_figures(language, flatter))


def _kept_out(found: Outside, language: str) -> list[str]:
    """Which features reach the threshold, and what keeping them in float brings."""
    values = {"threshold": significant(language, found.threshold), "features": number(language, len(found.largest))}
    rule = words(language, "calibration.said.rule")
    if not found.outliers:
        return [words(language, "calibration.said.no_outliers", **values), rule]
    from playground.quantize.activations import COMMON

    top, common = found.outliers[0], sum(one.share >= COMMON for one in found.outliers)
    reached = counted(
        language, "calibration.said.outliers", len(found.outliers),
        top=number(language, top.feature), largest=figure(language, top.largest), **values,
    )  # fmt: skip
    again = _common(common, len(found.outliers), values["threshold"], language)
    return [f"{reached} {again}", rule, _gained(found.mixed, language)]


def _common(common: int, reached: int, threshold: str, language: str) -> str:
    """How many of those that reach the threshold do so again and again."""
    if reached == 1:
        return words(
            language, "calibration.said.alone_common" if common else "calibration.said.alone_rare", threshold=threshold
        )
    if common == reached:
        return words(language, "calibration.said.common_all", threshold=threshold)
    return counted(language, "calibration.said.common", common, threshold=threshold)


def _gained(mixed: Mixed, language: str) -> str:
    """What the outliers in float bring for the product."""
    plain, left = mixed.plain.rmse, mixed.mixed.rmse
    values = {
        "plain": figure(language, plain), "mixed": figure(language, left),
        "share": locales.percent(language, 100 * mixed.float_share),
    }  # fmt: skip
    if not left or plain < GAIN * left:
        return words(language, "calibration.said.mixed_no_gain", **values)
    return words(language, "calibration.said.mixed", times=_two_figures(language, plain / left), **values)


def _spread(sizes: np.ndarray) -> float:
    """How many times the middle column's size the largest one has."""
    return _times(float(sizes.max()), float(sorted(sizes.tolist())[len(sizes) // 2]))


def _times(large: float, small: float) -> float:
    return large / (small or 1.0)


def _two_figures(language: str, times: float) -> str:
    """49,000, 3.4."""
    return significant(language, float(f"{times:.2g}"))


# The map


def _network(cells: Sequence[Cell], language: str) -> list[str]:
    """Where the largest number is, and whether one feature stands out in layer after layer."""
    from playground.quantize.activations import systematic

    largest = figure(language, max(cell.largest for cell in cells))  # q, k and v of a block read the same
    names = alike([path_name(language, cell.module) for cell in cells if figure(language, cell.largest) == largest])
    sentences = [
        counted(
            language, "calibration.said.network", sum(cell.largest >= OUTLIER for cell in cells),
            names=names, largest=largest, modules=number(language, len(cells)),
        )
    ]  # fmt: skip
    found = systematic(cells)
    if not found:
        return [*sentences, words(language, "calibration.said.not_systematic")]
    (_, feature), layers = next(iter(found.items()))
    kinds = ", ".join(kind for kind, one in found if one == feature)
    values = {"feature": number(language, feature), "count": layers, "all": len({cell.layer for cell in cells})}
    return [*sentences, words(language, "calibration.said.systematic", kinds=kinds, **values)]
