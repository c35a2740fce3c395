"""
The link to a recipe: one table of fields for each method, made from the bounds of the tab's own controls; what is read of a
link, what of it is not taken, and the button that copies one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import locales
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN
from playground.bounds import shown
from playground.ui.kit import fields, links, recipes
from playground.ui.kit.events import HIDDEN, note
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import form
from playground.ui.train.form import Order, setting_id
from playground.ui.train.pickers import METHOD, TOUCHED, Pickers
from playground.work.jobs import Run

LABELS = {"method": "train.method", "task": "train.task", "steps": "train.steps", "seed": "train.seed"}


@dataclass(frozen=True)
class Linked(Visit):
    """A visitor with the parameters of the page's link that are a recipe's (kit/recipes); none without one."""

    query: Mapping[str, str]


def table(picked: Pickers, method: str) -> dict[str, links.Field]:
    """The fields of a link to a recipe of a method, by the names of its parameters."""
    made = picked.fields
    own = {bound.name: made[setting_id(method, bound)] for bound in METHODS[method].hyperparameters}
    length = {"steps": made["steps"]} if METHODS[method].steps else {}
    found = fields.table({"method": made["method"], "task": made["task"], **length, recipes.SEED: made["seed"], **own})
    return found | {name: replace(found[name], default=METHODS[method].steps) for name in length}


def read(picked: Pickers, query: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """A whole recipe, with defaults for what a link leaves out or gets wrong; and what of it is not taken."""
    named = query.get("method", METHOD)
    method = named if named in METHODS else METHOD
    known = table(picked, method)
    taken, left = fields.read(known, query)
    return {**{name: field.default for name, field in known.items()}, "method": method, **taken}, left


def order(picked: Pickers, linked: Linked) -> Order:
    """The form that a link asks for; own examples are those that are there already."""
    recipe, _ = read(picked, linked.query)
    names = {bound.name for bound in METHODS[recipe["method"]].hyperparameters}
    asked = Order(
        key=linked.key, language=linked.language, base=linked.base, method=recipe["method"], task=recipe["task"],
        settings={name: recipe[name] for name in names}, steps=recipe.get("steps"), seed=recipe[recipes.SEED],
        rows=[], file=None,
    )  # fmt: skip
    former = form.find(linked.key)
    return replace(asked, rows=former.rows, file=former.file, pasted=former.pasted) if former else asked


def answers(run: Run, asked: Order) -> bool:
    """Whether a training was asked for what a link asks for."""
    job = run.job
    found = (job.base, job.method, job.task.id, job.hyperparameters, job.steps, job.seed)
    return found == (asked.base, asked.method, asked.task, asked.settings, asked.steps or 0, asked.seed)


def untaken(picked: Pickers, query: Mapping[str, str], language: str) -> list[str]:
    """What of a link is not taken and what is used instead, in a plain sentence; none where all of it is."""
    recipe, left = read(picked, query)
    if not left:
        return []
    labels = {name: locales.text(language, LABELS.get(name, f"hyperparameters.{name}")) for name in left}
    unknown = {name: locales.text(language, "link.unknown", name=labels[name]) for name in left if name not in recipe}
    wrong = "; ".join(unknown.get(name) or f"{labels[name]} = {shown(value)}" for name, value in left.items())
    instead = ", ".join(f"{labels[name]} = {_written(name, recipe[name], language)}" for name in left if name in recipe)
    said = [locales.text(language, "link.refused", wrong=wrong)]
    return [" ".join([*said, *([locales.text(language, "link.instead", used=instead)] if instead else [])])]


def _written(name: str, value: Any, language: str) -> str:
    """A value as the page writes it."""
    keys = {"method": f"methods.{value}.name", "task": f"tasks.{value}.title"}
    key = keys.get(name, f"hyperparameters.{name}.{value}")
    if key in locales.words(language):
        return locales.text(language, key)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return locales.written(language, value) if number else recipes.written(value)


def write(asked: Order) -> str:
    """The query of a link to the form as it is."""
    return recipes.link(
        asked.language, asked.base, asked.method, asked.task, asked.settings, steps=asked.steps, seed=asked.seed
    )


def said(asked: Order) -> str:
    """That the link is copied, and what is not in it."""
    return note(asked.language, "train.copied_own" if asked.task == OWN else "train.copied")


def build(wording: Wording, picked: Pickers) -> None:
    """The button, what it says until a setting changes, and how the address forgets a recipe."""
    copy = wording.make(gr.Button, {"value": "compare.copy"}, size="sm", elem_classes="chip pp-copy", elem_id="copy-train")
    copied, query = html("", elem_id="train-copied"), gr.Textbox(visible=False)
    asked = picked.order
    done = copy.click(asked.handler(write), asked.inputs, query, **HIDDEN).success(None, query, None, js=links.COPY)
    done.success(asked.handler(said), asked.inputs, copied, **HIDDEN)
    gr.on([one.change for one in picked.fields.values()], None, None, copied, js="() => ''", **HIDDEN)
    touched = [getattr(one, event) for one in picked.fields.values() for event in TOUCHED if hasattr(one, event)]
    gr.on(touched, None, None, None, js=recipes.FORGET, **HIDDEN)
