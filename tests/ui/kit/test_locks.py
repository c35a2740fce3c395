"""Controls that a link locks or hides: every one can be, keeps what it opens with, and nothing that comes later moves it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from playground.locales import LANGUAGES, text
from playground.ui import page
from playground.ui.kit import links, locks
from playground.ui.kit.lab import lock_names
from playground.ui.kit.locks import Wish, guarded
from playground.ui.kit.wording import Wording

NAMES = [name for names in locks.NAMES.values() for name, _ in names]


@pytest.fixture(scope="module")
def shell() -> page.Shell:
    with gr.Blocks():
        return page.build_shell(Wording())


def opened(shell: page.Shell, **query: str) -> Any:
    return shell.opened("", SimpleNamespace(query_params={"lang": "en", **query}, headers={"accept-language": "en"}))


def seen(shell: page.Shell, name: str) -> list[Any]:
    """What a visitor sees of a control."""
    held = Wish([name], []).fixed(shell.lockable)
    return [one for one in shell.lockable[name] if held[one._id] == locks.LOCKED]


def test_what_the_teacher_s_page_names_is_what_can_be_locked(shell: page.Shell) -> None:
    assert set(NAMES) == {name for name in shell.lockable if links.WITHIN not in name}
    assert {f"toy{links.WITHIN}rank", f"tensor{links.WITHIN}formats"} <= set(shell.lockable)


def test_a_section_s_controls_are_named_under_the_section_that_they_stand_in(shell: page.Shell) -> None:
    names = lock_names(shell.labs)
    listed = {place: [name.partition(links.WITHIN)[2] for name, _ in each] for place, each in names.items() if place[1]}
    assert list(listed) == [(tab, section) for tab, sections in links.SECTIONS.items() for section in sections]
    assert {name for each in names.values() for name, _ in each} <= set(shell.lockable)
    assert listed["lowrank", "toy"] == ["kind", "rows", "columns", "rank", "seed"]
    assert listed["lowrank", "picture"] == ["kept"]
    assert listed["lowrank", "module"] == [
        "adapter",
        "step",
        "module",
        "kept",
        "as_rank",
    ]  # two of them stand above the list
    stands = {one._id for place, each in listed.items() for name in each for one in shell.lockable[f"{place[1]}.{name}"]}
    assert stands == {one._id for lab in shell.labs.values() for (one,) in lab.controls.values()}


@pytest.mark.parametrize("name", NAMES)
def test_a_locked_control_is_shown_and_says_who_has_set_it(shell: page.Shell, name: str) -> None:
    changes = opened(shell, lock=name)
    assert seen(shell, name)
    for one in seen(shell, name):
        assert changes[one]["interactive"] is False
        assert changes[one]["info"].startswith(text("en", "locks.set"))
        assert changes[one]["elem_classes"][-1] == "pp-locked"
        assert "visible" not in changes[one]
    others = {one for each in NAMES if each != name for one in shell.lockable[each]} - set(shell.lockable[name])
    assert [one for one in others if one in changes and changes[one].get("interactive") is False] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_hidden_control_is_not_shown(shell: page.Shell, name: str) -> None:
    changes = opened(shell, hide=name)
    assert all(changes[one]["visible"] is False for one in seen(shell, name))


@pytest.mark.parametrize("how", ["lock", "hide"])
@pytest.mark.parametrize("name", NAMES)
def test_what_comes_later_changes_neither_value_nor_looks(shell: page.Shell, name: str, how: str) -> None:
    fixed = opened(shell, **{how: name})[shell.held]
    free = gr.Textbox()
    for one in shell.lockable[name]:
        given = {one: gr.update(value=1, interactive=True, label="x", info="y", choices=["z"]), free: "new"}
        found = guarded([one, free], given, fixed, opening=False)
        assert found[free] == "new"
        assert set(found[one]) <= {"__type__", "choices"}
        assert guarded([one, free], [1, "new"], fixed, opening=False) == [gr.skip(), "new"]
        assert guarded([one], 1, fixed, opening=False) == gr.skip()


def test_a_form_that_comes_back_brings_values_and_no_other_looks(shell: page.Shell) -> None:
    fixed = opened(shell, lock="steps", hide="train_seed")[shell.held]
    steps, seed = shell.lockable["steps"][0], shell.lockable["train_seed"][0]
    given = {steps: gr.update(value=9, visible=True), seed: gr.update(value=2, visible=True, info="x")}
    found = guarded([steps, seed], given, fixed, opening=True)
    assert found == {steps: gr.update(value=9, visible=True), seed: gr.update(value=2)}


def test_a_base_that_cannot_be_had_gives_way_while_the_page_opens_and_only_then(shell: page.Shell) -> None:
    fixed = opened(shell, lock="base")[shell.held]
    picked, used = shell.lockable["base"]
    assert guarded([picked, used], {picked: "a", used: "a"}, fixed, opening=True) == {picked: "a", used: "a"}
    assert guarded([picked, used], {picked: "a", used: "a"}, fixed, opening=False) == {picked: gr.skip(), used: gr.skip()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_that_there_is_not_is_said(shell: page.Shell, language: str) -> None:
    changes = opened(shell, lang=language, lock="rank,colour", hide="shape")
    said = changes[shell.compared.notice]["value"]
    assert f"{text(language, 'link.lock')} = colour" in said
    assert f"{text(language, 'link.hide')} = shape" in said
    assert "rank" not in said


def test_a_locked_control_has_the_link_s_value_in_every_method(shell: page.Shell) -> None:
    changes = opened(shell, tab="train", rank="4", lock="rank", temperature="0.7", hide="temperature")
    assert {changes[one]["value"] for one in shell.lockable["rank"]} == {4}
    assert [changes[one]["value"] for one in shell.lockable["temperature"]] == [0.7]


def test_any_mapping_of_names_to_components_will_do() -> None:
    """As the sections of the labs have them."""
    with gr.Blocks():
        rank, shape = gr.Slider(1, 8, label="Rank", elem_id="toy-rank"), gr.Dropdown(["a"], label="Shape", info="of it")
    controls, shown = {"rank": [rank], "shape": [shape]}, {rank: {"value": 2}}
    wish = Wish(["rank"], ["shape", "none"])
    wish.put(controls, shown, "en")
    assert shown[rank] == {
        "value": 2, "interactive": False, "info": text("en", "locks.set"), "elem_classes": ["pp-locked"],
    }  # fmt: skip
    assert shown[shape] == {"visible": False}
    assert wish.fixed(controls) == {rank._id: locks.LOCKED, shape._id: locks.HIDDEN}
    assert wish.unknown(controls) == {"hide": "none"}


def test_what_is_held_outlasts_another_question() -> None:
    link = {"prompt": "Why?", "temperature": "0.7", "lock": "temperature,prompt"}
    assert not links.asks(links.read(link))
    assert links.asks(links.read(link | {"lock": "temperature"}))
    assert links.holds(links.read(link)) == {"temperature", "prompt"}
