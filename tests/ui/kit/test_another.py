"""The box for a base that is not in the list: what it finds in words, what it loads, and that settings may forbid it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground import settings
from playground.actions import another as action
from playground.locales import LANGUAGES
from playground.model.bases import BASES, Base
from playground.model.memory import STORE
from playground.ui.kit import base
from playground.ui.kit.another import ANOTHER, Typed
from playground.ui.kit.another_html import findings
from playground.ui.kit.base import Wanted, base_choices, bases_of, offered
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.work.sessions import SESSIONS
from tests.kinds import folder_of_kind

KEY = "another-box"


@pytest.fixture
def choice(monkeypatch: pytest.MonkeyPatch, tiny: Base, loaded: Any) -> Any:
    loaded(tiny)
    monkeypatch.setattr(settings, "DEFAULT_BASE", "tiny")
    monkeypatch.setattr(settings, "DEVICE", "cpu")
    monkeypatch.setattr(settings, "ANY_BASE", True)
    with gr.Blocks():
        return base.build(Wording())


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    yield folder_of_kind("gpt2", tmp_path / "tiny-gpt2")
    for one in SESSIONS.get(KEY).bases:
        if BASES.is_loaded(one):
            STORE.forget(BASES.get(one))
    SESSIONS._drop(KEY)


def typed(text: Any) -> Typed:
    return Typed(KEY, "en", "tiny", str(text))


def test_the_last_entry_opens_the_box_and_the_base_stays(choice: Any) -> None:
    assert base_choices("en")[-1] == ("Another model…", ANOTHER)
    (changes,) = choice.choose(Wanted(KEY, "en", "tiny", ANOTHER))
    assert changes[choice.picked] == "tiny"
    assert choice.used not in changes
    assert changes[choice.another.panel]["visible"]
    assert Wanted(KEY, "en", "tiny", ANOTHER).waited == "tiny"  # which is what the header polls


def test_where_settings_forbid_it_the_box_says_so(choice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ANY_BASE", False)
    (changes,) = choice.choose(Wanted(KEY, "es", "tiny", ANOTHER))
    assert "PLAYGROUND_ANY_BASE" in changes[choice.another.found]["value"]
    assert not changes[choice.another.text]["visible"]
    assert not offered("tiny/llama")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_found_is_said_with_every_reason(choice: Any, folder: Path, language: str) -> None:
    found = action.examine(str(folder))
    said = findings({**found, "licence": "<b>mine</b>"}, language)
    assert "gpt2 · 2 " in said
    assert "&lt;b&gt;mine&lt;/b&gt;" in said
    for errors in found["without"].values():
        assert all(error.message(language).split(".")[0] in said for error in errors.values())


def test_nothing_is_offered_to_be_loaded_before_it_was_looked_at_or_if_it_cannot_be(choice: Any, folder: Path) -> None:
    first, last = choice.another.examine(typed(folder))
    assert (first[choice.another.load]["visible"], last[choice.another.load]["visible"]) == (False, True)
    _, last = choice.another.examine(typed("/no/such/folder"))
    assert 'role="alert"' in last[choice.another.found]
    assert not last[choice.another.load]["visible"]


def test_what_is_loaded_is_used_and_stands_in_one_visitor_s_list(choice: Any, folder: Path) -> None:
    *_, last = choice.bring(typed(folder))
    one = last[choice.used]["value"]
    assert last[choice.picked]["value"] == one
    assert last[choice.picked] is not last[choice.used]  # gradio takes an update apart
    assert not last[choice.another.panel]["visible"]
    assert ("tiny-gpt2", one) in bases_of("en", KEY)
    assert one not in dict(bases_of("en", "somebody-else")).values()
    assert str(folder) not in repr(bases_of("en", KEY))


def test_what_cannot_be_loaded_changes_nothing_and_says_why(choice: Any, tmp_path: Path) -> None:
    *_, last = choice.bring(typed(tmp_path))
    assert not {choice.picked, choice.used} & {*last}
    assert 'role="alert"' in last[choice.another.found]
    assert not last[choice.stop]["visible"]


def test_stop_goes_back_to_what_is_used(choice: Any) -> None:
    changes = choice.halt(Visit(KEY, "en", "tiny"))
    assert changes[choice.picked] == "tiny"
    assert changes[choice.notice] == ""  # the list shows what stays


def test_a_link_to_a_base_that_is_not_here_fills_the_box(choice: Any) -> None:
    box = choice.another
    assert choice.opened(Visit(KEY, "en", "tiny"), "tiny/llama")[box.text]["value"] == "tiny/llama"
    for unknown in ("", "gpt-9", "folder-0123456789"):  # nobody else has that folder
        assert box.panel not in choice.opened(Visit(KEY, "en", "tiny"), unknown)
