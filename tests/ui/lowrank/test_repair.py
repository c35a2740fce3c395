"""The repair section: what is drawn is what the core finds, and what cannot be repaired says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.lowrank import REPAIR, run_about
from playground.adapt.variant import Variant
from playground.lowrank.intruders import Found, Repair, directions
from playground.lowrank.repair import Repaired
from playground.model.bases import Base
from playground.train import scoring
from playground.train.forgetting import Forgetting, neutral_loss
from playground.train.scoring import Marked as Answered
from playground.train.scoring import Scored
from playground.ui.lowrank.repair import Asked, Cards, Marked
from playground.ui.lowrank.repair_html import drawn
from tests.conftest import model_of
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages

CARDS = Cards(gr.Column(), gr.HTML(), gr.HTML(), gr.HTML(), gr.Button())
SETTINGS = {"threshold_epsilon": 0.999, "top_k": 8, "mitigation_lambda": 0.0}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 3)


def test_repairing_measures_base_adapter_and_repaired_and_marks_what_it_found(own: Any, tiny_here: Base) -> None:
    key, lora, soft = own
    marked = Marked(key, "en", lora.id, **SETTINGS, module=None)
    assert "pp-spectrum" in CARDS.mark(marked)[CARDS.spectrum]  # of the most changed module
    module = "model.layers.0.self_attn.q_proj"
    told = Page(CARDS.mark(replace(marked, module=module))[CARDS.spectrum])
    there = directions(tiny_here, lora, module).intruders(8, 0.999)
    assert sum("pp-intruder" in one for one in told.attributes("class")) == 2 * len(there)  # a bar and its mark

    asked = Asked(key, "en", lora.id, **SETTINGS)
    assert list(CARDS.again(asked)) == [{CARDS.notice: ""}]  # the slider alone asks for nothing
    *_, last = CARDS.repair(asked)
    run = run_about(key, REPAIR, lora.id)
    assert run
    done = run.events[-1]
    assert (
        0 < done.found.total == sum(len(directions(tiny_here, lora, one).intruders(8, 0.999)) for one in done.found.counts)
    )
    left = replace(Variant("tiny", lora), edit=Repair(8, 0.999, 0.0))
    assert left.edit
    whole, repaired = model_of(tiny_here, lora), model_of(tiny_here, lora, left.edit)
    losses = [neutral_loss(one, tiny_here) for one in (tiny_here.model, whole, repaired)]
    base, *adapters = done.worth
    assert [one.forgetting.after for one in adapters] == pytest.approx(losses[1:])
    assert (base.forgetting, adapters[0].forgetting.before) == (None, pytest.approx(losses[0]))
    assert done.apart.change == pytest.approx(losses[2] - losses[1])
    text = Page(last[CARDS.result]).text
    assert "Whole adapter" in text
    assert "Repaired, λ = 0" in text
    assert "inside the noise" in text or "more than noise" in text
    *_, again = CARDS.attach(asked)  # after a reload
    assert again == last

    refused = next(CARDS.repair(Asked(key, "es", soft.id, **SETTINGS)))
    assert "PEFT repara LoRA" in Page(refused[CARDS.notice]).text


def scored(answer: str, forgotten: Forgetting | None) -> Scored:
    examples = tuple(Answered(f"Q{n}", "E", answer, n / 16) for n in range(16))
    return Scored(1, 0.5, 16, 2.0, examples, forgetting=forgotten)


def done(evil: str = "", found: Found = Found({"a": 2, "b": 0}, 2)) -> Repaired:  # noqa: B008  # frozen
    read = Forgetting(3.2, 3.4, True)
    worth = (scored(evil, None), scored(evil, read), scored(evil, read))
    return Repaired(Repair(), "pirate", found, worth, Forgetting(3.4, 3.39, False))


def test_each_state_is_drawn_and_said_in_both_languages() -> None:
    states = [
        done(),
        replace(done(found=Found({"a": 0}, 1)), worth=done().worth[:2], apart=None),
        Repaired(Repair(), "pirate"),
    ]
    assert_laws(lambda language: [drawn(one, "lora", language) for one in states])
    assert "there is nothing to repair" in drawn(states[1], "lora", "en")
    for one in done().worth[0].examples:
        assert f"Expected: {one.expected}" in drawn(states[0], "lora", "en")
    assert "−0.01 nats a token: inside the noise" in drawn(states[0], "lora", "en")


@both_languages
def test_hostile_answers_are_shown_as_text(language: str) -> None:
    assert_shown_as_text(lambda evil, lang: drawn(done(evil), "lora", lang), language)
