"""What a link says of the form of the Train tab: read within its bounds, and written into the form of the session."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from playground.adapt.methods import FRONT
from playground.ui.kit import links
from playground.ui.kit.visit import Visit
from playground.ui.train import form, linked


@pytest.fixture
def visit() -> Visit:
    return Visit(uuid.uuid4().hex, "en", "smollm2-135m")


@pytest.mark.parametrize("method", FRONT)
def test_every_setting_of_every_method_can_be_said(method: str) -> None:
    bounds = FRONT[method].hyperparameters
    switch = {True: "true", False: "false"}
    written = {one.name: switch[one.default] if isinstance(one.default, bool) else str(one.default) for one in bounds}
    query = {"method": method, **{name: value for name, value in written.items() if value}}
    assert linked.read(query) == {"method": method} | {one.name: one.default for one in bounds if one.name in query}
    assert links.refused(query, linked.fields(query)) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": "65"}, {"rank": "4.5"}, {"method": "lara"}, {"task": "x"}, {"steps": "0"}, {"train_seed": "-1"},
        {"learning_rate": "0.0123"}, {"dora": "yes"}, {"targets": "none"}, {"method": "ia3", "rank": "4"},
    ],
)  # fmt: skip
def test_what_the_form_could_not_show_is_refused(wrong: dict[str, str]) -> None:
    name = list(wrong)[-1]
    assert name not in linked.read(wrong)
    assert links.refused(wrong, linked.fields(wrong)) == {name: wrong[name]}


def test_a_setting_without_a_method_is_that_of_any_that_has_it() -> None:
    assert linked.read({"learning_rate": "0.5", "method": "lora"}) == {"method": "lora"}  # LoRA's go to 0.1
    assert linked.read({"learning_rate": "0.5", "examples": "12"}) == {"learning_rate": 0.5, "examples": 12}


def held(visit: Visit) -> Any:
    return form.find(visit.key)


def test_a_link_that_says_nothing_of_the_form_leaves_it_alone(visit: Visit) -> None:
    linked.fill(visit, {}, {"temperature"})
    assert held(visit) is None


def test_a_new_visitor_finds_the_link_s_form(visit: Visit) -> None:
    linked.fill(visit, {"method": "ia3", "steps": 5, "train_seed": 3}, ())
    order = held(visit)
    assert (order.method, order.steps, order.seed, order.task) == ("ia3", 5, 3, "pirate")
    assert order.settings == {bound.name: bound.default for bound in FRONT["ia3"].hyperparameters}


def test_what_a_link_leaves_open_stays_and_what_it_holds_does_not(visit: Visit) -> None:
    linked.fill(visit, {"rank": 32, "alpha": 64, "train_seed": 9}, ())
    form.keep(replace(held(visit), task="json", steps=7))
    linked.fill(visit, {"rank": 4}, {"rank", "train_seed", "task"})
    order = held(visit)
    assert (order.settings["rank"], order.settings["alpha"], order.steps) == (4, 64, 7)
    assert (order.seed, order.task) == (0, "pirate")


def test_a_value_that_the_form_s_method_cannot_have_is_left_out_of_it(visit: Visit) -> None:
    linked.fill(visit, {"learning_rate": 0.5}, ())  # a prompt's; LoRA's go to 0.1
    assert held(visit).settings["learning_rate"] == 0.01
