"""
"What would it cost?": a calculator for published models and for the base in use, on one card.

Draws what `playground.adapt.cost` works out, as HTML, so that a slider's move changes it without a flicker. What is
measured on the loaded base runs where jobs run and appears beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import settings
from playground.adapt import cost as arithmetic
from playground.adapt.cost import CALCULATED, RANK, TASKS, VIRTUAL_TOKENS, WIDTH, Cost, Measured, Memory
from playground.adapt.library import examples
from playground.adapt.methods import method
from playground.adapt.published import PUBLISHED, published
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.locales import NO_BREAK, number, percent, significant, text
from playground.model.architecture import Architecture
from playground.model.bases import BASES
from playground.model.catalogue import split_id
from playground.ui.compare.panes import pane_title
from playground.ui.kit import sections
from playground.ui.kit.bars import bar, bytes_text
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import colour, escape, words
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import LAB
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.ui.kit.bars import Part

PLACE = "arithmetic"
HERE = "here"  # the base in use, beside the published models
UNDER_WAY = ("downloading", "converting", "loading")  # states of a base that will be there soon
CLAIM_MODEL, CLAIM_RANK = "llama-2-7b", 8
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
# What a reader of the paper should know about its figure for memory
NOTES = {"gpt-3": "arithmetic.note.gpt_3", "llama-65b": "arithmetic.note.llama_65b"}


@dataclass(frozen=True)
class Question:
    """What the controls ask, in their order."""

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


# The setting that each method's own paper makes the most of
PAPERS = {
    "lora": Question("gpt-3", "lora", "query_value", 4, 20, 100, 2),  # Hu et al. 2021, section 4.2
    "prompt_tuning": Question("t5-xxl", "prompt_tuning", "query_value", 4, 5, 100, 2),  # Lester et al. 2021, figure 2
    "ia3": Question("t0-11b", "ia3", "query_value", 4, 20, 100, 4),  # Liu et al. 2022, table 1
    "qlora": Question("llama-65b", "qlora", "all_linear", 64, 20, 100, 2),  # Dettmers et al. 2023, section 1
}
DEFAULT = PAPERS["lora"]


@dataclass(frozen=True)
class ArithmeticSection:
    """What other parts of the page need: `draw` fills `shown`, `measure` fills `measured`, both from `inputs`."""

    inputs: list[Any]  # language, base, then the controls in the order of Question
    shown: gr.HTML
    measured: gr.HTML
    draw: Callable[..., str]
    measure: Callable[..., Iterator[str]]  # takes the visitor before the inputs


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> ArithmeticSection:
    """The card and its events."""
    make = wording.make
    with gr.Column(elem_classes="pp-card", elem_id="arithmetic"):
        make(html, sections.headed("arithmetic.title", "arithmetic.lead"))
        with gr.Row(elem_classes="pp-chips"):
            make(html, {"value": _papers})
            chips = {one: _paper_chip(wording, one) for one in PAPERS}
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                controls = _controls(wording)
            with gr.Column(min_width=0):
                shown = make(
                    html,
                    {"value": lambda lang: draw(lang, settings.DEFAULT_BASE, *astuple(DEFAULT))},
                    elem_id="arithmetic-result",
                )
                measured = html("", elem_id="arithmetic-measured")
                make(html, {"value": claim}, elem_id="arithmetic-claim")
    inputs = [language, base, *controls]
    changes = [component.change for component in (base, *controls)]
    gr.on(changes, draw, inputs, shown, trigger_mode="always_last", **HIDDEN)
    gr.on(changes, measure, [visitor, *inputs], measured, trigger_mode="always_last", **STREAM)
    _, chosen, *hideable = controls[:5]
    chosen.change(_show_used, chosen, hideable, **HIDDEN)
    for one, chip in chips.items():
        chip.click(lambda one=one: list(astuple(PAPERS[one])), None, controls, **HIDDEN)
    return ArithmeticSection(inputs, shown, measured, draw, measure)


def _papers(language: str) -> str:
    return f'<span class="pp-soft pp-small">{words(language, "arithmetic.papers")}</span>'


def _paper_chip(wording: Wording, method_id: str) -> gr.Button:
    return wording.make(
        gr.Button,
        {"value": lambda lang: f"{_method_name(method_id, lang)} · {PUBLISHED[PAPERS[method_id].model].name}"},
        size="sm",
        elem_classes="chip",
        elem_id=f"arithmetic-paper-{method_id}",
    )


def _show_used(method_id: str) -> list[Any]:
    """Only the settings that concern the method."""
    return [gr.update(visible=name in USES[method_id]) for name in ("targets", "rank", "virtual_tokens")]


def _controls(wording: Wording) -> list[Any]:
    """In the order of Question."""
    make = wording.make

    def target_choices(language: str) -> list[tuple[str, str]]:
        return [(text(language, key), one) for one, key in TARGETS.items()]

    return [
        make(
            gr.Dropdown, {"label": "arithmetic.model", "choices": _models}, value=DEFAULT.model, elem_id="arithmetic-model"
        ),
        make(
            gr.Dropdown,
            {"label": "train.method", "choices": lambda lang: [(_method_name(one, lang), one) for one in CALCULATED]},
            value=DEFAULT.method, elem_id="arithmetic-method",
        ),
        make(
            gr.Dropdown, {"label": "hyperparameters.targets", "choices": target_choices},
            value=DEFAULT.targets, elem_id="arithmetic-targets",
        ),
        _slider(wording, "hyperparameters.rank", RANK, DEFAULT.rank),
        _slider(wording, "hyperparameters.virtual_tokens", VIRTUAL_TOKENS, DEFAULT.virtual_tokens, visible=False),
        _slider(wording, "arithmetic.tasks", TASKS, DEFAULT.tasks),
        make(
            gr.Radio,
            {"label": "arithmetic.width", "choices": lambda lang: [(_bits(lang, one), one) for one in WIDTH.choices]},
            value=DEFAULT.width, elem_id="arithmetic-width",
        ),
    ]  # fmt: skip


def _slider(wording: Wording, label: str, bounds: Bound, value: int, **properties: Any) -> gr.Slider:
    return wording.make(
        gr.Slider, {"label": label}, minimum=bounds.minimum, maximum=bounds.maximum, step=1, value=value,
        elem_id=f"arithmetic-{bounds.name}", **properties,
    )  # fmt: skip


def _models(language: str) -> list[tuple[str, str]]:
    return [(text(language, "arithmetic.here"), HERE), *((one.name, one.id) for one in PUBLISHED.values())]


def _method_name(method_id: str, language: str) -> str:
    return text(language, f"methods.{method_id}.name")


def _bits(language: str, width: int) -> str:
    return text(language, "arithmetic.bits", bits=number(language, 8 * width))


def precise(language: str, value: float) -> str:
    """A percentage with three figures, as the papers give them: 0.0108 %."""
    return significant(language, value, 3) + NO_BREAK + "%"


# What is drawn


def model_of(model: str, base_id: str) -> tuple[str, str, Architecture]:
    """Name, source and shape of the chosen model. Raises PlaygroundError."""
    if model != HERE:
        one = published(model)
        return one.name, one.source, one.architecture
    spec, _ = split_id(base_id)
    architecture = BASES.get(base_id).architecture if BASES.is_loaded(base_id) else spec.architecture
    if architecture is None:
        raise PlaygroundError("shape_unknown", base=spec.name)
    return spec.name, spec.repository, architecture


def draw(language: str, base_id: str, *controls: Any) -> str:
    """The result for a question, given as its values, or what is wrong with it."""
    asked = Question(*controls)
    try:
        name, source, architecture = model_of(asked.model, base_id)
        cost = arithmetic.cost(architecture, asked.method, asked.values, asked.tasks, asked.width)
    except PlaygroundError as error:
        return alarm(error.message(language))
    remark = " " + words(language, NOTES[asked.model]) if asked.model in NOTES else ""
    figures = {
        "model": name,
        "total": number(language, cost.total),
        "percent": precise(language, cost.percent),
        "adapter": bytes_text(language, cost.adapter_bytes),
        "whole": bytes_text(language, cost.model_bytes),
        "ratio": significant(language, cost.model_bytes / cost.adapter_bytes),
    }
    return (
        f'<div class="pp-count" {colour(asked.method)}>'
        f'<p class="pp-soft">{words(language, "arithmetic.trained", **figures)}</p>'
        f'<p class="pp-figure">{number(language, cost.trainable)}</p>'
        f'<p class="pp-soft">{words(language, "arithmetic.share", **figures)}<br>'
        f"{words(language, 'arithmetic.size', **figures)}</p></div>"
        f"{memory_bars(cost, asked.method, language)}{storage_bars(cost, asked.method, language)}"
        f'<p class="pp-legend">{words(language, "arithmetic.source", model=name, source=source)}{remark}</p>'
    )


def memory_bars(cost: Cost, method_id: str, language: str) -> str:
    """Full fine-tuning, the adapter, and the adapter over 4 bits, each as long as what it holds."""
    longest = max(one.total for one in cost.memory)
    rows = "".join(
        bar(method_id if one.way == "four_bit" else one.way, _way(one.way, method_id, language), parts, longest, language)
        for one, parts in zip(cost.memory, (_parts(one, language) for one in cost.memory), strict=True)
    )
    title = words(language, "arithmetic.memory")
    each = {"width": number(language, cost.width), "all": number(language, 2 * cost.width + arithmetic.MOMENT_BYTES)}
    rule = words(language, "arithmetic.rule", **each)
    return f'<h3 class="pp-name">{title}</h3>{rows}<p class="pp-legend">{rule}</p>'


def _way(way: str, method_id: str, language: str) -> str:
    if way == "four_bit":
        return text(language, "arithmetic.four_bit", method=_method_name(method_id, language))
    return _method_name(way, language)


def _parts(memory: Memory, language: str) -> list[Part]:
    weights = "trained" if memory.way == "full_fine_tuning" else "frozen"
    named = {"trained": "arithmetic.part.weights", "frozen": "arithmetic.part.frozen"}
    parts = [
        (weights, text(language, named[weights]), memory.weights),
        ("trained", text(language, "arithmetic.part.adapter"), memory.adapter),
        ("gradients", text(language, "arithmetic.part.gradients"), memory.gradients),
        ("optimizer", text(language, "arithmetic.part.optimizer"), memory.optimizer),
    ]
    return [part for part in parts if part[2]]


def storage_bars(cost: Cost, method_id: str, language: str) -> str:
    """On disk, for N tasks: one base with N adapters, and N models."""
    tasks = number(language, cost.tasks)
    adapters = cost.tasks * cost.adapter_bytes
    shared: list[Part] = [
        ("frozen", text(language, "arithmetic.part.base"), cost.stored_adapters - adapters),
        ("trained", text(language, "arithmetic.part.adapters", tasks=tasks), adapters),
    ]
    models: list[Part] = [("trained", text(language, "arithmetic.part.models", tasks=tasks), cost.stored_models)]
    names = text(language, "arithmetic.stored.models"), text(language, "arithmetic.stored.adapters")
    longest = max(cost.stored_models, cost.stored_adapters)
    rows = bar("full_fine_tuning", names[0], models, longest, language) + bar(method_id, names[1], shared, longest, language)
    return f'<h3 class="pp-name">{words(language, "arithmetic.disk", tasks=tasks)}</h3>{rows}'


# What is measured


def measure(key: str, language: str, base_id: str, *controls: Any) -> Iterator[str]:
    """PEFT's own count beside the predicted one, if the chosen model is the base in use and loaded; else nothing."""
    asked = Question(*controls)
    yield ""
    if asked.model not in (HERE, base_id.partition(":")[0]):
        return
    try:
        used = method(asked.method).base_id(base_id, asked.values)
        if not BASES.is_loaded(used) and BASES.status(used).state not in UNDER_WAY:
            return
        yield note(language, "lab.waiting")
        cost = arithmetic.cost(BASES.get(used).architecture, asked.method, asked.values, asked.tasks, asked.width)
    except PlaygroundError:  # `draw` says it, or the header where the base could not be loaded
        yield ""
        return

    def count(stop: Any) -> Iterator[Measured]:
        yield arithmetic.measured(BASES.get(used), asked.method, asked.values)

    try:
        run = SESSIONS.submit(key, LAB, count, place=PLACE)
    except PlaygroundError as error:
        yield sections.soft(language, "arithmetic.not_measured", reason=error.message(language))
        return
    for _ in run.changes():
        if run.error:
            yield sections.soft(language, "arithmetic.not_measured", reason=run.error.message(language))
        elif run.events:
            yield measured_line(run.events[-1], cost, split_id(used)[0].name, language)


def measured_line(found: Measured, cost: Cost, name: str, language: str) -> str:
    """What was measured, each beside what was predicted."""
    agrees = (found.trainable, found.total) == (cost.trainable, cost.total)
    figures = {"trainable": number(language, found.trainable), "total": number(language, found.total), "model": name}
    sentences = [
        words(language, "arithmetic.measured.same" if agrees else "arithmetic.measured.other", **figures),
        words(
            language, "arithmetic.measured.weights",
            held=bytes_text(language, found.frozen_bytes), predicted=bytes_text(language, found.predicted_frozen_bytes),
            bits=significant(language, 8 * found.frozen_bytes / (cost.total - cost.trainable)),
        ),
    ]  # fmt: skip
    if found.example:
        one = examples()[found.example.id]
        sizes = {"file": found.example.file_bytes, "predicted": found.example.predicted_bytes}
        said = {name: number(language, size) for name, size in sizes.items()}
        title = pane_title(one.summary(), language)
        sentences.append(words(language, "arithmetic.measured.file", title=title, **said))
    return f'<p class="pp-measured" role="status">{" ".join(sentences)}</p>'


# "A 7B model's ΔW has 7B entries too"


def claim(language: str) -> str:
    """The claim, worked through with the real shapes of one 7B model."""
    model = PUBLISHED[CLAIM_MODEL]
    found = arithmetic.whole_update(model.architecture, CLAIM_RANK)
    query = found.layers[0].layer
    figures = {
        "model": model.name,
        "shape": f"{number(language, query.outputs)} × {number(language, query.inputs)}",
        "query": number(language, query.inputs * query.outputs),
        "factors_of_query": number(language, found.layers[0].factors // query.count),
        "entries": number(language, found.entries),
        "share": percent(language, 100 * found.entries / found.parameters),
        "parameters": number(language, found.parameters),
        "others": number(language, found.others),
        "rank": number(language, found.rank),
        "factors": number(language, found.factors),
        "ratio": number(language, found.ratio),
        "whole_size": bytes_text(language, 2 * found.entries),
        "factor_size": bytes_text(language, 2 * found.factors),
    }
    head, rows = _claim_table(found, language)
    return (
        f'<details class="pp-claim"><summary>{words(language, "arithmetic.claim")}</summary>'
        f"<p>{words(language, 'arithmetic.claim.one', **figures)}</p>"
        f'<div class="pp-scroll"><table class="pp-entries"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"<p>{words(language, 'arithmetic.claim.all', **figures)}</p>"
        f"<p>{words(language, 'arithmetic.claim.rank', **figures)}</p></details>"
    )


def _claim_table(found: arithmetic.WholeUpdate, language: str) -> tuple[str, str]:
    titles = [
        text(language, "arithmetic.claim.layer"),
        text(language, "arithmetic.claim.shape"),
        text(language, "arithmetic.claim.count"),
        text(language, "arithmetic.claim.entries"),
        text(language, "arithmetic.claim.factors", rank=number(language, found.rank)),
    ]
    rows = [
        [
            one.layer.name, f"{number(language, one.layer.outputs)} × {number(language, one.layer.inputs)}",
            *(number(language, value) for value in (one.layer.count, one.entries, one.factors)),
        ]
        for one in found.layers
    ]  # fmt: skip
    layers = sum(one.layer.count for one in found.layers)
    sums = [number(language, value) for value in (layers, found.entries, found.factors)]
    rows.append([text(language, "arithmetic.claim.together"), "", *sums])
    cells = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    return head, "".join(f"<tr>{row}</tr>" for row in cells)
