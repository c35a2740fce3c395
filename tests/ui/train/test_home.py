"""What is taken home of an adapter, behind one button."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from playground import locales
from playground.actions import export
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.settings import DEFAULT_BASE
from playground.ui.kit.signed import signed_in, token_of
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import home as rooms
from playground.work.sessions import SESSIONS
from tests.families import one_thread, tiny_base, trained  # noqa: F401

VISIT = Visit("a-visitor-who-goes-home", "en", DEFAULT_BASE)
TAKEN = rooms.Taken(**vars(VISIT), adapter="pirate-lora", code_open=False, kind=None, repository="", private=True)


@pytest.fixture(scope="module")
def home() -> Any:
    with gr.Blocks():
        return rooms.build(Wording())


@pytest.fixture
def mine(loaded: Any) -> Any:
    """Adds an adapter of a tiny base to a session; gives what its page then knows."""
    numbers = itertools.count()

    def make(method_id: str, values: dict[str, Any] | None = None, family: str = "llama") -> rooms.Taken:
        base: Base = loaded(tiny_base(family))
        made = replace(trained(base, method_id, values)[0], id=f"home-{next(numbers)}")
        SESSIONS.add(VISIT.key, made)
        return replace(TAKEN, base=base.id, adapter=made.id)

    yield make
    SESSIONS.get(VISIT.key).library.clear()


def test_it_opens_closes_and_follows_the_adapter_that_is_looked_at(home: Any) -> None:
    opened = home.toggle(TAKEN)
    assert (opened[home.panel]["visible"], opened[home.code_open], opened[home.hub]["visible"]) == (True, True, True)
    assert opened[home.code].startswith("# /// script")
    assert "get_peft_model(model, config)" in opened[home.code]
    open_ = replace(TAKEN, code_open=True)
    assert (home.toggle(open_)[home.panel]["visible"], home.toggle(open_)[home.code_open]) == (False, False)
    other = home.follow(replace(open_, adapter="pirate-ia3"))
    assert "IA3Config(" in other[home.code]
    assert (other[home.kind], other[home.file]["visible"], other[home.pushed]) == (None, False, "")  # those of the former
    assert home.follow(replace(open_, adapter=""))[home.panel]["visible"] is False
    assert home.follow(TAKEN) == {home.code: gr.skip()}


@pytest.mark.parametrize("language", locales.LANGUAGES)
@pytest.mark.parametrize("kind", rooms.OFFERED)
def test_every_kind_is_written_with_its_name_and_size(home: Any, mine: Any, kind: str, language: str) -> None:
    first, last = home.write(replace(mine("lora"), kind=kind, language=language))
    assert first[home.file]["visible"] is False
    assert last[home.file]["visible"] is True
    assert last[home.file]["value"].rpartition("/")[2] in last[home.notice]


@pytest.mark.parametrize(
    ("method_id", "values", "kind", "said"),
    [
        ("prompt_tuning", {"virtual_tokens": 3}, "model", "nothing to merge"),
        ("ia3", {}, "gguf", "LoRA only"),
        ("lora", {"dora": True}, "gguf", "lengths"),
    ],
)
def test_where_a_method_has_no_such_file_it_says_why(
    home: Any, mine: Any, method_id: str, values: Any, kind: str, said: str
) -> None:
    *_, last = home.write(replace(mine(method_id, values), kind=kind))
    assert said in last[home.notice]
    assert home.file not in last  # it stays hidden


def test_qlora_s_merged_model_says_that_the_base_is_whole_there(home: Any, mine: Any) -> None:
    taken = mine("lora")
    one = SESSIONS.get(VISIT.key).library.get(taken.adapter)
    SESSIONS.add(VISIT.key, replace(one, id="rounded", record=replace(one.record, method="qlora")))
    *_, last = home.write(replace(taken, adapter="rounded", kind="model"))
    assert locales.text("en", "home.rounded") in last[home.notice]


def test_a_token_leaves_its_field_at_once(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple[Any, ...]] = []

    def there(*asked: Any) -> str:
        used.append(asked)
        return "https://hub/ana/mine?<"

    monkeypatch.setattr(rooms, "push", there)
    first, last = home.push(replace(TAKEN, repository="mine"), "hf_pasted")
    assert first[home.token] == ""
    assert "https://hub/ana/mine?&lt;" in last[home.pushed]
    assert used[0][:4] == (VISIT.key, "pirate-lora", "mine", "hf_pasted")


def test_only_what_sends_is_given_the_token() -> None:
    """Gradio keeps what a handler was given for as long as it remembers the page."""
    with gr.Blocks() as page:
        visit = {name: gr.State("") for name in rooms.VISIT}
        home, adapter = rooms.build(Wording()), gr.State("")
        rooms.wire(home, home.controls(visit, adapter), gr.Button(), adapter)
    for token, sending in ((home.token, {"home-go"}), (home.gpu.token, {"gpu-go", "gpu-follow", "gpu-back"})):
        given = [one for one in page.fns.values() if token in one.inputs]
        by = {page.blocks[target].elem_id for one in given for target, _ in one.targets}
        assert by - {"home-repository"} == sending


def test_without_a_name_nothing_is_asked_of_the_hub(home: Any) -> None:
    *_, last = home.push(TAKEN, "hf_x")
    assert locales.text("en", "error.push_no_name") in last[home.pushed]


def test_who_has_signed_in_on_a_space_is_known_by_the_cookie_alone() -> None:
    def asks(scope: dict[str, Any]) -> Any:
        return SimpleNamespace(request=SimpleNamespace(scope=scope))

    known = asks({"session": {"oauth_info": {"access_token": "hf_signed"}}})
    assert signed_in(known) == token_of("", known) == "hf_signed"
    assert token_of(" hf_pasted ", known) == "hf_pasted"
    nobody: list[dict[str, Any]] = [{}, {"session": {}}, {"session": {"oauth_info": None}}]
    for scope in nobody:
        assert signed_in(asks(scope)) == ""
    assert signed_in(None) == ""


def test_an_unknown_kind_names_those_that_there_are() -> None:
    with pytest.raises(PlaygroundError, match="adapter, python, notebook, examples, model, gguf"):
        export.export("", "pirate-lora", "onnx")
