"""
Activations: what a layer reads of a few prompts, ranges for it, and the few features that are far larger than the rest.

Opening the tab draws nothing itself: it asks for what a button would. A base from the hub loads where it was asked for, so
that a download holds up nobody else; the forward passes run in the lab's lane, one prompt after the other, so that other
lanes have their turns between. Knows nothing about how activations are had.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions import catalogue
from playground.actions.quantize import _outside, find
from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.locales import number, significant
from playground.model.bases import BASES
from playground.model.catalogue import split_id
from playground.ui.compare.panes import VISIBLE_SPACES
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import words
from playground.ui.kit.sections import OldSection, headed, old_follow, soft
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import straight_through
from playground.work.lanes import LAB
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    import numpy as np

    from playground.actions.quantize import Found, Outside
    from playground.formats.calibration import Mixed
    from playground.quantize.activations import Cell


PLACE = "calibration"  # of the session's runs
FORMATS = {"int8": "formats.int8", "int4": "formats.int4"}
CALIBRATE, TEST = (
    ("pirate", "act_as", "spanish", "sentiment"),
    "polite",
)  # shipped tasks whose first held-out prompts are read
THRESHOLD, LOWEST, HIGHEST = 6.0, 0.5, 60.0
MOSTLY = 0.5  # of the numbers become 0: SQNR hides that
MASSIVE = 100.0, 1000.0  # Sun et al. 2024, section 2: as large, and as many times the median
GAIN = 1.05  # times less error, from which on there is one to speak of


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> OldSection:
    """The cards and their events."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        make(html, headed("calibration.title", "calibration.lead"))
        with gr.Row(elem_classes="pp-lab"):
            seen, test, module, format, go = _controls(wording)
            with gr.Column(min_width=0):
                notice = html("", elem_id="calibration-notice")
                result = html("", elem_id="calibration-result")
    with gr.Column(elem_classes="pp-card"):
        make(html, headed("calibration.outliers.title", "calibration.outliers.lead"))
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                threshold = make(
                    gr.Slider, {"label": "calibration.threshold", "info": "calibration.threshold.help"},
                    minimum=LOWEST, maximum=HIGHEST, step=0.5, value=THRESHOLD, elem_id="calibration-threshold",
                )  # fmt: skip
                make(html, {"value": lambda lang: soft(lang, "calibration.paper")})
            with gr.Column(min_width=0):
                outside = html("", elem_id="calibration-outliers")
    with gr.Column(elem_classes="pp-card"):
        make(html, headed("calibration.network.title", "calibration.network.lead"))
        network = html("", elem_id="calibration-network")
    asked = gr.Textbox(visible=False)  # changes when the section is to be drawn: at its opening, and with the base
    trained = straight_through.build(wording, language)

    given = [base, seen, test, module, format, threshold]
    shown = [notice, module, result, outside, network]
    gr.on(
        [asked.change, go.click, module.input, format.input], show, [visitor, language, *given], shown,
        trigger_mode="multiple", **STREAM,
    )  # fmt: skip
    threshold.input(
        decompose, [language, base, seen, test, module, threshold], outside,
        trigger_mode="always_last", **{**STREAM, "concurrency_limit": 2},
    )  # fmt: skip
    base.change(lambda before: str(time.time()) if before else gr.skip(), asked, asked, **HIDDEN)

    def draw(lang: str, steps: int) -> list[Any]:
        return [str(time.time()), note(lang, "calibration.opening"), *straight_through.draw(lang, steps)]

    return OldSection(trained.inputs, [asked, notice, *trained.shown], draw)


def _controls(wording: Wording) -> list[Any]:
    """Prompts to calibrate on, one to test on, the module, the format and the button."""
    make, (*prompts, last) = wording.make, [tasks.task(task).held_out[0].prompt for task in (*CALIBRATE, TEST)]
    with gr.Column(min_width=0):
        seen = make(
            gr.Textbox, {"label": "calibration.prompts", "info": "calibration.prompts.help"},
            value="\n".join(prompts), lines=4, max_lines=9, elem_id="calibration-prompts",
        )  # fmt: skip
        test = make(
            gr.Textbox, {"label": "calibration.test", "info": "calibration.test.help"}, value=last, lines=1,
            max_lines=4, elem_id="calibration-test",
        )  # fmt: skip
        module = make(
            gr.Dropdown, {"label": "calibration.module", "info": "calibration.module.help"}, choices=[],
            elem_id="calibration-module",
        )  # fmt: skip
        format = make(
            gr.Radio,
            {"label": "calibration.format", "choices": _formats}, value="int8", elem_id="calibration-format",
        )  # fmt: skip
        go = make(gr.Button, {"value": "calibration.go"}, variant="primary", elem_id="calibration-go", elem_classes="pp-go")
    return [seen, test, module, format, go]


def _formats(language: str) -> list[tuple[str, str]]:
    return [(locales.text(language, key), format) for format, key in FORMATS.items()]


# Handlers


def show(
    key: str, language: str, base_id: str, seen: str, test: str, module: str | None, format: str, threshold: float
) -> Iterator[list[Any]]:
    """[notice, module, ranges, outliers, map] once the base has read the prompts."""
    nothing = [gr.skip()] * 4
    loading = note(language, "calibration.loading")
    try:
        spec = split_id(base_id)[0]
        prompts = read_from(seen, test)
        waits = not BASES.is_loaded(spec.id)
        if waits:
            yield [loading, *nothing]
        catalogue.have(spec.id)
        run = SESSIONS.submit(key, LAB, lambda stopped: find(spec.id, prompts, module, format, threshold), place=PLACE)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), *nothing]
        return
    for said, drawn in old_follow(run, language, lambda found: drawings(found, language) if found else nothing):
        waits = waits and not run.events and not run.ended
        yield [loading if waits else said, *(drawn if isinstance(drawn, list) else nothing)]


def decompose(language: str, base_id: str, seen: str, test: str, module: str | None, threshold: float) -> Any:
    """The outliers' card for another threshold: what was read is remembered, so this takes a moment."""
    try:
        spec = split_id(base_id)[0]
        if not module or not BASES.is_loaded(spec.id):
            return gr.skip()
        return outside_html(_outside(spec.id, read_from(seen, test), module, threshold), language)
    except PlaygroundError as error:
        return alarm(error.message(language))


def lines(prompts: str) -> list[str]:
    """One prompt a line; empty lines are none."""
    return [line.strip() for line in (prompts or "").splitlines() if line.strip()]


def read_from(seen: str, test: str) -> list[str]:
    """The prompts to calibrate on and, last, the one to test on. Raises PlaygroundError as `activations.check`."""
    from playground.quantize import activations

    prompts, last = lines(seen), [(test or "").strip()]
    activations.check(prompts, more=1)
    activations.check(last)
    return prompts + last


# Pieces


def drawings(found: Found, language: str) -> list[Any]:
    """[module, ranges, outliers, map]."""
    from playground.plots.quantize import activations as plots

    choices = [(_name(module, language), module) for module in found.modules]
    clips = {one.method: one.clip for one in found.ranges if one.static}
    title, sizes = words(language, "calibration.sizes.title"), plots.sizes(found.sizes, clips, language)
    result = (
        _sentences(_about(found, language))
        + f'<figure class="pp-drawn"><figcaption><b>{title}</b></figcaption>{sizes}</figure>'
        + plots.ranges(found.ranges, language)
        + _sentences(_compared(found, language))
    )
    network = plots.network(found.cells, found.module, language) + _sentences(_network(found.cells, language))
    return [gr.update(choices=choices, value=found.module), result, outside_html(found.outside, language), network]


def outside_html(found: Outside, language: str) -> str:
    from playground.plots.quantize import activations as plots

    said, mixed = [], found.mixed
    values = {"threshold": significant(language, found.threshold), "features": number(language, len(found.largest))}
    if found.outliers:
        from playground.quantize.activations import COMMON

        top, common = found.outliers[0], sum(one.share >= COMMON for one in found.outliers)
        said.append(
            words(
                language, "calibration.said.outliers", count=number(language, len(found.outliers)),
                top=number(language, top.feature), largest=significant(language, top.largest, 3),
                common=number(language, common), **values,
            )
        )  # fmt: skip
        said.append(_gained(mixed, language))
    else:
        said.append(words(language, "calibration.said.no_outliers", **values))
    spread, flatter = _spread(found.largest), _spread(found.weights)
    key = "calibration.said.weights" if spread > flatter else "calibration.said.weights_as_far"
    flat = words(language, key, largest=_two_figures(language, spread), weights=_two_figures(language, flatter))
    stored = soft(language, "formats.q4_1") if found.embedded else ""
    return (
        plots.features(found.largest, found.weights, found.threshold, language)
        + _sentences([flat, *said])
        + plots.products(mixed.plain, mixed.mixed, language)
        + stored
    )


def _gained(mixed: Mixed, language: str) -> str:
    """What the outliers in float bring for the product."""
    plain, left = mixed.plain.rmse, mixed.mixed.rmse
    values = {
        "plain": significant(language, plain), "mixed": significant(language, left),
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


def _name(module: str, language: str) -> str:
    from playground.model.modules import kind_of, layer_of
    from playground.plots.quantize.activations import named

    return named(kind_of(module), layer_of(module), language)


def _sentences(sentences: Sequence[str]) -> str:
    return f'<div class="pp-said">{"".join(f"<p>{sentence}</p>" for sentence in sentences)}</div>'


def _about(found: Found, language: str) -> list[str]:
    """How large, where, and how that compares with the rest."""
    peak = found.peak
    said = [
        words(
            language, "calibration.said.peak", name=_name(found.module, language),
            largest=significant(language, peak.value, 3), median=significant(language, found.median),
            times=_two_figures(language, _times(peak.value, found.median)), feature=number(language, peak.feature),
            token=peak.token.translate(VISIBLE_SPACES),
        )
    ]  # fmt: skip
    large, times = MASSIVE
    if peak.value > large and peak.value > times * found.median:
        said.append(words(language, "calibration.said.massive" if peak.always else "calibration.said.massive_here"))
    return said


def _compared(found: Found, language: str) -> list[str]:
    """What the ranges cost on the test prompt."""
    from playground.plots.kit.figures import share

    by = {one.method: one for one in found.ranges}
    largest, clipped, token = by["min_max"], by["percentile"], by["dynamic_token"]
    values = {"percentile": significant(language, clipped.rmse), "min_max": significant(language, largest.rmse)}
    key = "calibration.said.clip_worse" if clipped.rmse > largest.rmse else "calibration.said.clip_better"
    said = [
        words(language, "calibration.said.zeros", zeros=share(language, largest.zeros), token=share(language, token.zeros)),
        words(language, key, **values),
    ]
    if largest.zeros > MOSTLY:
        said.append(words(language, "calibration.said.sqnr"))
    return said


def _network(cells: Sequence[Cell], language: str) -> list[str]:
    from playground.quantize.activations import OUTLIER, systematic

    top = max(cells, key=lambda cell: cell.largest)
    said = [
        words(
            language, "calibration.said.network", name=_name(top.module, language),
            largest=significant(language, top.largest, 3), modules=number(language, len(cells)),
            count=number(language, sum(cell.largest >= OUTLIER for cell in cells)),
        )
    ]  # fmt: skip
    found = systematic(cells)
    if not found:
        return [*said, words(language, "calibration.said.not_systematic")]
    (_, feature), layers = next(iter(found.items()))
    kinds = ", ".join(kind for kind, one in found if one == feature)
    values = {"feature": number(language, feature), "layers": layers, "all": len({cell.layer for cell in cells})}
    return [*said, words(language, "calibration.said.systematic", kinds=kinds, **values)]
