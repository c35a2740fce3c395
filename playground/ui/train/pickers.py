"""
What to train: a method, a task, settings. Every method in the registry has widgets of its own; those of one are seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.adapt.methods import FRONT, METHODS, MORE
from playground.adapt.said import choice, help_key
from playground.adapt.tasks import OWN, TASK_IDS
from playground.bounds import RATES, Bound
from playground.ui.kit import links, recipes
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, touches
from playground.ui.kit.html import SETTLING
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import form, linked, more, own
from playground.ui.train.form import METHOD, MOST_SEED, MOST_STEPS, TASK, Order, Recipe, setting_id
from playground.ui.train.status import PREPARES
from playground.ui.train.task_html import USE, task_info

# A method that the base cannot have can be neither clicked nor reached by a key; its reason is its tooltip
DISABLE = """
const disable = () => {
  for (const input of document.querySelectorAll("#method-picker input")) {
    const reason = element.querySelector(`[data-misfit="${input.value}"]`)?.textContent;
    const disabled = Boolean(reason) || Boolean(input.closest(".pp-locked"));
    if (input.disabled !== disabled) input.disabled = disabled;  // else it would be observed for ever
    input.closest("label").title = reason || "";
  }
};
// The card, since the methods may come later; the attribute, since gradio sets it anew with whatever it sets
const changes = { childList: true, subtree: true, attributeFilter: ["disabled"] };
new MutationObserver(disable).observe(element.closest(".pp-card"), changes);
disable();
"""


@dataclass(frozen=True)
class Lesson(Visit):
    """What shall be learned, and how."""

    method: str
    task: str


@dataclass(frozen=True)
class Pickers:
    """The cards on the left, and how they follow what is picked."""

    recipe: Controls[Recipe]
    order: Controls[Order]
    lesson: Controls[Lesson]
    settling: gr.HTML  # a mark for as long as the form is not what a link or a visit before makes it
    misfits: gr.HTML
    task_info: gr.HTML
    own: own.Places  # where a visitor's own examples go
    columns: list[tuple[Collection[str], gr.Column]]  # of settings, with the methods that they belong to

    @property
    def fields(self) -> dict[str, Any]:
        """What a visitor fills in, by the fields of the order."""
        return {name: one for name, one in self.order.components.items() if name not in ("key", "language", "base")}

    @property
    def lockable(self) -> dict[str, list[Any]]:
        """What a link can lock or hide, by its names there; a hyperparameter in every method that has it."""
        found = {name: [self.fields[name]] for name in ("method", "task", "steps")} | {recipes.SEED: [self.fields["seed"]]}
        for method in METHODS.values():
            for bound in method.hyperparameters:
                found.setdefault(bound.name, []).append(self.fields[setting_id(method.id, bound)])
        return {name: list(dict.fromkeys(held)) for name, held in found.items()}

    def opened(self, visit: Visit, given: Mapping[str, Any], held: Collection[str]) -> dict[Any, dict[str, Any]]:
        """What is `held` of what a link says, for every method that can have it, and the form's help; by component."""
        values = {
            self.fields[setting_id(method.id, bound)]: {"value": given[bound.name]}
            for method in METHODS.values()
            for bound in method.hyperparameters
            if bound.name in given and bound.name in held and linked.fits(bound, given[bound.name])
        }
        order = form.find(visit.key)
        helps = self._helps(order.method, visit.language) if order else {}
        return values | {field: values.get(field, {}) | said for field, said in helps.items()}

    @property
    def told(self) -> list[Any]:
        """What follows the task."""
        return [self.task_info, self.own.column]

    @property
    def shown(self) -> list[Any]:
        """What follows method and task."""
        shared = [self.fields[name] for name in form.shared()]
        return [*(column for _, column in self.columns), *shared, self.fields["steps"], self.fields["seed"], *self.told]

    @property
    def restored(self) -> list[Any]:
        """What a form brings back."""
        return list(dict.fromkeys([*self.shown, *self.fields.values(), *self.own.restored, self.settling]))

    def show_misfits(self, visit: Visit) -> Changes:
        """Another base is used: the methods that it cannot have."""
        return {self.misfits: more.misfits(visit.base, visit.language)}

    def choose(self, order: Order) -> Changes:
        """
        Another method: its settings in place of the others', as they were left or, where others share them, as they are
        usually; its usual steps; what the examples are for.
        """
        method = METHODS[order.method]
        usual = {} if method.front else method.complete({})
        form.keep(replace(order, steps=method.steps, settings=usual or order.settings))
        shown = self.show(Lesson(order.key, order.language, order.base, order.method, order.task), method.steps)
        return self._filled(
            shown, {setting_id(method.id, bound): usual[bound.name] for bound in method.hyperparameters if usual}
        )

    def use(self, order: Order) -> Changes:
        """The task's own recipe in place of what the form holds, as a link to it would have it."""
        found = form.recommended(order)
        if found is None:  # another task was chosen meanwhile
            return unchanged(self.task_info)
        form.keep(found)
        return self.fill(found, order)

    def show(self, lesson: Lesson, steps: int | None) -> Changes:
        """What belongs to a method and a task, with a number of steps."""
        seed = "prepare.seed.help" if lesson.method == PREPARES else "train.seed.help"
        return {
            **{column: gr.update(visible=lesson.method in owners) for owners, column in self.columns},
            self.fields["steps"]: gr.update(value=steps, visible=True) if steps else gr.update(visible=False),
            self.fields["seed"]: gr.update(info=locales.text(lesson.language, seed)),
            **{field: gr.update(**said) for field, said in self._helps(lesson.method, lesson.language).items()},
            **self.show_task(lesson),
        }

    def _helps(self, method_id: str, language: str) -> dict[Any, dict[str, Any]]:
        """What the settings do that a method shares with others, and how far they go, as properties by component."""
        found: dict[Any, dict[str, Any]] = {}
        for bound in METHODS[method_id].hyperparameters if method_id in MORE else ():
            field = self.fields[setting_id(method_id, bound)]
            ends = {"minimum": bound.minimum, "maximum": bound.maximum} if isinstance(field, gr.Slider) else {}
            found[field] = {"info": locales.text(language, help_key(method_id, bound)), **ends}
        return found

    def show_task(self, lesson: Lesson) -> Changes:
        """How many examples it has; or where a visitor's own ones go."""
        info = task_info(lesson.task, lesson.method, lesson.language, lesson.base)
        return {self.task_info: info, self.own.column: gr.update(visible=lesson.task == OWN)}

    def restore(self, visit: Visit) -> Changes:
        """After a reload, or by a link: the form as it was filled in, if this visitor has filled it in."""
        order = form.find(visit.key)
        return {self.settling: "", **(self.fill(order, visit) if order else {})}

    def fill(self, order: Order, visit: Visit) -> Changes:
        """The form filled in as it was, or as a link asks for."""
        method = METHODS[order.method]
        values = {name: getattr(order, name) for name in ("method", "task")}
        values |= {setting_id(method.id, bound): order.settings[bound.name] for bound in method.hyperparameters}
        lesson = Lesson(visit.key, visit.language, visit.base, method.id, order.task)
        shown = self.show(lesson, order.steps if method.steps else None) | self.own.filled(order.own, visit.language)
        return self._filled(shown, {**values, "seed": order.seed})

    def _filled(self, changes: Changes, values: Mapping[str, Any]) -> Changes:
        """With values in fields, beside what else becomes of these."""
        fields = {self.fields[name]: value for name, value in values.items()}
        return changes | {
            field: {**changes[field], "value": value} if field in changes else value for field, value in fields.items()
        }


def build(wording: Wording, visit: Controls[Visit]) -> Pickers:
    """Three cards and their events."""
    settling = gr.HTML(SETTLING, elem_classes="pp-settling")
    with gr.Column(elem_classes="pp-card"):
        method = _method(wording)
        more.build(wording)
        lacking = wording.make(
            html, {"value": lambda lang: more.misfits(settings.DEFAULT_BASE, lang)}, elem_id="misfits", js_on_load=DISABLE
        )
    with gr.Column(elem_classes="pp-card"):
        data, info, places = _task(wording, visit, method)
    with gr.Column(elem_classes="pp-card"):
        columns, made, length = _settings(wording)
    recipe = {**visit.components, "method": method, **made}
    pickers = Pickers(
        recipe=Controls(Recipe.of, recipe),
        order=Controls(Order.of, {**recipe, **data, **length}),
        lesson=Controls(Lesson, {**visit.components, "method": method, "task": data["task"]}),
        misfits=lacking, task_info=info, own=places, columns=columns, settling=settling,
    )  # fmt: skip
    _wire(pickers)
    visit.components["base"].change(visit.handler(pickers.show_misfits), visit.inputs, lacking, **HIDDEN)
    return pickers


def _wire(pickers: Pickers) -> None:
    """A visitor's own hand brings a method's usual steps; a form that comes back has its own."""
    lesson, keep, inputs = pickers.lesson, pickers.order.handler(form.keep), pickers.order.inputs
    fields = dict(pickers.fields)
    chosen = fields.pop("method").input(pickers.order.handler(pickers.choose), inputs, pickers.shown, **HIDDEN)
    chosen.then(keep, inputs, None, **HIDDEN)  # the field that was left for it may be heard of last, with the former method
    fields["task"].change(lesson.handler(pickers.show_task), lesson.inputs, pickers.told, **HIDDEN)
    touched = touches(fields.values())
    gr.on(touched, keep, inputs, None, trigger_mode="always_last", **HIDDEN)
    pickers.task_info.select(pickers.order.handler(pickers.use), inputs, pickers.restored, **HIDDEN)
    touched.append(pickers.task_info.select)
    gr.on(touched, None, None, None, js=links.forget(recipes.NAMES), **HIDDEN)  # the form is kept: a reload brings it back


def _method(wording: Wording) -> gr.Radio:
    def choices(language: str) -> list[tuple[str, str]]:
        return [(f"{locales.text(language, f'methods.{one}.name')}\n{more.family(one, language)}", one) for one in METHODS]

    return wording.make(gr.Radio, {"label": "train.method", "choices": choices}, value=METHOD, elem_id="method-picker")


def _task(wording: Wording, visit: Controls[Visit], method: gr.Radio) -> tuple[dict[str, Any], gr.HTML, own.Places]:
    """The controls that say what is learned, a line on it, and the places for a visitor's own examples."""

    def choices(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"tasks.{one}.title"), one) for one in (*TASK_IDS, OWN)]

    make = wording.make
    said: dict[str, Any] = {"label": "train.task", "choices": choices}
    task = make(gr.Dropdown, said, value=TASK, filterable=False, elem_id="task-picker")
    info = make(html, {"value": lambda lang: task_info(TASK, METHOD, lang)}, elem_id="task-info", js_on_load=USE)
    places = own.build(wording, visit, method)
    return {"task": task, **places.controls}, info, places


def _settings(wording: Wording) -> tuple[list[tuple[Collection[str], gr.Column]], dict[str, Any], dict[str, Any]]:
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


def _columns(wording: Wording, advanced: bool) -> tuple[list[tuple[Collection[str], gr.Column]], dict[str, Any]]:
    """Each front method's column of the one kind of settings, one for each that the others share, and what is in them."""
    columns: list[tuple[Collection[str], gr.Column]] = []
    made: dict[str, Any] = {}
    for method in FRONT.values():
        with gr.Column(visible=method.id == METHOD) as column:
            for bound in method.hyperparameters:
                if bound.advanced == advanced:
                    made[setting_id(method.id, bound)] = _widget(wording, method.id, bound)
        columns.append(((method.id,), column))
    for name, (bound, owners) in form.shared().items():
        if bound.advanced == advanced:
            with gr.Column(visible=False) as column:
                made[name] = _widget(wording, "more", bound)
            columns.append((owners, column))
    return columns, made


def _widget(wording: Wording, method_id: str, bound: Bound) -> Any:
    """What a setting is changed with: a list for rates and choices, otherwise by the type of its default."""
    make, said = wording.make, _words(method_id, bound)
    name = form.shared_id(bound) if method_id == "more" else setting_id(method_id, bound)
    common: dict[str, Any] = {"value": bound.default, "elem_id": name}
    if bound.name == "learning_rate" or bound.choices:
        return make(gr.Dropdown, said, filterable=False, **common)  # chosen, not typed: what is typed would be lost
    if isinstance(bound.default, bool):
        return make(gr.Checkbox, said, **common)
    if isinstance(bound.default, str):
        return make(gr.Textbox, said, max_length=int(bound.maximum or 0), **common)
    step = 1 if isinstance(bound.default, int) else min(0.05, bound.minimum or 0.05)
    return make(gr.Slider, said, minimum=bound.minimum, maximum=bound.maximum, step=step, **common)


def _words(method_id: str, bound: Bound) -> Mapping[str, Any]:
    """A setting's label, its help and, where it has any, its choices."""
    said: dict[str, Any] = {"label": f"hyperparameters.{bound.name}", "info": help_key(method_id, bound)}
    if bound.name == "learning_rate":
        rates = [rate for rate in RATES if bound.minimum <= rate <= bound.maximum]  # type: ignore[operator]  # it is a number
        said["choices"] = lambda language: [(locales.written(language, rate), rate) for rate in rates]
    elif bound.choices:
        said["choices"] = lambda language: [(choice(bound, one, language), one) for one in bound.choices]
    return said
