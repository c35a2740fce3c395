"""Choosing an adapter in the lab: which checkpoint is looked at, what is set anew, and what stops."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.lowrank import CUT, SWEEP, run_about
from playground.ui.kit.controls import unchanged
from playground.ui.kit.links import SECTIONS
from playground.ui.kit.theme import CSS
from playground.ui.lowrank import edits, tab
from playground.ui.lowrank.knobs import Knobs
from playground.ui.lowrank.looked import Cards, Looked
from playground.ui.lowrank.shared import Chosen
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.ui.labs import built
from tests.ui.lowrank.conftest import STEPS

KNOBS = Knobs(gr.Slider(), gr.Slider(), gr.Slider(), gr.Slider(), gr.CheckboxGroup())
CARDS = Cards(
    gr.Dropdown(),
    gr.Slider(),
    gr.HTML(),
    gr.State(),
    gr.State(),
    gr.HTML(),
    (gr.Column(), gr.Column()),
    gr.Dropdown(),
    gr.Slider(),
    KNOBS,
    gr.Textbox(),
    gr.Dropdown(),
    gr.HTML(),
)
SET_ANEW = {KNOBS.rank, KNOBS.strength, KNOBS.first, KNOBS.last, KNOBS.kinds, CARDS.prompt}


def looked(key: str, adapter_id: str, **other: object) -> Looked:
    """An adapter whole, after it was drawn."""
    return replace(Looked(key, "en", adapter_id, "tiny", adapter_id, STEPS, adapter_id, None, 8), **other)


def running(key: str, place: str, adapter_id: str) -> Run:
    run = SESSIONS.get(key).runs[place] = Run("lab", lambda stop: iter(()), adapter_id)
    return run


def test_the_scrubber_leads_from_checkpoint_to_checkpoint(own: Any) -> None:
    key, lora, _ = own
    changes = CARDS.picked(looked(key, lora.id, chosen="pirate-lora"))
    assert changes[CARDS.chosen] == lora.id
    assert (changes[CARDS.step]["visible"], changes[CARDS.step]["value"]) == (True, STEPS)
    chosen = [CARDS.stepped(looked(key, lora.id, step=step))[CARDS.chosen] for step in range(STEPS + 1)]
    assert chosen[0] == f"{lora.id}@0"
    assert chosen[-1] == lora.id  # the end of the run is the adapter itself
    assert all(SESSIONS.get(key).library.knows(one) for one in chosen)


def test_stop_is_there_while_something_goes_on(own: Any) -> None:
    key, lora, _ = own
    cards = edits.Cards(gr.HTML(), gr.HTML(), gr.HTML(), gr.HTML(), gr.Button())
    chosen = Chosen(key, "en", lora.id)
    assert cards._stoppable(chosen)[cards.stop]["visible"] is False
    swept = running(key, SWEEP, lora.id)
    assert cards._stoppable(chosen)[cards.stop]["visible"] is True
    swept.state = "stopped"
    assert cards._stoppable(chosen)[cards.stop]["visible"] is False


@pytest.mark.parametrize("step", [None, 0, 1])
def test_a_page_that_is_opened_again_opens_at_the_adapter_and_the_checkpoint_looked_at(own: Any, step: Any) -> None:
    key, lora, _ = own
    CARDS.picked(looked(key, lora.id, chosen="pirate-lora"))
    if step is not None:
        CARDS.stepped(looked(key, lora.id, step=step))
    chosen = lora.id if step is None else f"{lora.id}@{step}"
    fresh = CARDS.opened(looked(key, "pirate-lora", settled=""))
    assert (fresh[CARDS.adapter]["value"], fresh[CARDS.chosen]) == (lora.id, chosen)
    assert (fresh[CARDS.step]["visible"], fresh[CARDS.step]["value"]) == (True, STEPS if step is None else step)
    assert fresh[CARDS.settled] == lora.id
    SESSIONS.get(key).library.remove(lora.id)
    assert CARDS.opened(looked(key, lora.id, settled=""))[CARDS.adapter]["value"] != lora.id


def test_a_ready_made_adapter_has_no_scrubber(own: Any) -> None:
    key, *_ = own
    assert CARDS.picked(looked(key, "pirate-lora"))[CARDS.step]["visible"] is False


def test_what_runs_about_the_former_adapter_stops_and_is_looked_up_no_more(own: Any) -> None:
    key, lora, soft = own
    former, swept = running(key, CUT, lora.id), running(key, SWEEP, lora.id)
    CARDS.picked(looked(key, lora.id))
    assert run_about(key, CUT, lora.id) is former
    CARDS.stepped(looked(key, lora.id, step=0))
    assert former.replaced
    assert swept._stop.is_set()
    assert run_about(key, CUT, lora.id) is None
    latest = running(key, CUT, soft.id)
    CARDS.picked(looked(key, soft.id))
    assert not latest.replaced


def test_another_adapter_sets_the_controls_and_another_checkpoint_leaves_them(own: Any) -> None:
    key, lora, _ = own
    fresh = CARDS.look(looked(key, lora.id, settled="pirate-lora"))
    assert set(fresh) >= SET_ANEW
    assert fresh[CARDS.settled] == lora.id
    assert fresh[KNOBS.rank]["value"] == 8
    module = fresh[CARDS.module]["choices"][-1][1]
    stepped = CARDS.look(looked(key, lora.id, chosen=f"{lora.id}@1", module=module))
    assert not set(stepped) & SET_ANEW
    assert stepped[CARDS.module]["value"] == module  # the one that the visitor looks at


def test_on_a_page_that_is_opened_again_the_controls_stand_as_they_did_for_the_answers(own: Any) -> None:
    key, lora, _ = own
    running(key, CUT, lora.id)
    asked = {"prompt": "Who?", "rank": 2, "strength": -0.5, "first": 1, "last": 1, "kinds": ["q_proj"]}
    edits.ANSWERS.remember(key, asked)
    again = CARDS.look(looked(key, lora.id, settled=""))
    fresh = {one: again[one]["value"] for one in (KNOBS.rank, KNOBS.first, KNOBS.last, KNOBS.kinds)}
    assert fresh == {KNOBS.rank: 2, KNOBS.first: 1, KNOBS.last: 1, KNOBS.kinds: ["q_proj"]}
    assert (again[KNOBS.strength], again[CARDS.prompt]) == (-0.5, "Who?")
    CARDS.picked(looked(key, "pirate-lora"))  # what was answered about another adapter is nothing to this one
    other = CARDS.look(looked(key, "pirate-lora", settled=lora.id))
    assert other[KNOBS.rank]["value"] == 8
    assert other[CARDS.prompt] != "Who?"


def test_a_soft_prompt_has_no_weights_but_its_question(own: Any) -> None:
    key, _, soft = own
    changes = CARDS.look(looked(key, soft.id, settled=""))
    assert [changes[one]["visible"] for one in CARDS.weights] == [False, False]
    assert changes[CARDS.prompt] == soft.record.questions[0]
    assert CARDS.draw(looked(key, soft.id)) == unchanged(CARDS.inside)
    assert CARDS.prompt not in CARDS.look(looked(key, soft.id, chosen=f"{soft.id}@1"))


def test_an_adapter_that_has_gone_is_a_sentence_and_the_next_one_is_set_anew(own: Any) -> None:
    key, *_ = own
    changes = CARDS.look(looked(key, "gone"))
    assert "pp-error" in changes[CARDS.told]
    assert [changes[one]["visible"] for one in CARDS.weights] == [False, False]
    assert changes[CARDS.settled] == ""
    assert "pp-error" in CARDS.draw(looked(key, "gone"))[CARDS.inside]
    assert "pp-error" in CARDS.frame(looked(key, "gone"))[CARDS.where]


def test_opening_the_tab_goes_on_with_what_was_chosen_or_takes_what_there_is(own: Any) -> None:
    key, lora, soft = own
    again = CARDS.opened(looked(key, lora.id))
    assert again[CARDS.adapter]["value"] == lora.id
    assert CARDS.chosen not in again
    assert not set(again) & SET_ANEW
    other = CARDS.opened(looked(key, "pirate-lora"))  # an adapter of another base
    assert other[CARDS.chosen] == other[CARDS.adapter]["value"] == soft.id  # the newest
    none = CARDS.opened(looked("", "pirate-lora"))
    assert (none[CARDS.adapter]["value"], none[CARDS.chosen]) == (None, "")
    assert "no adapter" in none[CARDS.told]


def test_the_adapter_can_be_chosen_where_something_follows_it_and_nowhere_else() -> None:
    _, lab = built("lowrank", tab)
    without = [name for name in SECTIONS["lowrank"] if f"{name}.adapter" not in lab.controls]
    (hidden,) = [rule for rule in CSS.splitlines() if rule.endswith("#lab-chooser { display: none; }")]
    assert re.findall(r'data-tab-id="(\w+)"', hidden) == without
