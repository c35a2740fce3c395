"""
The button that copies a link to the recipe in the form; `linked` reads one.
"""

from __future__ import annotations

import gradio as gr

from playground.adapt.tasks import OWN
from playground.ui.kit import links, recipes
from playground.ui.kit.events import HIDDEN, note, touches
from playground.ui.kit.wording import Wording, html
from playground.ui.train.form import Order
from playground.ui.train.pickers import Pickers


def write(asked: Order) -> str:
    """The query of a link to the form as it is."""
    return recipes.link(
        asked.language, asked.base, asked.method, asked.task, asked.settings, steps=asked.steps, seed=asked.seed
    )


def said(asked: Order) -> str:
    """That the link is copied, and what is not in it."""
    return note(asked.language, "train.copied_own" if asked.task == OWN else "train.copied")


def build(wording: Wording, picked: Pickers) -> None:
    """The button, and what it says until a setting changes."""
    copy = wording.make(gr.Button, {"value": "compare.copy"}, size="sm", elem_classes="chip pp-copy", elem_id="copy-train")
    copied, query = html("", elem_id="train-copied"), gr.Textbox(visible=False)
    asked = picked.order
    done = copy.click(asked.handler(write), asked.inputs, query, **HIDDEN).success(None, query, None, js=links.COPY)
    done.success(asked.handler(said), asked.inputs, copied, **HIDDEN)
    touched = [*touches(picked.fields.values()), picked.task_info.select]
    gr.on(touched, None, None, copied, js="() => ''", **HIDDEN)
