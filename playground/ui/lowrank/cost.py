"""
"What would it cost?": a calculator for published models and for the base in use, on one card.

Shows what `playground.adapt.cost` works out, as HTML, so that a slider's move changes it without a flicker. What is
measured on the loaded base runs where jobs run and appears beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from playground import settings
from playground.actions import catalogue
from playground.actions.lowrank import COUNT, start_count
from playground.adapt import cost as arithmetic
from playground.adapt.cost import CALCULATED, RANK, TASKS, VIRTUAL_TOKENS, WIDTH, Cost
from playground.adapt.methods import method
from playground.adapt.published import PUBLISHED, Published, published
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.locales import number, text
from playground.model.architecture import Architecture
from playground.model.catalogue import split_id
from playground.ui.kit import sections
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import words
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import cost_html as drawn
from playground.ui.lowrank.pieces import chip

HERE = "here"  # the base in use, beside the published models
# Which settings each method has; the others are hidden
USES = {"prompt_tuning": ("virtual_tokens",), "lora": ("targets", "rank"), "ia3": (), "qlora": ("targets", "rank")}
TARGETS = {
    "query": "arithmetic.targets.query",
    "query_key": "arithmetic.targets.query_key",
    "query_value": "arithmetic.targets.query_value",
    "attention": "hyperparameters.targets.attention",
    "mlp": "hyperparameters.targets.mlp",
    "all_linear": "hyperparameters.targets.all_linear",
}


@dataclass(frozen=True)
class Question:
    """What the controls ask."""

    model: str
    method: str
    targets: str
    rank: int
    virtual_tokens: int
    tasks: int
    width: int  # bytes per stored number

    @property
    def values(self) -> dict[str, Any]:
        """The hyperparameters that the method has."""
        return {name: getattr(self, name) for name in USES.get(self.method, ())}

    def cost(self, architecture: Architecture) -> Cost:
        """Raises PlaygroundError."""
        return arithmetic.cost(architecture, self.method, self.values, self.tasks, self.width)


@dataclass(frozen=True)
class Asked(Question):
    """A visitor's question, beside the base in use."""

    key: str
    language: str
    base: str


# The setting that each method's own paper makes the most of
PAPERS = {
    "lora": Question("gpt-3", "lora", "query_value", 4, 20, 100, 2),  # Hu et al. 2021, section 4.2
    "prompt_tuning": Question("t5-xxl", "prompt_tuning", "query_value", 4, 5, 100, 2),  # Lester et al. 2021, figure 2
    "ia3": Question("t0-11b", "ia3", "query_value", 4, 20, 100, 4),  # Liu et al. 2022, table 1
    "qlora": Question("llama-65b", "qlora", "all_linear", 64, 20, 100, 2),  # Dettmers et al. 2023, section 1
}
DEFAULT = PAPERS["lora"]


def model_of(model: str, base_id: str) -> Published:
    """The chosen model; the base in use as if it were published. Raises PlaygroundError."""
    if model != HERE:
        return published(model)
    spec, _ = split_id(base_id)
    return Published(HERE, spec.name, catalogue.shape(base_id), spec.repository)


def result(question: Question, base_id: str, language: str) -> str:
    """What is drawn for a question, or what is wrong with it."""
    try:
        model = model_of(question.model, base_id)
        return drawn.result(model, question.method, question.cost(model.architecture), language)
    except PlaygroundError as error:
        return alarm(error.message(language))


@dataclass(frozen=True)
class Cards:
    """What is shown, and how it follows the question."""

    hideable: dict[str, Any]  # the settings that some methods do not have
    shown: gr.HTML
    measured: gr.HTML

    def draw(self, asked: Asked) -> Changes:
        return {self.shown: result(asked, asked.base, asked.language)}

    def show_used(self, asked: Asked) -> Changes:
        """Only the settings that concern the method."""
        return {control: gr.update(visible=name in USES[asked.method]) for name, control in self.hideable.items()}

    def measure(self, asked: Asked) -> Iterator[Changes]:
        """PEFT's own count beside the predicted one, if the chosen model is the base in use and loaded; else nothing."""
        yield {self.measured: ""}
        if asked.model not in (HERE, asked.base.partition(":")[0]):
            return
        try:
            used = method(asked.method).base_id(asked.base, asked.values)
            if not catalogue.comes(used):
                return
            yield {self.measured: note(asked.language, "lab.waiting")}
            cost = asked.cost(catalogue.load(used))
        except PlaygroundError:  # `draw` says it, or the header where the base could not be loaded
            yield {self.measured: ""}
            return
        for line in _counted(asked, used, cost):
            yield {self.measured: line}


def _counted(asked: Asked, used: str, cost: Cost) -> Iterator[str]:
    """The line with PEFT's own count on the base `used`, once it is there, or why there is none."""
    try:
        run = start_count(asked.key, used, asked.method, asked.values, COUNT)
        for _ in run.changes():
            if run.error:
                raise run.error
            if run.events:
                yield drawn.measured_line(run.events[-1], cost, split_id(used)[0].name, asked.language)
    except PlaygroundError as error:
        yield sections.soft(asked.language, "arithmetic.not_measured", reason=error.message(asked.language))


def build(lab: Lab) -> None:
    """The section and its events."""
    wording, make, base = lab.wording, lab.wording.make, lab.base
    with lab.opened("arithmetic") as place, gr.Column(elem_classes="pp-card", elem_id="arithmetic"):
        make(html, sections.headed("arithmetic.title", "arithmetic.lead"))
        with gr.Row(elem_classes="pp-chips"):
            make(html, {"value": _papers})
            chips = {one: _paper_chip(wording, one) for one in PAPERS}
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                asking = _controls(wording)
            with gr.Column(min_width=0):
                opening = {"value": lambda lang: result(DEFAULT, settings.DEFAULT_BASE, lang)}
                shown = make(html, opening, elem_id="arithmetic-result")
                measured = html("", elem_id="arithmetic-measured")
                make(html, {"value": drawn.claim}, elem_id="arithmetic-claim")
    cards = Cards({name: asking[name] for name in ("targets", "rank", "virtual_tokens")}, shown, measured)
    controls = Controls(Asked, {"key": lab.visitor, "language": lab.language, "base": base, **asking})
    inputs, changes = controls.inputs, [component.change for component in (base, *asking.values())]
    gr.on(changes, controls.handler(cards.draw), inputs, shown, trigger_mode="always_last", **HIDDEN)
    gr.on(changes, controls.handler(cards.measure), inputs, measured, trigger_mode="always_last", **STREAM)
    asking["method"].change(controls.handler(cards.show_used), inputs, list(cards.hideable.values()), **HIDDEN)
    filled = []
    for one, button in chips.items():
        question = {asking[name]: value for name, value in asdict(PAPERS[one]).items()}
        filled.append(button.click(lambda question=question: question, None, list(question), **HIDDEN))
    lab.draw(Section(controls, [shown], cards.draw, moved=filled), place)


def _papers(language: str) -> str:
    return f'<span class="pp-soft pp-small">{words(language, "arithmetic.papers")}</span>'


def _paper_chip(wording: Wording, method_id: str) -> gr.Button:
    model = PUBLISHED[PAPERS[method_id].model].name
    return chip(
        wording, lambda lang: f"{drawn.method_name(method_id, lang)} · {model}", elem_id=f"arithmetic-paper-{method_id}"
    )


def _controls(wording: Wording) -> dict[str, Any]:
    """By the fields of Question."""

    def choice(kind: Any, name: str, label: str, choices: Any) -> Any:
        said = {"label": label, "choices": choices}
        return wording.make(kind, said, value=getattr(DEFAULT, name), elem_id=f"arithmetic-{name}")

    def slider(label: str, bound: Bound, **properties: Any) -> gr.Slider:
        return wording.make(
            gr.Slider, {"label": label}, minimum=bound.minimum, maximum=bound.maximum, step=1,
            value=getattr(DEFAULT, bound.name), elem_id=f"arithmetic-{bound.name}", **properties,
        )  # fmt: skip

    return {
        "model": choice(gr.Dropdown, "model", "arithmetic.model", _models),
        "method": choice(gr.Dropdown, "method", "train.method", _methods),
        "targets": choice(gr.Dropdown, "targets", "hyperparameters.targets", _targets),
        "rank": slider("hyperparameters.rank", RANK),
        "virtual_tokens": slider("hyperparameters.virtual_tokens", VIRTUAL_TOKENS, visible=False),
        "tasks": slider("arithmetic.tasks", TASKS),
        "width": choice(gr.Radio, "width", "arithmetic.width", _widths),
    }


def _models(language: str) -> list[tuple[str, str]]:
    return [(text(language, "arithmetic.here"), HERE), *((one.name, one.id) for one in PUBLISHED.values())]


def _methods(language: str) -> list[tuple[str, str]]:
    return [(drawn.method_name(one, language), one) for one in CALCULATED]


def _targets(language: str) -> list[tuple[str, str]]:
    return [(text(language, key), one) for one, key in TARGETS.items()]


def _widths(language: str) -> list[tuple[str, int]]:
    return [(text(language, "arithmetic.bits", bits=number(language, 8 * one)), one) for one in WIDTH.choices]
