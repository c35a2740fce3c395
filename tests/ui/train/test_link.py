"""The link to a recipe: what the tab copies comes back whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from playground.adapt.methods import FRONT
from playground.adapt.tasks import OWN
from playground.data.given import Given
from playground.settings import DEFAULT_BASE
from playground.ui.kit import links
from playground.ui.kit.visit import Visit
from playground.ui.train import form, link, linked
from playground.ui.train.form import Order

VISIT = Visit("a-visitor-with-a-link", "en", DEFAULT_BASE)


def order(method: str, **changed: Any) -> Order:
    chosen = FRONT[method]
    asked = Order(
        **vars(VISIT), method=method, settings=chosen.complete({}), task="pirate", own=Given(),
        steps=chosen.steps or None, seed=0,
    )  # fmt: skip
    return replace(asked, **changed)


def other(bound: Any) -> Any:
    """A value that is allowed and not the default."""
    if isinstance(bound.default, bool):
        return not bound.default
    if bound.choices:
        return next(one for one in reversed(bound.choices) if one != bound.default)
    return "Answer, please: briefly & well" if isinstance(bound.default, str) else bound.default


@pytest.mark.parametrize("method", FRONT)
def test_what_is_copied_comes_back_whole(method: str) -> None:
    settings = {bound.name: other(bound) for bound in FRONT[method].hyperparameters}
    asked = order(method, settings=settings, task="sentiment", seed=9, steps=FRONT[method].steps and 5)
    query = dict(parse_qsl(link.write(asked)))
    assert links.refused(query, linked.fields(query)) == {}
    assert links.read(query)["tab"] == "train"
    linked.fill(VISIT, linked.read(query), ())
    found = form.find(VISIT.key)
    assert found is not None
    assert (found.method, found.task, found.settings, found.seed) == (method, "sentiment", settings, 9)
    assert (found.steps or None) == (asked.steps or None)


def test_own_examples_are_said_to_stay_behind() -> None:
    assert "your own examples are not in it" in link.said(order("lora", task=OWN))
