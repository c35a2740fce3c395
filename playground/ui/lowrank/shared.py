"""
What the sections about a trained adapter share: which one is looked at, and the components that say so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.actions.adapters import list_adapters
from playground.adapt.adapters import STEP_MARK, Adapter
from playground.ui.compare.panes import pane_title
from playground.ui.kit.controls import Controls, Value
from playground.work.sessions import SESSIONS


@dataclass(frozen=True)
class Chosen:
    """
    The adapter that a visitor looks at. What happens while another one is being drawn takes no more than this: gradio
    refuses the value of a control whose choices were replaced a moment before.
    """

    key: str
    language: str
    chosen: str  # its id, with its checkpoint; "" if there is nothing to look at

    @property
    def whole(self) -> str:
        """Its id without the checkpoint."""
        return self.chosen.partition(STEP_MARK)[0]


@dataclass(frozen=True)
class Shared:
    """The components that more than one section reads."""

    key: gr.BrowserState
    language: gr.BrowserState
    base: gr.Dropdown
    chosen: gr.State  # changes in queued events only, or its own `change` event would not happen
    prompt: gr.Textbox
    module: gr.Dropdown

    def controls(self, kind: Callable[..., Value], **own: Any) -> Controls[Value]:
        """The controls of a section: for everything that `kind` takes the component of that name, of these or its own."""
        known = {**vars(self), **own}
        return Controls(kind, {name: known[name] for name in inspect.signature(kind).parameters})


def known(key: str, adapter_id: str) -> Adapter | None:
    library = SESSIONS.get(key).library
    return library.get(adapter_id) if library.knows(adapter_id) else None


def choices(key: str, language: str, base_id: str | None) -> list[tuple[str, str]]:
    """Adapters that something can be seen of: all but few-shot."""
    listed = [one for one in list_adapters(key, base_id) if one["method"] != "few_shot"]
    return [(pane_title(one, language), one["id"]) for one in listed]


def ready_made(language: str) -> list[tuple[str, str]]:
    """What everybody can choose."""
    return choices("", language, None)
