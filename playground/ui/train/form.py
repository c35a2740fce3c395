"""
What the form of the Train tab says, and the form as a visitor left it: their session keeps it, so that a reload brings it
back. Nothing of it stays in a browser, which others may sit at next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from playground import settings
from playground.actions.lanes import TRAIN
from playground.adapt.methods import METHODS, MORE
from playground.adapt.tasks import RECOMMENDED
from playground.bounds import Bound
from playground.data.given import Given
from playground.ui.kit.visit import Visit
from playground.ui.train.own import given_of
from playground.work.sessions import SESSIONS

LAST, STARTED = "train", "train.started"  # forms of a session: as it is now, and what the latest training was started with
METHOD, TASK = "lora", "pirate"  # chosen at first
MOST_STEPS, MOST_SEED = 100, 100  # of the sliders: what is sensible on a page; programs may ask for more
MOST_CHARACTERS = 2 * settings.MAX_OWN_EXAMPLES * settings.MAX_EXAMPLE_CHARACTERS  # of own examples that are kept


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
    own: Given  # a visitor's own examples, and how they shall be read
    steps: int | None
    seed: int

    @classmethod
    def of(cls, method: str, **given: Any) -> Self:
        """Out of the controls; what they say of own examples makes one field."""
        return super().of(method, **given, own=given_of(given))


def setting_id(method_id: str, bound: Bound) -> str:
    """
    The name of one setting of one method among the controls, and of its element on the page. The methods behind "More
    methods" share theirs: a hundred more would make the page slow.
    """
    return f"{method_id}-{bound.name}" if METHODS[method_id].front else shared_id(bound)


def shared_id(bound: Bound) -> str:
    return f"more-{bound.name}-choice" if bound.choices else f"more-{bound.name}"


@cache
def shared() -> dict[str, tuple[Bound, tuple[str, ...]]]:
    """
    The settings that the methods not in front share, each as wide as the widest of them allows (what one of them
    does not is told when it is used), and whose they are.
    """
    found: dict[str, list[tuple[Bound, str]]] = {}
    for method in MORE.values():
        for bound in method.hyperparameters:
            found.setdefault(shared_id(bound), []).append((bound, method.id))
    return {name: (_widest([bound for bound, _ in held]), tuple(one for _, one in held)) for name, held in found.items()}


def _widest(bounds: Sequence[Bound]) -> Bound:
    first = bounds[0]
    if first.choices:
        every = dict.fromkeys(choice for bound in bounds for choice in bound.choices)
        return replace(first, choices=tuple(every if isinstance(first.default, str) else sorted(every)))
    if isinstance(first.default, bool):
        return first
    least, most = min(one.minimum or 0 for one in bounds), max(one.maximum or 0 for one in bounds)
    return replace(first, minimum=least, maximum=most)


def recommended(order: Order) -> Order | None:
    """The same task learned by the recipe that it carries; None where it carries none."""
    one = RECOMMENDED.get(order.task)
    if one is None:
        return None
    values = METHODS[one.method].complete(one.hyperparameters)
    return replace(order, method=one.method, settings=values, steps=one.steps, seed=0)


def keep(order: Order) -> None:
    """The form as it is now; of other data than before nothing is chosen yet, whatever is still seen of the last ones."""
    forms = SESSIONS.get(order.key).forms
    last: Order | None = forms.get(LAST)
    if last and not order.own.source.continues(last.own.source):
        order = replace(order, own=order.own.afresh())
    forms[LAST] = _held(order)


def keep_started(order: Order) -> None:
    """The form as it is now, with which a training begins."""
    SESSIONS.get(order.key).forms[LAST] = SESSIONS.get(order.key).forms[STARTED] = _held(order)


def find(key: str) -> Order | None:
    """What the training that runs was started with; where none runs, the form as it was left; None for a new visitor."""
    session = SESSIONS.get(key)
    run = session.runs.get(TRAIN)
    order: Order | None = session.forms.get(STARTED if run and not run.ended else LAST)
    if order and order.own.file and not Path(order.own.file).is_file():  # gradio clears old files away
        order = replace(order, own=replace(order.own, file=None))
    return order


def _held(order: Order) -> Order:
    """Without own examples that are far too many."""
    characters = len(order.own.pasted) + sum(len(str(cell)) for row in order.own.rows for cell in row)
    return order if characters <= MOST_CHARACTERS else replace(order, own=replace(order.own, pasted="", rows=()))
