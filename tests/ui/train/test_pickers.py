"""What is picked: every method has its widgets, and those of the chosen one make the recipe."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from playground.actions.lanes import TRAIN
from playground.adapt import tasks
from playground.adapt.method import FAMILIES
from playground.adapt.methods import FRONT, METHODS
from playground.adapt.said import help_key
from playground.adapt.tasks import OWN, RECOMMENDED, TASK_IDS
from playground.bounds import Bound
from playground.data.given import Given
from playground.locales import LANGUAGES, text
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from playground.settings import DEFAULT_BASE
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import form, linked, more, pickers, task_html
from playground.ui.train.form import Order
from playground.ui.train.pickers import Lesson
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS


@pytest.fixture(scope="module")
def picked() -> Any:
    with gr.Blocks():
        state = {"key": gr.State("me"), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        return pickers.build(Wording(), Controls(Visit, state))


def given(controls: Any, **changed: Any) -> Any:
    """Every control's first value, but for what is `changed`."""
    first = {name: component.value for name, component in controls.components.items()}
    return {component: {**first, **changed}[name] for name, component in controls.components.items()}


@pytest.mark.parametrize("method", FRONT)
def test_untouched_widgets_are_the_method_s_defaults(picked: Any, method: Any) -> None:
    recipe = picked.recipe.value(given(picked.recipe, method=method))
    assert recipe.method == method
    assert recipe.settings == FRONT[method].complete({})


RANKED = [one.id for one in METHODS.values() if "rank" in one.complete({})]
NOT_MORE = {  # by what is said of their rank
    "randlora": "a smaller one needs more bases", "tinylora": "trains no more numbers", "unilora": "trains no more numbers",
    "adalora": "depends on the initial rank",
}  # fmt: skip


@pytest.mark.parametrize("method", RANKED)
def test_whether_more_rank_trains_more_is_as_its_help_says(method: str) -> None:
    def trained(rank: int) -> int:
        above = {"initial_rank": 64} if method == "adalora" else {}
        return METHODS[method].trainable(CATALOGUE[DEFAULT_BASE].architecture, {"rank": rank, **above})

    said = text("en", help_key(method, rank_of(method)))
    assert NOT_MORE.get(method, "") in said
    assert (trained(8) > trained(4)) == (method not in NOT_MORE)
    assert (trained(32) == trained(16)) == (method in {"lokr", "tinylora", "unilora", "adalora"})


def rank_of(method: str) -> Bound:
    (bound,) = (bound for bound in METHODS[method].hyperparameters if bound.name == "rank")
    return bound


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method", ["vera", "tinylora", "lokr", "hra"])
def test_a_shared_setting_has_the_method_s_value_and_help_however_the_form_is_filled(
    picked: Any, method: str, language: str
) -> None:
    key, bound = f"help-{method}-{language}", rank_of(method)
    field = picked.fields[form.setting_id(method, bound)]
    slides = not bound.choices  # the slider is as long as the method allows
    ends = {"minimum": bound.minimum, "maximum": bound.maximum} if slides else {}
    wanted = {"value": bound.default, "info": text(language, help_key(method, bound)), **ends}
    chosen = picked.choose(order(picked, key=key, language=language, method=method))
    visit = Visit(key, language, DEFAULT_BASE)
    for changes in (chosen, picked.restore(visit), picked.opened(visit, {"rank": bound.default}, ["rank"])):
        assert {name: changes[field][name] for name in wanted} == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_task_s_own_recipe_is_a_link_that_fills_the_form_with_it(language: str) -> None:
    told = {one: re.findall(r'href="\?([^"]*)"', task_html.task_info(one, "ia3", language)) for one in TASK_IDS}
    assert {one for one, links in told.items() if links} == set(RECOMMENDED)
    one, (link,) = RECOMMENDED["everyday"], told["everyday"]
    read = linked.read(dict(parse_qsl(unescape(link))))
    assert (read["method"], read["task"], read["steps"]) == ("lora", "everyday", one.steps)
    assert {name: read[name] for name in one.hyperparameters} == one.hyperparameters
    assert one.hyperparameters == {"rank": 6, "alpha": 8, "dropout": 0.05, "targets": "all_linear"}  # smol-course's


def test_other_methods_settings_do_not_count(picked: Any) -> None:
    changed = {"lora-rank": 4, "qlora-rank": 32}
    assert picked.recipe.value(given(picked.recipe, method="lora", **changed)).settings["rank"] == 4
    assert picked.recipe.value(given(picked.recipe, method="qlora", **changed)).settings["rank"] == 32


def test_an_order_is_a_recipe_and_what_it_is_trained_on(picked: Any) -> None:
    order = picked.order.value(given(picked.order, task=OWN, rows=[["a", "b"]], file="mine.csv", steps=3, seed=5))
    assert (order.key, order.language, order.method) == ("me", "en", form.METHOD)
    assert (order.task, order.own, order.steps, order.seed) == (OWN, Given("mine.csv", rows=[["a", "b"]]), 3, 5)


@pytest.mark.parametrize("method", FRONT)
def test_only_the_chosen_method_s_settings_are_seen(picked: Any, method: Any) -> None:
    changes = picked.choose(order(picked, method=method))
    seen = [owners for owners, column in picked.columns if changes[column]["visible"]]
    assert seen == [(method,), (method,)]  # plain and advanced ones
    assert changes[picked.fields["steps"]]["visible"] is (FRONT[method].steps > 0)


@pytest.mark.parametrize("task", [*TASK_IDS, OWN])
def test_only_own_examples_have_a_place_to_put_them(picked: Any, task: Any) -> None:
    changes = picked.show_task(Lesson("me", "en", DEFAULT_BASE, "lora", task))
    assert changes[picked.own.column]["visible"] is (task == OWN)
    assert ("8" if task == OWN else "80 examples") in changes[picked.task_info]


@pytest.mark.parametrize("language", LANGUAGES)
def test_few_shot_has_examples_to_choose_from_and_a_seed_that_chooses(picked: Any, language: str) -> None:
    def said(method: str) -> tuple[str, str]:
        changes = picked.choose(order(picked, language=language, method=method))
        return changes[picked.task_info], changes[picked.fields["seed"]]["info"]

    told = {method: said(method) for method in FRONT}
    assert len({one for method, one in told.items() if method != "few_shot"}) == 1
    assert text(language, "prepare.task_info", train="80", held_out="16") in told["few_shot"][0]
    assert told["few_shot"][1] == text(language, "prepare.seed.help") != told["lora"][1]


# The form after a reload


def order(picked: Any, **changed: Any) -> Order:
    return cast("Order", picked.order.value(given(picked.order, **changed)))


def back(picked: Any, key: str, language: str = "en") -> dict[str, Any]:
    """What is in the form after a reload, by the fields of the order."""
    values = {component: getattr(component, "value", None) for component in picked.fields.values()}
    for component, change in picked.restore(Visit(key, language, DEFAULT_BASE)).items():
        values[component] = change.get("value", values.get(component)) if is_update(change) else change
    return {name: values[component] for name, component in picked.fields.items()}


def is_update(change: Any) -> bool:
    return isinstance(change, dict) and "__type__" in change


FILLED: dict[str, Any] = {
    "method": "prompt_tuning", "task": OWN, "steps": 5, "seed": 7, "pasted": "a\tb", "rows": [["Who?", "Me."], ["", ""]],
    "prompt_tuning-virtual_tokens": 3, "prompt_tuning-initialization": "text",
    "prompt_tuning-initialization_text": "Answer briefly",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_form_comes_back_as_it_was_filled_in(picked: Any, language: str, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("a,b\n")
    form.keep(order(picked, key=f"back-{language}", file=str(file), **FILLED))
    found = back(picked, f"back-{language}", language)
    heads = [text(language, "own.prompt"), text(language, "own.response")]
    expected = {**FILLED, "file": str(file), "rows": {"headers": heads, "data": FILLED["rows"]}}
    assert {name: found[name] for name in expected} == expected
    shown = picked.restore(Visit(f"back-{language}", language, DEFAULT_BASE))
    assert [owners for owners, column in picked.columns if shown[column]["visible"]] == [("prompt_tuning",)] * 2
    assert shown[picked.own.column]["visible"]
    file.unlink()
    assert back(picked, f"back-{language}", language)["file"] is None


def test_another_method_comes_back_with_its_usual_steps(picked: Any) -> None:
    picked.choose(order(picked, key="chosen", method="full_fine_tuning", steps=77))
    assert (back(picked, "chosen")["method"], back(picked, "chosen")["steps"]) == ("full_fine_tuning", 12)


def test_who_has_filled_in_nothing_finds_the_form_as_it_is(picked: Any) -> None:
    assert picked.restore(Visit("nobody", "en", DEFAULT_BASE)) == {picked.settling: ""}
    form.keep(order(picked, key="", **FILLED))  # a page that still opens is nobody's
    assert picked.restore(Visit("nobody", "en", DEFAULT_BASE)) == {picked.settling: ""}


def test_while_it_trains_the_form_is_that_of_the_training_and_then_the_last_one(picked: Any) -> None:
    started, later = (order(picked, key="runs", **{**FILLED, "steps": steps}) for steps in (5, 9))
    session = SESSIONS.get("runs")
    session.runs[TRAIN] = run = Run(TRAIN, lambda stop: iter(()))
    form.keep_started(started)
    form.keep(later)
    assert back(picked, "runs")["steps"] == 5
    run._update(state="finished")
    assert back(picked, "runs")["steps"] == 9


def test_far_too_many_own_examples_are_not_kept(picked: Any) -> None:
    form.keep(order(picked, key="many", **{**FILLED, "pasted": "x" * (form.MOST_CHARACTERS + 1)}))
    found = back(picked, "many")
    assert (found["pasted"], found["steps"]) == ("", 5)


def test_of_other_own_examples_nothing_comes_back_that_was_chosen_for_the_last(picked: Any) -> None:
    """The page still holds what was chosen when it sends them."""
    for pasted, header in (("a\tb\nc\td", "yes"), ("a\tb\nc\te", "yes"), ("x\ty", ""), ("x\ty", "yes")):
        form.keep(order(picked, key="other", **{**FILLED, "pasted": pasted, "header": "yes"}))
        assert back(picked, "other")["header"] == header


@pytest.mark.parametrize("task", TASK_IDS)
def test_a_task_s_own_recipe_is_put_in_the_form_in_place_and_kept(picked: Any, task: str) -> None:
    key = f"recipe-{task}"
    changes = picked.use(order(picked, key=key, method="ia3", task=task, steps=5, seed=7))
    one = RECOMMENDED.get(task)
    if one is None:
        assert (changes, form.find(key)) == ({picked.task_info: gr.skip()}, None)
        return
    usual = METHODS[one.method].complete(one.hyperparameters)
    assert {name: changes[picked.fields[form.setting_id(one.method, bound)]] for name, bound in bounds(one.method)} == usual
    assert changes[picked.fields["steps"]]["value"] == one.steps
    found = back(picked, key)
    assert [found[name] for name in ("method", "task", "steps", "seed")] == [one.method, task, one.steps, 0]


# The methods behind one click


@pytest.mark.parametrize("method", ["oft", "hra", "last_layers"])
def test_methods_that_share_their_settings_begin_as_usual(picked: Any, method: Any) -> None:
    key = f"shared-{method}"
    changes = picked.choose(order(picked, key=key, method=method, **{"more-learning_rate": 0.1}))
    usual = METHODS[method].complete({})
    shown = {name: changes[picked.fields[form.setting_id(method, bound)]] for name, bound in bounds(method)}
    assert {name: one["value"] for name, one in shown.items()} == usual
    seen = [owners for owners, column in picked.columns if changes[column]["visible"]]
    assert len(seen) == len(usual)
    assert all(method in owners for owners in seen)
    found = back(picked, key)
    assert {name: found[form.setting_id(method, bound)] for name, bound in bounds(method)} == usual


def bounds(method: str) -> list[tuple[str, Any]]:
    return [(bound.name, bound) for bound in METHODS[method].hyperparameters]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_method_has_its_card_with_what_can_be_done_with_it(language: str) -> None:
    drawn = more.drawn(language)
    assert re.findall('data-method="(.*?)"', drawn) == sorted(METHODS, key=lambda one: FAMILIES.index(METHODS[one].family))
    cards = dict(re.findall('<button type="button" data-method="(.*?)">(.*?)</button>', drawn))
    possible, not_possible = (text(language, key, what="|").split("|")[0] for key in ("methods.can", "methods.cannot"))
    for name, one in METHODS.items():
        able = [ability for ability in ("merges", "mixes", "quantized") if getattr(one, ability)] if one.config else []
        can, _, cannot = cards[name].partition(not_possible)
        assert (possible in can) == bool(able)
        for ability in ("merges", "mixes", "quantized") if one.config else ():
            assert text(language, f"methods.can.{ability}") in (can if ability in able else cannot), (name, ability)
    assert "Λ<sub>b</sub> B Λ<sub>d</sub> A" in cards["vera"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_task_shows_some_of_its_examples_and_its_rule(language: str) -> None:
    for one in TASK_IDS:
        shown, task = unescape(task_html.task_info(one, "lora", language)), tasks.task(one)
        for example in (*task.train[:4], *task.held_out[:2]):
            assert f"<b>{example.prompt}</b>\n{example.response}</p>" in shown
        assert text(language, "train.some.rule", rule=text(language, f"race.rule.{one}")) in shown
    assert "<details" not in task_html.task_info(OWN, "lora", language)


# Methods that a base cannot have


def seen(html: str) -> list[str]:
    """Whose reasons stand there for everybody; those of the methods behind one click are only their tooltips."""
    return re.findall('data-misfit="([^"]*)">', html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_base_cannot_have_is_named_with_the_reason(
    picked: Any, language: str, tiny: Base, loaded: Any, tiny_forms: Any
) -> None:
    loaded(tiny)
    assert seen(more.misfits("tiny", language)) == []
    found = picked.show_misfits(Visit("me", language, "tiny:nf4_double"))[picked.misfits]
    assert seen(found) == ["full_fine_tuning"]
    assert text(language, "error.full_quantized") in found
    bare = replace(tiny.architecture, linears=tuple(one for one in tiny.architecture.linears if one.name == "o_proj"))
    loaded(replace(tiny, id="bare", spec=replace(tiny.spec, id="bare", architecture=bare)))
    found = more.misfits("bare", language)
    assert seen(found) == ["ia3"]
    assert text(language, "error.method_no_layers", method="IA3") in found
