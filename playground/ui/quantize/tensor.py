"""
One tensor of the quantization lab: its weights, what every format makes of them, and what outliers do.

Controls on the left, drawings on the right; all of them are drawn anew by every control. Everything is empty until
`Section.draw` is called, so building the page computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.errors import PlaygroundError
from playground.formats.calibration import OUTLIER
from playground.formats.distributions import DISTRIBUTIONS
from playground.formats.registry import FORMATS
from playground.locales import number
from playground.model.bases import BASES
from playground.model.catalogue import CATALOGUE, split_id
from playground.plots.kit.figures import decibels, figure
from playground.plots.quantize import tensor as plots
from playground.quantize import sources, tensor
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.html import words
from playground.ui.kit.sections import OldSection, headed, soft
from playground.ui.kit.wording import Wording, html

if TYPE_CHECKING:
    from playground.model.bases import Base
    from playground.quantize.sources import Numbers
    from playground.quantize.tensor import Report


MODULE, OWN = "module", "own"
SOURCES = (MODULE, *DISTRIBUTIONS, OWN)
COMPARED, GRID = ["int8", "int4", "nf4", "fp4"], "int4"  # at first: their errors are of one size
STOP = tensor.STOP.default
SHARE, SIZE = 0.0, 30.0  # percent, root mean squares
NUMBERS = "0.12 -0.4 0.622 -0.05 0.31 -0.27 0.08 -0.9 0.44 -0.13 0.02 -0.35 0.71 -0.66 0.19 -0.21"
TYPED = 20_000  # characters; more comes as a file
ELSEWHERE = ("embedding", "norm", "normal")  # what never was in 4 bits


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> OldSection:
    """The card and its events."""
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed("tensor.title", "tensor.lead"))
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                source, groups, taken, elsewhere = _sources(wording)
                stop, stops, zero_point = _granularity(wording)
                outliers = _outliers(wording)
                shown_as = _formats(wording)
            with gr.Column(min_width=0):
                notice, said = html("", elem_id="tensor-notice"), html("", elem_id="tensor-said")
                histogram, errors = html("", elem_id="tensor-histogram"), html("", elem_id="tensor-errors")
                table, rates = html("", elem_id="tensor-table"), html("", elem_id="tensor-rates")
    used, module, _, file, _ = taken
    controls = [source, *taken, stop, zero_point, *outliers, *shown_as]
    results = [stops, notice, said, histogram, errors, table, rates]
    inputs = [language, *controls]
    moved: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    redrawn = [one for one in controls if one not in (source, used, file)]
    gr.on([one.input for one in redrawn], redraw, inputs, results, **moved)
    gr.on([file.upload, file.clear], redraw, inputs, results, **HIDDEN)
    source.input(lambda *given: [*visible(given[1]), *redraw(*given)], inputs, [*groups, *results], **moved)
    used.input(choose_base, inputs, [module, *results], **HIDDEN)
    base.change(lambda lang, chosen, now: base_choices(chosen, now), [language, base, used], used, **HIDDEN)
    for what, chip in elsewhere.items():
        chip.click(partial(go_to, what), inputs, [source, module, *groups, *results], **HIDDEN)
    return OldSection([base, *controls], [used, module, *results], draw)


def _sources(wording: Wording) -> tuple[gr.Radio, list[gr.Column], list[Any], dict[str, gr.Button]]:
    """Where the numbers come from; its groups in the order of `visible`; [base, module, text, file, seed]; the chips."""
    make = wording.make

    def sources(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"tensor.source.{one}"), one) for one in SOURCES]

    source = make(gr.Radio, {"label": "tensor.source", "choices": sources}, value=MODULE, elem_id="tensor-source")
    with gr.Column(min_width=0) as modules:
        base = make(gr.Dropdown, {"label": "tensor.base"}, choices=[], elem_id="tensor-base")
        module = make(
            gr.Dropdown, {"label": "tensor.module", "info": "tensor.module.help"}, choices=[], elem_id="tensor-module"
        )
        make(html, {"value": lambda lang: soft(lang, "tensor.elsewhere")})
        with gr.Row(elem_classes="pp-chips"):
            elsewhere = {
                what: make(
                    gr.Button, {"value": f"tensor.elsewhere.{what}"}, size="sm", elem_classes="chip",
                    elem_id=f"tensor-to-{what}",
                )
                for what in ELSEWHERE
            }  # fmt: skip
    with gr.Column(min_width=0, visible=False) as own:
        text = make(
            gr.Textbox, {"label": "tensor.numbers", "info": "tensor.numbers.help"}, value=NUMBERS, lines=3, max_lines=6,
            max_length=TYPED, elem_id="tensor-numbers",
        )  # fmt: skip
        file = make(
            gr.File, {"label": "tensor.file"}, file_types=[".csv", ".txt", ".tsv"], type="filepath", height=110,
            elem_id="tensor-file",
        )  # fmt: skip
    with gr.Column(min_width=0, visible=False) as seeds:
        seed = make(gr.Slider, {"label": "tensor.seed"}, minimum=0, maximum=100, step=1, value=0, elem_id="tensor-seed")
    return source, [modules, own, seeds], [base, module, text, file, seed], elsewhere


def _granularity(wording: Wording) -> tuple[gr.Slider, gr.HTML, gr.Checkbox]:
    make = wording.make
    with gr.Column(min_width=0, elem_classes="pp-stopped"):
        stop = make(
            gr.Slider, {"label": "tensor.granularity"}, minimum=0, maximum=len(tensor.STOPS) - 1, step=1, value=STOP,
            elem_id="tensor-granularity",
        )  # fmt: skip
        stops = make(html, {"value": lambda lang: stop_names(lang, STOP)}, elem_id="tensor-stops")
    zero_point = make(
        gr.Checkbox, {"label": "tensor.zero_point", "info": "tensor.zero_point.help"}, value=False,
        elem_id="tensor-zero-point",
    )  # fmt: skip
    return stop, stops, zero_point


def _outliers(wording: Wording) -> list[Any]:
    """[share, size, whole columns]."""
    bounds = (("outliers", 1.0, 0.01, SHARE), ("size", 100.0, 1.0, SIZE))
    sliders = [
        wording.make(
            gr.Slider, {"label": f"tensor.{name}"}, minimum=0.0, maximum=most, step=step, value=value,
            elem_id=f"tensor-{name}",
        )
        for name, most, step, value in bounds
    ]  # fmt: skip
    columns = wording.make(
        gr.Checkbox, {"label": "tensor.columns", "info": "tensor.columns.help"}, value=False, elem_id="tensor-columns"
    )
    return [*sliders, columns]


def _formats(wording: Wording) -> list[Any]:
    """[formats to compare, the one whose grid is drawn, whether counts are logarithmic]."""

    def formats(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"formats.{one}"), one) for one in FORMATS]

    make = wording.make
    return [
        make(gr.CheckboxGroup, {"label": "tensor.formats", "choices": formats}, value=COMPARED, elem_id="tensor-formats"),
        make(gr.Dropdown, {"label": "tensor.grid", "choices": formats}, value=GRID, elem_id="tensor-grid"),
        make(gr.Checkbox, {"label": "tensor.logarithmic"}, value=True, elem_id="tensor-logarithmic"),
    ]


# Handlers


def draw(language: str, chosen: str, *controls: Any) -> list[Any]:
    """[base, module, *results] when the tab is opened: the chosen base, and the module in its middle."""
    source, _, _, *rest = controls
    used = ""
    try:
        used = split_id(chosen)[0].id
        base = BASES.get(used)
        module = sources.default_module(base)
        choices = gr.update(choices=module_choices(base, language), value=module)
    except PlaygroundError as error:
        return [base_choices(chosen, used) if used else gr.skip(), gr.skip(), *refused(error, language)]
    return [base_choices(chosen, used), choices, *redraw(language, source, used, module, *rest)]


def choose_base(language: str, source: str, used: str, module: str, *rest: Any) -> list[Any]:
    """[module, *results] on another base: the same module if it has it."""
    try:
        base = BASES.get(used)
        module = module if module in sources.modules(base) else sources.default_module(base)
        choices = gr.update(choices=module_choices(base, language), value=module)
    except PlaygroundError as error:
        return [gr.skip(), *refused(error, language)]
    return [choices, *redraw(language, source, used, module, *rest)]


def go_to(what: str, language: str, source: str, used: str, module: str, *rest: Any) -> list[Any]:
    """[source, module, *groups, *results] for something that never was in 4 bits."""
    source = what if what in DISTRIBUTIONS else MODULE
    try:
        if source == MODULE:
            base = BASES.get(used)
            embedding = base.model.get_input_embeddings()
            outside = [one for one in sources.modules(base) if not any(part.isdigit() for part in one.split("."))]
            if what == "embedding":
                wanted = [one for one in outside if base.model.get_submodule(one) is embedding]
            else:  # an output head of its own is no norm
                wanted = [one for one in outside if len(sources.shape_of(base, one)) == 1]
            module = wanted[-1] if wanted else module
    except PlaygroundError as error:
        return [gr.skip(), gr.skip(), *[gr.skip()] * 3, *refused(error, language)]
    return [source, module, *visible(source), *redraw(language, source, used, module, *rest)]


def redraw(
    language: str, source: str, used: str | None, module: str | None, text: str, file: str | None, seed: int, stop: int,
    zero_point: bool, share: float, size: float, columns: bool, formats: list[str], grid: str, logarithmic: bool,
) -> list[Any]:  # fmt: skip
    """[stops, notice, said, histogram, errors, table, rates]; what is wrong is said, and the last drawing stays."""
    if source == MODULE and not used:  # moved before the first drawing, which chooses a base
        return [gr.skip()] * 7
    try:
        numbers, module, stored = read(source, used, module, text, file, seed)
        share = share / 100 if isinstance(share, int | float) else share
        numbers = sources.with_outliers(numbers, share, size, columns)
        if not formats:
            raise PlaygroundError("no_formats")
        formats = [one.id for one in tensor.chosen(formats)]
        report = tensor.report(numbers, [*formats, grid], tensor.layout_at(stop, zero_point))
    except PlaygroundError as error:
        return refused(error, language)
    return [
        stop_names(language, stop),
        "",
        sentences([about(report, source, module, language), *origin(stored, language)]),
        chart(
            language,
            "tensor.weights.title",
            lines(report, grid, language),
            plots.weights(report, grid, logarithmic, language),
        ),
        chart(language, "tensor.errors.title", "", plots.overlaid(report, formats, logarithmic, language))
        + sentences([*damage(report, language)])
        + plots.multiples(report, formats, language),
        titled(language, "tensor.table.title", worth(report, formats, language))
        + plots.table(report, formats, language)
        + note(language, report),
        chart(language, "tensor.rates.title", line(report, language), plots.against_bits(report, formats, language)),
    ]


def refused(error: PlaygroundError, language: str) -> list[Any]:
    return [gr.skip(), alarm(error.message(language)), *[gr.skip()] * 5]


def read(
    source: str, used: str | None, module: str | None, text: str, file: str | None, seed: int
) -> tuple[Numbers, str, str]:
    """The numbers that are asked for, of which module, and how the base had stored them. Raises PlaygroundError."""
    if source == OWN:
        return sources.own_numbers(text or "", file), "", ""
    if source != MODULE:
        return sources.drawn(source, seed), "", ""
    base = BASES.get(used or "")
    module = module or sources.default_module(base)
    return sources.module_weight(base, module), module, sources.stored_in(base, module)


def visible(source: str) -> list[Any]:
    """Which controls a source needs: [modules, own numbers, seed]."""
    return [gr.update(visible=wanted) for wanted in (source == MODULE, source == OWN, source in DISTRIBUTIONS)]


def base_choices(chosen: str, now: str | None) -> Any:
    """The loaded bases in their plain form, the chosen one and the one that is shown."""
    listed = [spec for spec in CATALOGUE.values() if BASES.is_loaded(spec.id) or spec.id in (split_id(chosen)[0].id, now)]
    return gr.update(choices=[(spec.name, spec.id) for spec in listed], value=now)


def module_choices(base: Base, language: str) -> list[tuple[str, str]]:
    return [
        (f"{module_name(one, language)} · {sides(sources.shape_of(base, one), language)}", one)
        for one in sources.modules(base)
    ]


# Pieces


def module_name(module: str, language: str) -> str:
    from playground.model.modules import kind_of, layer_of

    layer = layer_of(module)
    if layer is None:
        return kind_of(module)
    return locales.text(language, "lowrank.module", layer=number(language, layer), kind=kind_of(module))


def sides(shape: Sequence[int], language: str) -> str:
    return " × ".join(number(language, side) for side in shape)


def stop_names(language: str, stop: int) -> str:
    """What the granularity slider can stop at, the present one marked."""
    names = [
        number(language, one) if isinstance(one, int) else words(language, f"tensor.stop.{one}") for one in tensor.STOPS
    ]
    marked = (f"<b>{name}</b>" if place == stop else f"<span>{name}</span>" for place, name in enumerate(names))
    return f'<div class="pp-stops" aria-hidden="true">{"".join(marked)}</div>'


def sentences(said: Sequence[str]) -> str:
    return f'<div class="pp-said" role="status">{"".join(f"<p>{sentence}</p>" for sentence in said)}</div>'


def titled(language: str, key: str, said: str) -> str:
    return f'<p class="pp-caption"><b>{words(language, key)}</b> {said}</p>'


def chart(language: str, key: str, said: str, drawing: str) -> str:
    return f'<figure class="pp-drawn pp-tensor">{titled(language, key, said)}{drawing}</figure>'


def about(report: Report, source: str, module: str, language: str) -> str:
    """Which numbers these are, how many, and how far they reach."""
    name = module_name(module, language) if source == MODULE else locales.text(language, f"tensor.source.{source}")
    said = words(
        language, "tensor.about", name=name, shape=sides(report.shape, language),
        rms=figure(language, report.rms), largest=figure(language, report.largest),
        crest=number(language, report.crest, 1),
    )  # fmt: skip
    if len(report.shape) > 1 and report.rows < report.shape[0]:
        rows, every = (number(language, one) for one in (report.rows, report.shape[0]))
        said += " " + words(language, "tensor.sampled", rows=rows, all=every)
    return said


def origin(stored: str, language: str) -> list[str]:
    """What the embedded base's weights went through before they were expanded."""
    if stored == "q4_1":
        return [words(language, "formats.q4_1")]
    return [words(language, f"tensor.stored.{stored}")] if stored else []


def lines(report: Report, grid: str, language: str) -> str:
    """What the lines over the weights are."""
    outcome = report.outcome(grid)
    values = {"format": locales.text(language, f"formats.{grid}"), "levels": number(language, outcome.levels)}
    if not outcome.grid:
        return words(language, "tensor.grid.dense", **values)
    block = number(language, outcome.layout.block)
    return words(language, f"tensor.grid.{outcome.layout.granularity}", block=block, **values)


def damage(report: Report, language: str) -> list[str]:
    """What outliers do to the others, and what LLM.int8()'s threshold would."""
    found = report.damage
    values = {key: decibels(language, getattr(found, key)) for key in ("before", "tensor", "channel", "block", "mixed")}
    counts = {
        "columns": number(language, found.columns), "all": number(language, found.all_columns),
        "count": number(language, found.outliers), "crest": number(language, report.crest, 1),
        "threshold": number(language, OUTLIER, 1),
    }  # fmt: skip
    kind = "none" if not found.columns else "all" if found.mixed is None else "some"
    return [
        words(language, "tensor.damage" if found.outliers else "tensor.no_damage", **values, **counts),
        words(language, f"tensor.threshold.{kind}", **values, **counts),
    ]


def worth(report: Report, formats: Sequence[str], language: str) -> str:
    """The formats that no other one beats."""
    best = [
        locales.text(
            language, "tensor.worth.one", format=locales.text(language, f"formats.{one.format}"),
            bits=locales.significant(language, one.bits_per_parameter, 3), rate=decibels(language, one.sqnr_db),
        )
        for one in report.worth(formats)
    ]  # fmt: skip
    return words(language, "tensor.worth", formats=", ".join(best))


def note(language: str, report: Report) -> str:
    """What the columns mean; where there are outliers, that they are part of the signal."""
    said = words(language, "tensor.table.help")
    if report.damage.outliers:
        said += " " + words(language, "tensor.table.outliers")
    return f'<p class="pp-soft pp-small">{said}</p>'


def line(report: Report, language: str) -> str:
    """Where the 6.02 dB line lies for this tensor, and why."""
    constant = number(language, abs(report.line), 1)
    sign = "−" if report.line < 0 else "+"
    return words(
        language, "tensor.rates.line", sign=sign, constant=constant, crest=number(language, report.crest, 1),
        slope=number(language, 6.02, 2), start=number(language, 4.77, 2),
    )  # fmt: skip
