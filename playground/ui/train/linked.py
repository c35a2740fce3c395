"""
What a link says of the form of the Train tab: method, task, steps, seed (`train_seed`: `seed` is that of the answers), and
hyperparameters by their names. What it leaves open stays as the form was left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from playground.adapt.methods import FRONT, METHODS
from playground.adapt.tasks import OWN, TASK_IDS
from playground.bounds import RATES, Bound
from playground.data.given import Given
from playground.errors import PlaygroundError
from playground.ui.kit import links
from playground.ui.kit.links import Field
from playground.ui.kit.recipes import NAMES, SEED
from playground.ui.kit.visit import Visit
from playground.ui.train import form
from playground.ui.train.form import METHOD, MOST_SEED, MOST_STEPS, TASK, Order

SWITCH = {"true": True, "false": False}


def fields(query: Mapping[str, str]) -> tuple[Field, ...]:
    """What a link can say: hyperparameters are those of its method, or of any in front where it names none."""
    named = query.get("method")
    methods = [METHODS[named]] if named in METHODS else list(FRONT.values())
    bounds: dict[str, list[Bound]] = {}
    for bound in (bound for one in methods for bound in one.hyperparameters):
        bounds.setdefault(bound.name, []).append(bound)
    return (
        Field("method", METHOD, links.one_of(METHODS)),
        Field("task", TASK, links.one_of((*TASK_IDS, OWN))),
        links.number(Bound("steps", METHODS[METHOD].steps, 1, MOST_STEPS)),
        links.number(Bound(SEED, 0, 0, MOST_SEED)),
        *(_any(name, found) for name, found in bounds.items()),
    )


def _any(name: str, bounds: Sequence[Bound]) -> Field:
    """A value that one of the bounds allows."""

    def read(value: str) -> Any:
        for bound in bounds[:-1]:
            try:
                return _value(bound, value)
            except ValueError:
                continue
        return _value(bounds[-1], value)

    return Field(name, bounds[0].default, read)


def _value(bound: Bound, written: str) -> Any:
    """Raises ValueError for what the form could not show."""
    kind = type(bound.default)
    value = bound.check(SWITCH.get(written) if kind is bool else kind(written))
    if bound.name == "learning_rate" and value not in RATES:
        raise ValueError(written)
    return value


def read(query: Mapping[str, str]) -> dict[str, Any]:
    """What of it a link says, by name; without what cannot be read (`links.refused`)."""
    known = fields(query)
    wrong = links.refused({one.name: query[one.name] for one in known if one.name in query}, known)
    return {one.name: one.read(query[one.name]) for one in known if query.get(one.name) and one.name not in wrong}


def fill(visit: Visit, given: Mapping[str, Any], held: Collection[str]) -> None:
    """
    Writes it into the form that the visitor's session keeps, which the page then brings back. What it leaves open stays as
    it was left, or has its default where it is `held`.
    """
    if not given and not set(held) & set(NAMES):
        return
    first, left = _first(visit), form.find(visit.key) or _first(visit)
    given = {name: getattr(first, name) for name in ("method", "task") if name in held} | dict(given)
    method = METHODS[given.get("method", left.method)]
    same = method.id == left.method
    kept = {name: value for name, value in left.settings.items() if same and name not in held}
    settings = {
        bound.name: given[bound.name] if fits(bound, given.get(bound.name)) else kept.get(bound.name, bound.default)
        for bound in method.hyperparameters
    }
    steps = left.steps if same and "steps" not in held else method.steps
    seed = first.seed if SEED in held else left.seed
    form.keep_started(
        replace(
            left, method=method.id, settings=settings, task=given.get("task", left.task), steps=given.get("steps", steps),
            seed=given.get(SEED, seed),
        )
    )  # fmt: skip


def fits(bound: Bound, value: Any) -> bool:
    """Whether it is a value that the bound allows: that of a method which the link has not named may not; None is none."""
    try:
        bound.check(value)
    except PlaygroundError:
        return False
    return True


def _first(visit: Visit) -> Order:
    """The form as a new visitor finds it."""
    method = METHODS[METHOD]
    settings = {bound.name: bound.default for bound in method.hyperparameters}
    return Order(visit.key, visit.language, visit.base, METHOD, settings, TASK, Given(), method.steps, 0)
