"""The soft-prompt section: hidden for other adapters, answers without a token, and what each one is worth."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.actions.lowrank import IMPORTANCE, LEFT_OUT, run_about, turn_to
from playground.adapt.adapters import Adapter
from playground.ui.kit.controls import unchanged
from playground.ui.lowrank.shared import Chosen
from playground.ui.lowrank.softprompt import Asked, Cards
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

CARDS = Cards(
    gr.Column(), gr.HTML(), gr.HTML(), gr.HTML(), gr.Plot(), gr.Dropdown(), gr.Button(), gr.HTML(), gr.HTML(), gr.HTML(),
    gr.HTML(), gr.Button(), gr.Button(),
)  # fmt: skip


def asked(key: str, adapter: Adapter, left_out: list[int], base: str = "tiny") -> Asked:
    return Asked(key, "en", adapter.id, base, "Hello", left_out)


def test_it_is_a_sentence_for_an_adapter_of_another_method(own: Any) -> None:
    key, lora, _ = own
    changes = CARDS.draw(asked(key, lora, []))
    assert changes.pop(CARDS.column) == gr.update(visible=False)
    assert "no virtual tokens" in changes.pop(CARDS.none)
    assert changes == {}


def test_of_what_was_left_out_stays_what_the_adapter_has(own: Any) -> None:
    key, _, soft = own
    changes = CARDS.draw(asked(key, soft, [2, 500]))
    assert changes[CARDS.column]["visible"] is True
    assert changes[CARDS.left_out]["value"] == [2]
    assert changes[CARDS.table].count("<tr>") == 1 + len(changes[CARDS.left_out]["choices"])


def test_on_a_page_that_is_opened_again_that_is_left_out_which_the_answers_lack(own: Any) -> None:
    key, _, soft = own
    for _ in CARDS.answers(asked(key, soft, [3, 1])):
        pass
    again = CARDS.draw(asked(key, soft, []))
    assert again[CARDS.left_out]["value"] == [3, 1]
    assert "left_out" in again[CARDS.panes]  # the mark that the controls are compared with


def test_an_adapter_of_another_base_is_a_sentence(own: Any) -> None:
    key, _, soft = own
    assert "pp-error" in CARDS.draw(asked(key, soft, [], base="bloomz-560m"))[CARDS.table]


def test_answers_need_something_left_out(own: Any) -> None:
    key, _, soft = own
    (changes,) = CARDS.answers(asked(key, soft, []))
    assert "pp-error" in changes[CARDS.notice]
    *_, last = CARDS.answers(asked(key, soft, [1]))
    assert last[CARDS.panes].count("<article") == 3
    assert run_about(key, LEFT_OUT, soft.id)


def test_every_token_is_left_out_once_and_found_again(own: Any) -> None:
    key, _, soft = own
    chosen = Chosen(key, "en", soft.id)
    *_, last = CARDS.measure_all(chosen)
    tokens = soft.record.hyperparameters["virtual_tokens"]
    assert last[CARDS.bars].count("<rect") == tokens
    assert (last[CARDS.measure]["visible"], last[CARDS.stop]["visible"]) == (True, False)
    assert CARDS.draw(asked(key, soft, []))[CARDS.bars] == last[CARDS.bars]
    assert list(CARDS.attach(chosen)) == [unchanged(CARDS.measured)]  # nothing runs any more


def test_a_measurement_is_followed_until_another_adapter_is_looked_at(own: Any) -> None:
    key, lora, soft = own
    run = SESSIONS.get(key).runs[IMPORTANCE] = Run("lab", lambda stop: iter(()), soft.id)
    shown = CARDS.attach(Chosen(key, "en", soft.id))
    assert next(shown) == unchanged(CARDS.measured)
    assert next(shown)[CARDS.stop]["visible"] is True
    turn_to(key, lora.id)
    run._update(state="stopped")  # as the worker does before the next event
    assert list(shown) == [unchanged(CARDS.measured)]
    back = CARDS.draw(asked(key, soft, []))
    assert (back[CARDS.bars], back[CARDS.measure]["visible"]) == ("", True)


def test_what_has_no_virtual_tokens_cannot_be_measured(own: Any) -> None:
    key, lora, _ = own
    *_, changes = CARDS.measure_all(Chosen(key, "en", lora.id))
    assert "pp-error" in changes[CARDS.measured]
