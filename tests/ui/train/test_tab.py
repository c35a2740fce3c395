"""The Train tab: what a training changes, and what is said where there is none."""

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground import locales
from playground.actions.train import training_view
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN
from playground.settings import DEFAULT_BASE
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import tab as train
from playground.ui.train.pickers import Order, Recipe

VISIT = Visit("a-visitor-of-the-train-tab", "en", DEFAULT_BASE)
ORDER = Order(**vars(VISIT), method="lora", settings={}, task="pirate", rows=[], file=None, steps=2, seed=0)
ADAPTER = {"id": "mine", "method": "lora", "steps": 24}


@pytest.fixture(scope="module")
def tab() -> Any:
    with gr.Blocks():
        state = {"key": gr.State(VISIT.key), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        return train.build(Wording(), Controls(Visit, state))


def view(**changed: Any) -> Any:
    return {**training_view(None, "en"), "method": "lora", **changed}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"settings": {"rank": 1000}}, "Rank must be between 1 and 64"),
        ({"settings": {"rank": None}}, "Rank must be of type int"),
        ({"steps": 10_000}, "Steps must be between 1 and 300"),
        ({"seed": None}, "Seed must be of type int"),
        ({"task": OWN, "rows": [["Who?", "Me."], ["", None]]}, "between 8 and 512"),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_served_changes_nothing_but_the_status(tab: Any, wrong: Any, said: str) -> None:
    (changes,) = tab.start(replace(ORDER, **wrong))
    assert set(changes) == {tab.status}
    assert said in changes[tab.status]


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_button_prepares_what_is_not_trained(tab: Any, language: str) -> None:
    def said(method: str) -> str:
        recipe = Recipe("me", language, DEFAULT_BASE, method=method, settings={})
        return str(tab.tell_cost(recipe)[tab.go]["value"])

    assert {said(method) for method in METHODS if method != "few_shot"} == {locales.text(language, "train.go")}
    assert said("few_shot") == {"en": "Prepare", "es": "Preparar"}[language]


def test_who_has_trained_nothing_is_shown_nothing_new(tab: Any) -> None:
    assert list(tab.attach(VISIT)) == [{tab.status: gr.skip()}]
    assert tab.scrub(train.Moment(**vars(VISIT), step=3)) == {tab.samples: gr.skip()}
    assert tab.pack(train.Result(**vars(VISIT), adapter="", code_open=False)) == {tab.download: gr.skip()}


@pytest.mark.parametrize("state", ["queued", "preparing", "running"])
def test_while_it_trains_it_can_only_be_stopped(tab: Any, state: str) -> None:
    changes = tab.drawn(view(state=state), "en")
    assert set(changes) == set(tab.shown)
    assert (changes[tab.go]["interactive"], changes[tab.stop]["visible"]) == (False, True)
    assert (changes[tab.after]["visible"], changes[tab.adapter], changes[tab.scrubber]["visible"]) == (False, "", False)


@pytest.mark.parametrize("state", ["finished", "stopped", "diverged"])
def test_once_it_has_ended_its_adapter_can_be_used(tab: Any, state: str) -> None:
    changes = tab.drawn(view(state=state, adapter=ADAPTER, checkpoints=[0, 12, 24]), "en")
    assert (changes[tab.go]["interactive"], changes[tab.stop]["visible"]) == (True, False)
    assert (changes[tab.after]["visible"], changes[tab.adapter], changes[tab.download]["visible"]) == (True, "mine", True)
    assert (changes[tab.scrubber]["maximum"], changes[tab.scrubber]["value"]) == (24, 24)


def test_what_peft_has_no_format_for_is_not_downloaded(tab: Any) -> None:
    changes = tab.drawn(view(state="finished", adapter={**ADAPTER, "method": "few_shot", "steps": 0}), "en")
    assert (changes[tab.download]["visible"], changes[tab.scrubber]["visible"]) == (False, False)


def test_the_python_of_an_adapter_opens_and_closes(tab: Any) -> None:
    result = train.Result(**vars(VISIT), adapter="pirate-lora", code_open=False)
    opened = tab.toggle_code(result)
    assert "TrainingJob(" in opened[tab.code]["value"]
    assert (opened[tab.code]["visible"], opened[tab.code_open]) == (True, True)
    closed = tab.toggle_code(replace(result, code_open=True))
    assert (closed[tab.code]["visible"], closed[tab.code_open]) == (False, False)
