"""The one choice of base: what cannot be loaded changes nothing, and what failed is said until another is chosen."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground import settings
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.ui.kit import base
from playground.ui.kit.base import Wanted
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording


@pytest.fixture
def choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Base, loaded: Any) -> Any:
    """A page whose default base is the tiny one, with a folder in which there is no model."""
    loaded(tiny)
    monkeypatch.setattr(settings, "DEFAULT_BASE", "tiny")
    monkeypatch.setitem(CATALOGUE, "none", BaseSpec("none", "None", "local", str(tmp_path), None))
    with gr.Blocks():
        return base.build(Wording())


def chosen(choice: Any, wanted: str, used: str = "tiny") -> Any:
    return list(choice.choose(Wanted("me", "en", used, wanted)))


def test_a_base_that_cannot_be_loaded_changes_nothing_and_a_sentence_says_why(choice: Any) -> None:
    first, last = chosen(choice, "none")
    assert first[choice.stop]["visible"]
    assert not {choice.picked, choice.used} & {*first}
    assert (last[choice.picked], last[choice.used]) == ("tiny", "tiny")
    assert "There is no model in" in last[choice.notice]
    assert "Tiny stays." in last[choice.notice]
    assert 'class="pp-close" aria-label="Close"' in last[choice.notice]


def test_the_sentence_goes_when_another_is_chosen(choice: Any) -> None:
    first, last = chosen(choice, "tiny", used="none")
    assert (first[choice.notice], first[choice.stop]["visible"]) == ("", False)
    assert (last[choice.used], last[choice.notice]) == ("tiny", "")


def test_while_a_base_is_loaded_it_is_said_what_answers_meanwhile(choice: Any) -> None:
    said = chosen(choice, "none")[0][choice.notice]
    assert "None is being loaded. Until it is here, Tiny goes on answering." in said


def test_a_link_to_a_base_that_cannot_be_loaded_ends_on_the_default_one(choice: Any) -> None:
    _, last = choice.arrive(Visit("me", "en", "none"))
    assert (last[choice.picked], last[choice.used]) == ("tiny", "tiny")
    assert list(choice.arrive(Visit("me", "en", "tiny"))) == [{choice.notice: gr.skip()}]
