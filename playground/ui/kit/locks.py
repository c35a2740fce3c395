"""
Controls that a link locks (`lock=rank,steps`) or hides (`hide=seed`), so that a class keeps to one question.

A locked or hidden control keeps what it opens with, whatever else happens on the page; what would have changed it, an
example's chip or a form that comes back, changes the rest. It is a teaching aid and no fence: whoever edits the address
is free of it. Takes any mapping of names to components; knows nothing about what they are for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import FormComponent

from playground.adapt.methods import METHODS
from playground.compare.job import DECODING
from playground.compare.many import TIMES
from playground.locales import text

LOCKED, HIDDEN, FOLLOWS = "locked", "hidden", "follows"
LOOKS = {"interactive", "label", "info"}  # of a locked control
# By tab and section ("" where it has none): the names of controls in a link, and the keys of what they are called
Names = Mapping[tuple[str, str], Sequence[tuple[str, str]]]
NAMES: Names = {  # besides the labs' sections
    ("compare", ""): [
        ("base", "base.label"), ("prompt", "compare.prompt"), ("panes", "compare.panes"),
        *((bound.name, f"decoding.{bound.name}") for bound in (*DECODING, TIMES)),
    ],
    ("train", ""): [
        ("method", "train.method"), ("task", "train.task"), ("steps", "train.steps"), ("train_seed", "train.seed"),
        *dict.fromkeys(
            (bound.name, f"hyperparameters.{bound.name}") for one in METHODS.values() for bound in one.hyperparameters
        ),
    ],
}  # fmt: skip

# Components by the name of a link's control: those that a visitor sees, and those that only follow them
Lockable = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Wish:
    """The names that a link locks and hides; one that does both is hidden."""

    lock: Sequence[str]
    hide: Sequence[str]

    @classmethod
    def of(cls, link: Mapping[str, Any]) -> Wish:
        return cls(link["lock"], link["hide"])

    @property
    def names(self) -> set[str]:
        return {*self.lock, *self.hide}

    def unknown(self, controls: Collection[str]) -> dict[str, str]:
        """What is no control's name, by the parameter that gives it, as `links.refused` has it."""
        given = {"lock": self.lock, "hide": self.hide}
        wrong = {name: ", ".join(one for one in names if one not in controls) for name, names in given.items()}
        return {name: value for name, value in wrong.items() if value}

    def fixed(self, controls: Lockable) -> dict[int, str]:
        """How each component is held, by its id: what `guarded` takes, and what a page's `locks` state holds."""
        found = {}
        for how, names in ((LOCKED, self.lock), (HIDDEN, self.hide)):
            for one in (one for name in names for one in controls.get(name, ())):
                found[one._id] = how if _is_seen(one) else FOLLOWS
        return found

    def put(self, controls: Lockable, shown: dict[Any, dict[str, Any]], language: str) -> None:
        """Locks and hides in `shown`, what a page opens with: properties by component, words in `language` among them."""
        fixed = self.fixed(controls)
        for one in dict.fromkeys(one for held in controls.values() for one in held):  # one may have several names
            if fixed.get(one._id) in (LOCKED, HIDDEN):
                own = shown.setdefault(one, {})
                own |= {"visible": False} if fixed[one._id] == HIDDEN else _locked(one, own, language)


def _is_seen(component: Any) -> bool:
    return isinstance(component, FormComponent) and component.visible is True


def _locked(component: Any, own: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A label, where it had none, and the sentence that says who has set it."""
    info = own.get("info", getattr(component, "info", None))
    said = " · ".join(filter(None, (text(language, "locks.set"), info)))
    bare = {"show_label": True, "container": True} if getattr(component, "show_label", True) is False else {}
    return {"interactive": False, "info": said, "elem_classes": [*component.elem_classes, "pp-locked"], **bare}


# What comes later


def guarded(outputs: Sequence[Block], given: Any, fixed: Mapping[int, str], opening: bool) -> Any:
    """
    What a handler gives for its `outputs`, less what would change a control that is held. Handlers of the `opening` bring
    values (a form as it was left, into which the link was written before), but no other looks.
    """
    if isinstance(given, dict) and given and all(isinstance(one, Block) for one in given):
        return {one: _rest(value, fixed.get(one._id), opening) for one, value in given.items()}
    if isinstance(given, list | tuple) and len(outputs) > 1:
        return [_rest(value, fixed.get(one._id), opening) for one, value in zip(outputs, given, strict=True)]
    return _rest(given, fixed.get(outputs[0]._id), opening) if len(outputs) == 1 else given


def _rest(value: Any, how: str | None, opening: bool) -> Any:
    if how is None or (opening and how == FOLLOWS):
        return value
    if how == FOLLOWS:
        return gr.skip()
    if not (isinstance(value, dict) and value.get("__type__") == "update"):
        return value if opening else gr.skip()
    dropped = LOOKS | (set() if opening else {"value"}) | ({"visible"} if how == HIDDEN else set())
    return {name: one for name, one in value.items() if name not in dropped}
