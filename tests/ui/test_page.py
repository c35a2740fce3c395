"""
The page can be built before torch is there, and opens as its address asks.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import pytest

from playground import settings
from playground.locales import text
from playground.ui import page
from playground.ui.compare.asked import Asked
from playground.ui.compare.tab import CompareTab
from playground.ui.kit.visit import key_of
from playground.ui.kit.wording import Wording
from playground.ui.train.tab import Result

HEAVY = ("torch", "transformers", "peft", "bitsandbytes")


def test_building_the_page_imports_nothing_heavy() -> None:
    code = f"import sys, playground.ui.page as page; page.build_page(); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_can_be_built_twice_in_one_process_and_its_events_tell_no_component_how_they_stand() -> None:
    one, other = page.build_page().fns.values(), page.build_page().fns.values()
    assert len(one) == len(other)
    asked = [fn for fn in one if fn.fn is not None and fn.api_visibility == "private"]
    assert len(asked) > 100
    assert [fn.name for fn in asked if fn.show_progress_on != []] == []


@pytest.fixture(scope="module")
def shell() -> page.Shell:
    with gr.Blocks():
        return page.build_shell(Wording())


def opened(shell: page.Shell, query: dict[str, str], kept: str = "", accepts: str = "es-MX,en;q=0.5") -> dict:
    """What changes for a browser that asks with `query` and has `kept` its key."""
    changes = shell.opened(kept, SimpleNamespace(query_params=query, headers={"accept-language": accepts}))
    return {name: changes[component] for name, component in shell.visit.components.items()} | {
        "tab": changes.get(shell.tabs),
        "prompt": changes[shell.compared.prompt]["value"],
        "go": changes[shell.compared.go]["value"],
        "said": changes.get(shell.base.notice, ""),
    }


def test_who_comes_first_gets_a_key_and_who_comes_again_keeps_it(shell: page.Shell) -> None:
    first, second = opened(shell, {})["key"], opened(shell, {})["key"]
    assert len(first) == len(second) == 32
    assert first != second
    assert opened(shell, {}, kept=first)["key"] == first
    assert opened(shell, {}, kept=key_of("short"))["key"] != "short"


@pytest.mark.parametrize(("query", "language"), [({}, "es"), ({"lang": "en"}, "en"), ({"lang": "xx"}, "es")])
def test_the_address_says_the_language_or_the_browser_does(shell: page.Shell, query: dict, language: str) -> None:
    found = opened(shell, query)
    assert (found["language"], found["go"]) == (language, text(language, "compare.go"))


def test_a_link_sets_base_prompt_and_tab_and_what_it_cannot_is_the_default(shell: page.Shell) -> None:
    link = {"base": "smollm2-360m", "prompt": "Who?", "tab": "lowrank"}
    found = opened(shell, link)
    assert (found["base"]["value"], found["prompt"], found["tab"].selected) == ("smollm2-360m", "Who?", "lowrank")
    found = opened(shell, {"base": "gpt-9", "tab": "nowhere"})
    assert (found["base"]["value"], found["tab"], found["said"]) == (settings.DEFAULT_BASE, None, "")


@pytest.mark.parametrize("allowed", [True, False])
def test_a_link_to_a_base_of_the_hub_offers_to_load_it_where_that_is_allowed(
    shell: page.Shell, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    monkeypatch.setattr(settings, "ANY_BASE", allowed)
    request = SimpleNamespace(query_params={"base": "tiny/llama", "prompt": "Who?"}, headers={"accept-language": "en"})
    changes = shell.opened("", request)
    said = changes[shell.compared.notice]["value"]
    assert "“tiny/llama”, which is not here" in said
    assert ("Another model…" in said) is allowed
    assert changes.get(shell.base.another.text, {}).get("value") == ("tiny/llama" if allowed else None)
    assert changes[shell.compared.prompt]["value"] == "Who?"


def test_what_is_not_taken_of_a_link_to_another_tab_is_said_above_the_tabs(shell: page.Shell) -> None:
    assert opened(shell, {"tab": "train"})["said"] == ""
    said = opened(shell, {"tab": "train", "base": "gpt-9", "sed": "1"}, accepts="en")["said"]
    assert said.count('role="alert"') == 2
    assert "“gpt-9”" in said
    assert "sed (no such setting)" in said


def compared(shell: page.Shell, result: Result) -> list[dict]:
    """What changes when a visitor wants to compare an adapter."""
    asked = Asked("", "en", result.base, {}, "Why?", ["base", "base:nf4"], 8)
    return list(shell.compare_it(result, asked, shell.trained.status))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, shell: page.Shell) -> list[Asked]:
    """What was asked, in place of asking it: the model would take its time."""
    asked: list[Asked] = []

    def start(self: CompareTab, one: Asked) -> Iterator[dict]:
        asked.append(one)
        yield {}

    monkeypatch.setattr(CompareTab, "start", start)
    return asked


def test_a_new_adapter_stands_beside_the_ready_made_ones_of_its_task(shell: page.Shell, started: list[Asked]) -> None:
    changes, *_ = compared(shell, Result("", "en", settings.DEFAULT_BASE, "pirate-qlora"))
    assert changes[shell.compared.prompt] == "What is the capital of France?"
    panes = changes[shell.compared.panes]["value"]
    assert (panes[0], panes[-1]) == ("base", "pirate-qlora")
    assert set(panes[1:-1]) == {"pirate-prompt_tuning", "pirate-lora", "pirate-ia3"}
    assert (started[0].prompt, started[0].panes) == ("What is the capital of France?", panes)
    assert shell.base.used not in changes
    assert "This pane made way: Base model · NF4." in changes[shell.compared.former.said]
    assert changes[shell.compared.former.kept] == {"base": settings.DEFAULT_BASE, "panes": ["base", "base:nf4"]}


def test_an_adapter_is_compared_on_the_base_that_it_was_made_for(shell: page.Shell, started: list[Asked]) -> None:
    changes, *_ = compared(shell, Result("", "en", "bloomz-560m", "pirate-lora"))
    assert changes[shell.base.used] == changes[shell.base.picked] == started[0].base == "smollm2-135m"


def test_an_adapter_that_is_gone_moves_nobody_and_starts_nothing(shell: page.Shell, started: list[Asked]) -> None:
    (changes,) = compared(shell, Result("", "en", settings.DEFAULT_BASE, "gone"))
    assert set(changes) == {shell.trained.status}
    assert 'role="alert"' in changes[shell.trained.status]
    assert started == []
