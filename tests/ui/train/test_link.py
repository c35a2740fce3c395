"""The link to a recipe: what the tab copies comes back, what its controls cannot hold is said."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from playground.actions.lanes import TRAIN
from playground.adapt import tasks
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN
from playground.locales import text
from playground.settings import DEFAULT_BASE
from playground.train.job import TrainingJob
from playground.ui.kit import links, recipes
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import form, link
from playground.ui.train import tab as train
from playground.ui.train.form import Order
from playground.ui.train.link import Linked
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.ui.drawn import both_languages

every_method = pytest.mark.parametrize("method", METHODS)
VISIT = Visit("a-visitor-with-a-link", "en", DEFAULT_BASE)


@pytest.fixture(scope="module")
def tab() -> Any:
    with gr.Blocks():
        state = {"key": gr.State(VISIT.key), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        return train.build(Wording(), Controls(Visit, state))


def order(method: str, **changed: Any) -> Order:
    chosen = METHODS[method]
    asked = Order(
        **vars(VISIT), method=method, settings=chosen.complete({}), task="pirate", rows=[], file=None,
        steps=chosen.steps or None, seed=0,
    )  # fmt: skip
    return replace(asked, **changed)


def query(asked: Order) -> dict[str, str]:
    return dict(parse_qsl(link.write(asked)))


def linked(query: dict[str, str]) -> Linked:
    return Linked(**vars(VISIT), query=recipes.of_link(query))


def other(control: Any) -> Any:
    """A value that a control can hold and does not begin with."""
    if isinstance(control, gr.Slider):
        return control.maximum
    if isinstance(control, gr.Checkbox):
        return not control.value
    if isinstance(control, gr.Dropdown | gr.Radio):
        return next(value for _, value in reversed(control.choices) if value not in (control.value, OWN))
    return "Answer, please: briefly & well"


@every_method
def test_what_is_copied_comes_back_whole(tab: Any, method: str) -> None:
    fields = tab.picked.fields
    settings = {bound.name: other(fields[form.setting_id(method, bound)]) for bound in METHODS[method].hyperparameters}
    length = {"steps": 7} if METHODS[method].steps else {}
    for asked in (order(method), order(method, settings=settings, task="json", seed=5, **length)):
        found = link.order(tab.picked, linked(query(asked)))
        assert vars(found) == vars(asked)
        assert link.read(tab.picked, recipes.of_link(query(asked)))[1] == {}
        assert link.untaken(tab.picked, recipes.of_link(query(asked)), "en") == []
        filled = tab.picked.fill(found, VISIT)
        assert filled[fields["method"]] == method
        assert filled[fields["seed"]]["value"] == asked.seed


def bad(control: Any) -> list[str]:
    """Below, above, and garbage."""
    if isinstance(control, gr.Slider):
        step = 1 if float(control.step or 1).is_integer() else 0.01
        beyond = [str(control.minimum - step), str(control.maximum + step)]
        return [*beyond, "many", "nan", "1e999", "1.5" if step == 1 else "x"]
    if isinstance(control, gr.Textbox):
        return ["x" * ((control.max_length or 0) + 1)]
    return ["many", "-1", "2"]


@both_languages
@every_method
def test_what_a_control_cannot_hold_is_the_default_and_is_said(tab: Any, method: str, language: str) -> None:
    fields, usual = tab.picked.fields, order(method)
    names = {bound.name: form.setting_id(method, bound) for bound in METHODS[method].hyperparameters}
    names |= {"task": "task", "seed": "seed", **({"steps": "steps"} if METHODS[method].steps else {})}
    for name, control in names.items():
        for value in bad(fields[control]):
            given = recipes.of_link({"tab": "train", "method": method, name: value})
            assert link.order(tab.picked, replace(linked({}), query=given)) == usual
            (said,) = link.untaken(tab.picked, given, language)
            label = text(language, link.LABELS.get(name, f"hyperparameters.{name}"))
            assert f"{label} = {value[:40]}" in said
            assert said.startswith(text(language, "link.refused", wrong="")[:-2])
            assert text(language, "link.instead", used="")[:-1] in said


def test_an_unknown_method_and_a_setting_of_another_one_are_said(tab: Any) -> None:
    (said,) = link.untaken(tab.picked, {"method": "prefix", "steps": "3"}, "en")
    assert said == "Not taken from this link: Method = prefix. Used instead: Method = LoRA."
    (said,) = link.untaken(tab.picked, {"method": "ia3", "rank": "8"}, "en")
    assert said == "Not taken from this link: Rank (no such setting)."


def test_a_seed_is_the_recipe_s_only_in_a_link_to_a_recipe() -> None:
    assert recipes.of_link({"tab": "train", "seed": "3", "rank": "4", "temperature": "1"}) == {"seed": "3", "rank": "4"}
    for other_link in ({"tab": "train", "seed": "3", "prompt": "Why?"}, {"tab": "compare", "rank": "4"}, {"method": "lora"}):
        assert recipes.of_link(other_link) == {}


def test_no_parameter_means_two_things() -> None:
    """But for the seed, which the tab of the link decides."""
    others = {field.name for field in (*links.FIELDS, links.LANGUAGE)}
    assert recipes.OWN & others == set()
    assert not [name for name in recipes.OWN if links.WITHIN in name]


def test_own_examples_stay_where_they_are(tab: Any) -> None:
    form.keep(order("lora", task=OWN, pasted="a\tb"))
    found = link.order(tab.picked, linked(query(order("ia3", task=OWN))))
    assert (found.task, found.pasted, found.method) == (OWN, "a\tb", "ia3")
    assert "your own examples are not in it" in link.said(found)


def test_a_training_is_shown_under_a_link_to_it_and_under_no_other(tab: Any) -> None:
    asked = order("lora", steps=3)
    job = TrainingJob(DEFAULT_BASE, "lora", tasks.task("pirate"), asked.settings, 3, 0).checked()
    run = SESSIONS.get(VISIT.key).runs[TRAIN] = Run(TRAIN, lambda stop: iter(()), job)

    def shows(one: Order | None) -> bool:
        return any(tab.loss in changes for changes in tab.open(linked(query(one) if one else {})))

    run._update(state="finished")
    assert [shows(one) for one in (asked, None, replace(asked, seed=1), order("ia3"))] == [True, True, False, False]
    assert tab.restore(linked(query(replace(asked, steps=9))))[tab.picked.fields["steps"]]["value"] == 9
    assert form.find(VISIT.key).steps == 9  # kept, for a page in another language
