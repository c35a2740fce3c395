"""
The controls of a section, and the one value that they make together.

A handler takes that value and gives back what changes, by component: nothing depends on the order of a list. Knows
nothing about what the controls are for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import gradio as gr

from playground.locales import number

Value = TypeVar("Value")
Changes = dict[Any, Any]  # a component → its new value, or the gr.update of it


@dataclass(frozen=True)
class Controls(Generic[Value]):
    """`components` by the fields of `kind` that they fill; the visitor's key and the language are two of them."""

    kind: Callable[..., Value]
    components: Mapping[str, Any]

    @property
    def inputs(self) -> set[Any]:
        """For an event's `inputs`: a set, so that gradio gives the values by component."""
        return set(self.components.values())

    def value(self, given: Mapping[Any, Any]) -> Value:
        """The value of the section out of gradio's values by component."""
        return self.kind(**{name: given[component] for name, component in self.components.items()})

    def handler(self, act: Callable[[Value], Any]) -> Callable[[Mapping[Any, Any]], Any]:
        """`act` on the section's value as an event's function; a generator function stays one, as gradio asks for."""
        if not inspect.isgeneratorfunction(act):
            return lambda given: act(self.value(given))

        def stream(given: Mapping[Any, Any]) -> Iterator[Changes]:
            yield from act(self.value(given))

        return stream


def checkpoints(steps: Sequence[int], now: int, language: str) -> dict[str, Any]:
    """For a radio: the steps that there are checkpoints of, `now` chosen; hidden where there is nothing to choose from."""
    choices = [(number(language, step), step) for step in steps]
    return gr.update(choices=choices, value=now if now in steps else None, visible=len(steps) > 1)


def after(change: Any, held: Any) -> Any:
    """What a component that held a value holds after a change."""
    if isinstance(change, dict):
        return change.get("value", held)
    return held if change is None else change


def unchanged(component: Any) -> Changes:
    """Nothing changes: gradio wants at least one component named."""
    return {component: gr.skip()}
