"""
What to train: a method, what it shall learn, its settings; and what they mean together.

The settings are drawn from the registry of methods: every method has its own widgets, and those of the chosen one are
seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from html import escape
from typing import Any, Self

import gradio as gr

from playground import locales, settings
from playground.actions.catalogue import describe_task
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN, TASK_IDS
from playground.bounds import RATES, Bound
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import own

METHOD, TASK = "lora", "pirate"  # chosen at first
MOST_STEPS, MOST_SEED = 100, 100  # of the sliders: what is sensible on a page; programs may ask for more


@dataclass(frozen=True)
class Lesson(Visit):
    """What shall be learned."""

    task: str


@dataclass(frozen=True)
class Recipe(Visit):
    """A method and its settings, on a base: what the costs depend on."""

    method: str
    settings: dict[str, Any]

    @classmethod
    def of(cls, method: str, **given: Any) -> Self:
        """Out of the controls; of every method's settings those of the chosen one make one field."""
        own = {bound.name: given[setting_id(method, bound)] for bound in METHODS[method].hyperparameters}
        plain = {field.name: given[field.name] for field in fields(cls) if field.name in given}
        return cls(method=method, settings=own, **plain)


@dataclass(frozen=True)
class Order(Recipe):
    """Everything that a training is started with."""

    task: str
    rows: list[list[Any]]  # a visitor's own examples, prompt and response, if they are typed
    file: str | None  # the path of them, if they are in a file
    steps: int | None
    seed: int
    pasted: str = ""  # as text, if they are


def setting_id(method_id: str, bound: Bound) -> str:
    """The name of one setting of one method among the controls, and of its element on the page."""
    return f"{method_id}-{bound.name}"


@dataclass(frozen=True)
class Pickers:
    """The cards on the left, and how they follow what is picked."""

    recipe: Controls[Recipe]
    order: Controls[Order]
    task_info: gr.HTML
    own: gr.Column  # where a visitor's own examples go
    columns: list[tuple[str, gr.Column]]  # of settings, with the method that they belong to
    steps: gr.Slider

    def show_method(self, method_id: str) -> Changes:
        """Its settings in place of the others'; and how many steps it takes, if it takes any."""
        steps = METHODS[method_id].steps
        seen = {column: gr.update(visible=owner == method_id) for owner, column in self.columns}
        return seen | {self.steps: gr.update(value=steps, visible=True) if steps else gr.update(visible=False)}

    def show_task(self, lesson: Lesson) -> Changes:
        """How many examples it has; or where a visitor's own ones go."""
        return {self.task_info: task_info(lesson.task, lesson.language), self.own: gr.update(visible=lesson.task == OWN)}


def build(wording: Wording, visit: Controls[Visit]) -> Pickers:
    """Three cards and their events."""
    with gr.Column(elem_classes="pp-card"):
        method = _method(wording)
    with gr.Column(elem_classes="pp-card"):
        data, info, column = _task(wording, visit)
    with gr.Column(elem_classes="pp-card"):
        columns, made, length = _settings(wording)
    recipe = {**visit.components, "method": method, **made}
    pickers = Pickers(
        recipe=Controls(Recipe.of, recipe),
        order=Controls(Order.of, {**recipe, **data, **length}),
        task_info=info, own=column, columns=columns, steps=length["steps"],
    )  # fmt: skip
    method.change(pickers.show_method, method, [*(column for _, column in columns), length["steps"]], **HIDDEN)
    lesson = Controls(Lesson, {**visit.components, "task": data["task"]})
    data["task"].change(lesson.handler(pickers.show_task), lesson.inputs, [info, column], **HIDDEN)
    return pickers


def _method(wording: Wording) -> gr.Radio:
    def choices(language: str) -> list[tuple[str, str]]:
        words = [[locales.text(language, f"methods.{one}.{part}") for part in ("name", "family")] for one in METHODS]
        return [("\n".join(pair), one) for pair, one in zip(words, METHODS, strict=True)]

    return wording.make(gr.Radio, {"label": "train.method", "choices": choices}, value=METHOD, elem_id="method-picker")


def _task(wording: Wording, visit: Controls[Visit]) -> tuple[dict[str, Any], gr.HTML, gr.Column]:
    """The controls that say what is learned, a line on it, and the column for a visitor's own examples."""

    def choices(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"tasks.{one}.title"), one) for one in (*TASK_IDS, OWN)]

    make = wording.make
    task = make(gr.Dropdown, {"label": "train.task", "choices": choices}, value=TASK, elem_id="task-picker")
    info = make(html, {"value": lambda lang: task_info(TASK, lang)}, elem_id="task-info")
    places, column = own.build(wording, visit)
    return {"task": task, **places}, info, column


def task_info(task_id: str, language: str) -> str:
    """How many examples there are, or how many of their own a visitor may bring."""
    if task_id == OWN:
        limits = {"minimum": settings.MIN_OWN_EXAMPLES, "maximum": settings.MAX_OWN_EXAMPLES}
        sentence = locales.text(language, "train.own_info", **limits)
    else:
        task = describe_task(task_id)
        sentence = locales.text(language, "train.task_info", train=task["train"], held_out=task["held_out"])
    return f'<p class="pp-soft pp-small">{escape(sentence)}</p>'


def _settings(wording: Wording) -> tuple[list[tuple[str, gr.Column]], dict[str, Any], dict[str, Any]]:
    """The columns of settings, of each method one plain and one advanced; the settings in them; steps and seed."""
    make = wording.make
    steps = make(
        gr.Slider, {"label": "train.steps", "info": "train.steps.help"}, minimum=1, maximum=MOST_STEPS, step=1,
        value=METHODS[METHOD].steps, elem_id="steps", render=False,
    )  # fmt: skip
    plain, settings = _columns(wording, advanced=False)
    steps.render()
    with make(gr.Accordion, {"label": "train.more"}, open=False, elem_id="more"):
        advanced, more = _columns(wording, advanced=True)
        seed = make(
            gr.Slider, {"label": "train.seed", "info": "train.seed.help"}, minimum=0, maximum=MOST_SEED, step=1, value=0,
            elem_id="train-seed",
        )  # fmt: skip
    return [*plain, *advanced], {**settings, **more}, {"steps": steps, "seed": seed}


def _columns(wording: Wording, advanced: bool) -> tuple[list[tuple[str, gr.Column]], dict[str, Any]]:
    """Each method's column of the one kind of settings, and what is in them."""
    columns, made = [], {}
    for method in METHODS.values():
        with gr.Column(visible=method.id == METHOD) as column:
            for bound in method.hyperparameters:
                if bound.advanced == advanced:
                    made[setting_id(method.id, bound)] = _widget(wording, method.id, bound)
        columns.append((method.id, column))
    return columns, made


def _widget(wording: Wording, method_id: str, bound: Bound) -> Any:
    """What a setting is changed with: a list for rates and choices, otherwise by the type of its default."""
    make, said = wording.make, _words(method_id, bound)
    common: dict[str, Any] = {"value": bound.default, "elem_id": setting_id(method_id, bound)}
    if bound.name == "learning_rate" or bound.choices:
        return make(gr.Dropdown, said, **common)
    if isinstance(bound.default, bool):
        return make(gr.Checkbox, said, **common)
    if isinstance(bound.default, str):
        return make(gr.Textbox, said, max_length=int(bound.maximum or 0), **common)
    step = 1 if isinstance(bound.default, int) else 0.05
    return make(gr.Slider, said, minimum=bound.minimum, maximum=bound.maximum, step=step, **common)


def _words(method_id: str, bound: Bound) -> Mapping[str, Any]:
    """A setting's label, its help (some methods have their own) and, where it has any, its choices."""
    name = f"hyperparameters.{bound.name}"
    special = f"{name}.help.{method_id}"
    said: dict[str, Any] = {"label": name, "info": special if special in locales.words(locales.DEFAULT) else f"{name}.help"}
    if bound.name == "learning_rate":
        rates = [rate for rate in RATES if bound.minimum <= rate <= bound.maximum]  # type: ignore[operator]  # it is a number
        said["choices"] = lambda language: [(locales.written(language, rate), rate) for rate in rates]
    elif bound.choices:
        said["choices"] = lambda language: [(locales.text(language, f"{name}.{one}"), one) for one in bound.choices]
    return said
