"""What is picked: every method has its widgets, and those of the chosen one make the recipe."""

from typing import Any

import gradio as gr
import pytest

from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN, TASK_IDS
from playground.settings import DEFAULT_BASE
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import pickers
from playground.ui.train.pickers import Lesson


@pytest.fixture(scope="module")
def picked() -> Any:
    with gr.Blocks():
        state = {"key": gr.State("me"), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        return pickers.build(Wording(), Controls(Visit, state))


def given(controls: Any, **changed: Any) -> Any:
    """Every control's first value, but for what is `changed`."""
    first = {name: component.value for name, component in controls.components.items()}
    return {component: {**first, **changed}[name] for name, component in controls.components.items()}


@pytest.mark.parametrize("method", METHODS)
def test_untouched_widgets_are_the_method_s_defaults(picked: Any, method: Any) -> None:
    recipe = picked.recipe.value(given(picked.recipe, method=method))
    assert recipe.method == method
    assert recipe.settings == METHODS[method].complete({})


def test_other_methods_settings_do_not_count(picked: Any) -> None:
    changed = {"lora-rank": 4, "qlora-rank": 32}
    assert picked.recipe.value(given(picked.recipe, method="lora", **changed)).settings["rank"] == 4
    assert picked.recipe.value(given(picked.recipe, method="qlora", **changed)).settings["rank"] == 32


def test_an_order_is_a_recipe_and_what_it_is_trained_on(picked: Any) -> None:
    order = picked.order.value(given(picked.order, task=OWN, rows=[["a", "b"]], file="mine.csv", steps=3, seed=5))
    assert (order.key, order.language, order.method) == ("me", "en", pickers.METHOD)
    assert (order.task, order.rows, order.file, order.steps, order.seed) == (OWN, [["a", "b"]], "mine.csv", 3, 5)


@pytest.mark.parametrize("method", METHODS)
def test_only_the_chosen_method_s_settings_are_seen(picked: Any, method: Any) -> None:
    changes = picked.show_method(method)
    seen = [owner for owner, column in picked.columns if changes[column]["visible"]]
    assert seen == [method, method]  # plain and advanced ones
    assert changes[picked.steps]["visible"] is (METHODS[method].steps > 0)


@pytest.mark.parametrize("task", [*TASK_IDS, OWN])
def test_only_own_examples_have_a_place_to_put_them(picked: Any, task: Any) -> None:
    changes = picked.show_task(Lesson("me", "en", DEFAULT_BASE, task))
    assert changes[picked.own]["visible"] is (task == OWN)
    assert ("8" if task == OWN else "80 examples") in changes[picked.task_info]
