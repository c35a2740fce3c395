"""
One tensor of the quantization lab: the errors of every format on its weights, and what outliers do to them.

One drawing, the controls that matter below it, the rest folded away; all of it is drawn anew by every control. Everything
is empty until `Section.draw` is called, so building the page computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from playground.actions.catalogue import list_bases
from playground.actions.tensor import MODULE, OWN, embedding_of, module_of, norm_of, report, shapes, take
from playground.errors import PlaygroundError
from playground.formats.distributions import DISTRIBUTIONS
from playground.formats.registry import FORMATS
from playground.model.catalogue import split_id
from playground.plots.quantize.names import path_name
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section
from playground.ui.kit.wording import html
from playground.ui.quantize import own_numbers, tensor_controls, tensor_html
from playground.ui.quantize.pieces import card, more, said

RESULTS = ("notice", "said", "errors", "worth", "damage", "histogram", "table", "rates")


@dataclass(frozen=True)
class Asked:
    """
    What the controls of a visitor say. `chosen` is the page's base, `model` the one whose modules are shown: none before a
    visit.
    """

    key: str
    language: str
    chosen: str
    source: str  # one of SOURCES
    model: str | None
    module: str | None
    text: str
    file: str | None
    seed: int
    stop: int  # a place of STOPS
    zero_point: bool
    outliers: float  # percent
    size: float
    columns: bool
    formats: list[str]
    grid: str
    logarithmic: bool
    more: Sequence[str] = ()  # formats that are not among the usual ones


@dataclass(frozen=True)
class Tensor:
    """The components that change, and the handlers that change them. `groups`: controls by the source that needs them."""

    source: gr.Radio
    model: gr.Dropdown
    module: gr.Dropdown
    groups: Mapping[str, gr.Column]
    stops: gr.HTML
    notice: gr.HTML
    said: gr.HTML
    errors: gr.HTML
    worth: gr.HTML
    damage: gr.HTML
    histogram: gr.HTML
    table: gr.HTML
    rates: gr.HTML

    @property
    def results(self) -> list[Any]:
        """What `redraw` changes."""
        return [self.stops, *(getattr(self, name) for name in RESULTS)]

    def draw(self, asked: Asked) -> Changes:
        """When the tab is opened: the base and the module that were looked at, or the page's base and one in its middle."""
        try:
            plain = split_id(asked.chosen)[0].id
        except PlaygroundError as error:
            return self._refused(error, asked)
        model = asked.model or plain
        shown = {self.model: base_choices(asked.key, plain, model)} | self._needed(asked.source)
        return shown | self.choose_base(replace(asked, model=model))

    def choose_base(self, asked: Asked) -> Changes:
        """Another base: the same module if it has it."""
        try:
            module = module_of(asked.model or "", asked.module)
            offered = gr.update(choices=module_choices(asked.model or "", asked.language), value=module)
        except PlaygroundError as error:
            return self._refused(error, asked)
        return {self.module: offered} | self.redraw(replace(asked, module=module))

    def offer_bases(self, asked: Asked) -> Changes:
        """The page has another base: it can be looked at too."""
        return {self.model: base_choices(asked.key, asked.chosen, asked.model)}

    def choose_source(self, asked: Asked) -> Changes:
        return self._needed(asked.source) | self.redraw(asked)

    def go_to(self, what: str, asked: Asked) -> Changes:
        """Something that never was in 4 bits: one of ELSEWHERE."""
        try:
            found = (embedding_of if what == "embedding" else norm_of)(asked.model or "")
            asked = replace(asked, source=MODULE, module=found or asked.module)
        except PlaygroundError as error:
            return self._refused(error, asked)
        return {self.source: asked.source, self.module: asked.module} | self.choose_source(asked)

    def redraw(self, asked: Asked) -> Changes:
        """All drawings; what is wrong is said, and the last ones stay."""
        if asked.source == MODULE and not asked.model:  # moved before the first drawing, which chooses a base
            return unchanged(self.notice)
        try:
            comma = asked.language in own_numbers.COMMA
            taken = take(asked.source, asked.model or "", asked.module, asked.text, asked.file, asked.seed, comma)
            outliers = (_share(asked.outliers), asked.size, asked.columns)
            wanted = [*asked.formats, *asked.more]
            found = report(taken, outliers, wanted, asked.grid, asked.stop, asked.zero_point)
        except PlaygroundError as error:
            return self._refused(error, asked)
        language, formats = asked.language, [one for one in FORMATS if one in wanted]
        return {
            self.stops: tensor_html.stop_names(language, asked.stop),
            self.notice: "",
            self.said: tensor_html.about(found, taken, asked.source, language),
            self.errors: tensor_html.errors(found, formats, asked.logarithmic, language),
            self.worth: tensor_html.worth(found, formats, language),
            self.damage: said(tensor_html.damage(found, language)),
            self.histogram: tensor_html.histogram(found, asked.grid, asked.logarithmic, language),
            self.table: tensor_html.table(found, formats, language),
            self.rates: tensor_html.rates(found, formats, language),
        }

    def _needed(self, source: str) -> Changes:
        """Only the controls that a source needs."""
        return {
            self.groups["module"]: gr.update(visible=source == MODULE),
            self.groups["own"]: gr.update(visible=source == OWN),
            self.groups["seed"]: gr.update(visible=source in DISTRIBUTIONS),
        }

    def _refused(self, error: PlaygroundError, asked: Asked) -> Changes:
        return {self.notice: alarm(error.message(asked.language))}


def _share(percent: Any) -> Any:
    """A part of 1; what is no number is refused where it is used."""
    return percent / 100 if isinstance(percent, int | float) else percent


def base_choices(key: str, chosen: str, now: str | None) -> Any:
    """The loaded bases in their plain form, the chosen one and the one that is shown."""
    listed = [one for one in list_bases(key) if one["loaded"] or one["id"] in (split_id(chosen)[0].id, now)]
    return gr.update(choices=[(one["name"], one["id"]) for one in listed], value=now)


def module_choices(base_id: str, language: str) -> list[tuple[str, str]]:
    return [
        (f"{path_name(language, path)} · {tensor_html.sides(shape, language)}", path)
        for path, shape in shapes(base_id).items()
    ]


# Layout


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, results = lab.wording, {}

    def shown(*names: str) -> None:
        results.update({name: html("", elem_id=f"tensor-{name}") for name in names})

    def fold(label: str) -> gr.Accordion:
        return wording.make(gr.Accordion, {"label": label}, open=False, elem_classes="pp-more")

    with lab.opened("tensor") as place, card(wording, "tensor.title", "tensor.lead"):
        shown("notice")
        with fold("tensor.which"):
            shown("said")
            sources, groups, chips = tensor_controls.sources(wording)
        shown("errors")
        formats, (granularity, stops) = tensor_controls.formats(wording), tensor_controls.granularity(wording)
        shown("worth")
        with gr.Row(elem_classes="pp-folds"):
            formats["more"] = more(wording, "tensor-more")
            with fold("tensor.fold.table"):
                shown("table")
            with fold("tensor.fold.rates"):
                shown("rates")
            with fold("tensor.fold.outliers"):
                outliers = tensor_controls.outliers(wording)
                shown("damage")
            with fold("tensor.fold.grid"):
                grid = tensor_controls.grid(wording)
                shown("histogram")
    made = {**sources, **granularity, **outliers, **formats, **grid}
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, "chosen": lab.base, **made})
    tensor = Tensor(made["source"], made["model"], made["module"], groups, stops, **results)
    section = Section(
        controls, [tensor.model, tensor.module, *groups.values(), *tensor.results], tensor.draw,
        offered=[tensor.model, tensor.module], retold={made["text"]: own_numbers.retold},
        moved=_wire(controls, tensor, chips),
    )  # fmt: skip
    lab.draw(section, place)


def _wire(controls: Controls[Asked], tensor: Tensor, chips: Mapping[str, gr.Button]) -> list[Any]:
    """Returns what the chips do, for whoever goes on from there."""
    given, made, results = controls.inputs, controls.components, tensor.results
    moved: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    others = [made[name] for name in made if name not in ("key", "language", "chosen", "source", "model", "file")]
    gr.on([one.input for one in others], controls.handler(tensor.redraw), given, results, **moved)
    gr.on([made["file"].upload, made["file"].clear], controls.handler(tensor.redraw), given, results, **HIDDEN)
    sourced = [*tensor.groups.values(), *results]
    tensor.source.input(controls.handler(tensor.choose_source), given, sourced, **moved)
    tensor.model.input(controls.handler(tensor.choose_base), given, [tensor.module, *results], **HIDDEN)
    made["chosen"].change(controls.handler(tensor.offer_bases), given, tensor.model, **HIDDEN)
    gone = [tensor.source, tensor.module, *sourced]
    return [chip.click(controls.handler(partial(tensor.go_to, what)), given, gone, **HIDDEN) for what, chip in chips.items()]
