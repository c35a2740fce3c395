"""The race below the training: hostile text stays text, what came out is said as it was measured, who can take part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.race import MOST, TRAINED, USUAL, Racer, changes, outcome, start_race
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN, Task
from playground.data.given import Given
from playground.locales import NO_BREAK
from playground.model.bases import Base
from playground.settings import DEFAULT_BASE
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import pickers, race, race_html
from playground.ui.train.race import Entry
from playground.work.sessions import SESSIONS
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages

VISIT = Visit("a-visitor-of-the-race", "en", DEFAULT_BASE)
ENTRY = Entry(**vars(VISIT), method="lora", settings={}, task="pirate", own=Given(), steps=2, seed=0, racers=USUAL)


@pytest.fixture(scope="module")
def tab() -> Any:
    with gr.Blocks():
        state = {"key": gr.State(VISIT.key), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        visit, wording = Controls(Visit, state), Wording()
        return race.build(wording, visit, pickers.build(wording, visit).order)


def racer(number: int, method: str, loss: float, parameters: int, **changed: Any) -> dict[str, Any]:
    """A racer's view as the page gets it, at the end."""
    plain: dict[str, Any] = {
        "number": number, "method": method, "hyperparameters": {}, "state": "finished", "position": 0, "wait": None,
        "step": 9, "steps": 9, "elapsed": 12.5, "losses": [(1, 4.0), (9, loss)], "held_out": [(0, 4.0), (9, loss)],
        "score": 0.75, "scored": 8, "answers": ["Arrr", "Aye"], "answered": 9, "message": "",
        "adapter": {"id": f"a{number}"},
        "parameters": parameters,
    }  # fmt: skip
    return {**plain, **changed}


def view(*racers: dict[str, Any], **changed: Any) -> dict[str, Any]:
    shown = list(racers) or [racer(1, "ia3", 3.0, 57_600), racer(2, "lora", 2.0, 460_800)]
    ended = all(one["state"] in ("finished", "stopped", "diverged", "failed") for one in shown)
    plain = {
        "racers": shown, "steps": 9, "base": DEFAULT_BASE, "task": "pirate", "rule": "pirate", "seed": 0,
        "questions": ["Why?", "Where?"],
        "ended": ended, "outcome": outcome(shown),
    }  # fmt: skip
    return {**plain, **changed}


PLACES = {
    "a question": lambda evil, lang: race_html.drawn(view(questions=[evil]), lang),
    "an answer": lambda evil, lang: race_html.drawn(view(racer(1, "lora", 2.0, 9, answers=[evil])), lang),
    "what went wrong": lambda evil, lang: race_html.drawn(
        view(racer(1, "lora", 2.0, 9, state="failed", message=evil)), lang
    ),
    "a setting": lambda evil, lang: race_html.standings(
        view(racer(1, "prompt_tuning", 2.0, 9, hyperparameters={"initialization_text": evil})), lang
    ),
}


@both_languages
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_as_text_and_never_obeyed(place: Any, language: Any) -> None:
    assert_shown_as_text(place, language)


STATES = ("queued", "preparing", "running", "finished", "stopped", "diverged", "failed")


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_sound_and_said_in_both_languages(state: str) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("losses", "held_out", "answers"), ()) | {"score": None, "scored": 0}
    early = racer(1, "ia3", 3.0, 9, state=state, step=0, adapter=None, **nothing)
    late = view(racer(1, "lora", 2.0, 9, state=state), racer(2, "ia3", 3.0, 8))
    assert_laws(
        lambda language: [
            part(one, language) for one in (late, view(early, questions=[])) for part in (race_html.drawn, race_html.status)
        ]
    )


def test_nothing_is_shown_where_nothing_raced() -> None:
    assert race_html.drawn(view() | {"racers": []}, "en") == ""


@pytest.mark.parametrize(
    ("racers", "said"),
    [
        (
            (racer(1, "ia3", 3.0, 57_600), racer(2, "lora", 2.0, 460_800)),
            ["LoRA r = 8 ended with the lowest held-out loss, 2.00, and trained 460,800 parameters.",
             "The fewest parameters, 57,600, were trained by IA3, which ended at 3.00."],
        ),
        (
            (racer(1, "ia3", 2.0, 57_600), racer(2, "lora", 3.0, 460_800)),
            ["IA3 ended with the lowest held-out loss, 2.00, and also trained the fewest parameters, 57,600.",
             f"The highest score, 75{NO_BREAK}%, went to IA3 and LoRA r = 8."],
        ),
        (
            (racer(1, "ia3", 2.0011, 57_600), racer(2, "lora", 1.9999, 460_800)),
            ["IA3 and LoRA r = 8 ended with the same held-out loss, 2.00, the lowest; they trained 57,600 and 460,800",
             "were trained by IA3"],
        ),
        ((racer(1, "ia3", 2.0, 57_600), racer(2, "lora", 1.0, 460_800, state="stopped")), ["there is no winner"]),
        (
            (racer(1, "ia3", 2.0, 57_600, score=0.0), racer(2, "lora", 1.0, 460_800, score=0.0)),
            [f"Nobody was right: all have 0{NO_BREAK}%."],
        ),
    ],
)  # fmt: skip
def test_the_outcome_is_what_was_measured_and_ties_are_named(racers: Any, said: list[str]) -> None:
    told = Page(race_html.said(view(*racers), "en")).text
    for one in said:
        assert one in told


def test_a_score_is_shown_where_there_is_one_and_explained() -> None:
    told = Page(race_html.drawn(view(), "en")).text
    assert f"75{NO_BREAK}%" in told
    assert f"Score: 50{NO_BREAK}% for one pirate word in the answer" in told
    assert "over 8 held-out questions" in told
    own = [racer(n, "lora", 2.0, 9, score=None, scored=0) for n in (1, 2)]
    assert "Score" not in Page(race_html.drawn(view(*own, task=OWN), "en")).text


def test_an_answer_without_a_word_says_so_once_it_has_ended() -> None:
    silent = racer(1, "ia3", 2.0, 9, answers=["", "Aye"])
    assert "(empty answer)" in Page(race_html.answers(view(silent), "en")).text
    assert "(empty answer)" not in Page(race_html.answers(view(silent | {"state": "running"}), "en")).text


def test_who_has_an_adapter_can_be_compared_and_nobody_else() -> None:
    shown = Page(race_html.drawn(view(racer(1, "ia3", 2.0, 9), racer(2, "lora", 2.0, 9, adapter=None)), "en"))
    assert shown.attributes("data-adapter") == ["a1"]


@pytest.mark.parametrize(
    ("method", "values", "said"),
    [
        ("lora", {}, "LoRA r = 8"),
        ("lora", {"rank": 2}, "LoRA r = 2"),
        ("lora", {"rank": 3, "ranks": "0: 1; 1: 5"}, "LoRA r = 1–5"),
        ("lora", {"dora": True, "learning_rate": 0.001}, "DoRA r = 8 · Learning rate 0.001"),
        ("lora", {"initialization": "pissa"}, "LoRA r = 8 PiSSA"),
        ("lora", {"rate_ratio": 4.0}, "LoRA+ r = 8 · Rate of B over rate of A 4"),
        ("prompt_tuning", {"initialization": "random"}, "Prompt tuning · Begins as: random noise"),
        ("lora", {"rslora": True}, "LoRA r = 8 · Rank-stabilized scaling (rsLoRA)"),
        ("qlora", {"double_quantization": False}, "QLoRA r = 8 · without Double quantization"),
        ("ia3", {"batch_size": 8}, "IA3 · Batch size 8"),
    ],
)
def test_a_racer_is_called_by_what_is_special_about_it(method: str, values: dict[str, Any], said: str) -> None:
    assert race_html.named(method, values, "en") == said


def test_what_is_set_above_takes_part_under_its_own_name(tab: Any) -> None:
    added = tab.enter(replace(ENTRY, settings={"rank": 2}))[tab.racers]
    assert added["value"][:-1] == list(USUAL)
    assert dict(map(reversed, added["choices"]))[added["value"][-1]] == "LoRA r = 2"
    assert [one for _, one in added["choices"]][: len(TRAINED)] == list(TRAINED)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "twice with the same settings"),  # LoRA as it usually is has been entered
        ({"method": "few_shot"}, "trains nothing"),
        ({"settings": {"rank": 1000}}, "Rank must be between 1 and 64"),
        ({"settings": {"rank": 2}, "racers": tuple("abcdef")}, f"2 to {MOST} racers, not 7"),
    ],
)
def test_what_cannot_take_part_is_said_and_changes_nothing(tab: Any, changed: dict[str, Any], said: str) -> None:
    changes = tab.enter(replace(ENTRY, **changed))
    assert set(changes) == {tab.refused}
    assert said in changes[tab.refused]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"racers": ("lora",)}, "2 to 6 racers, not 1"),
        ({"steps": 10_000}, "Steps must be between 1 and 300"),
        ({"task": OWN, "own": Given(rows=[["Who?", "Me."]])}, "Between 8 and 512"),
    ],
)
def test_a_race_that_cannot_be_served_is_answered_beside_the_button(tab: Any, changed: dict[str, Any], said: str) -> None:
    (changes,) = tab.start(replace(ENTRY, **changed))
    assert set(changes) == {tab.refused}
    assert said in changes[tab.refused]


def test_who_has_raced_nothing_is_shown_nothing_new(tab: Any) -> None:
    assert list(tab.attach(VISIT)) == [{tab.status: gr.skip()}]


def test_who_comes_back_sees_the_race_with_its_racers_and_a_deleted_adapter_is_offered_no_more(
    tab: Any, tiny: Base, loaded: Any, small_task: Task
) -> None:
    loaded(tiny)
    visit = replace(VISIT, key="comes-back-to-a-race")
    for _ in changes(start_race(visit.key, "tiny", small_task, ["ia3", Racer("lora", {"rank": 2})], steps=1)):
        pass
    _, opened, *_, last = tab.attach(visit)
    assert opened[tab.panel]["open"]
    picked = opened[tab.racers]
    assert [title for title, one in picked["choices"] if one in picked["value"]] == ["IA3", "LoRA r = 2"]
    library = SESSIONS.get(visit.key).library
    ids = {one.id for one in library.own()}
    assert set(Page(last[tab.result]).attributes("data-adapter")) == ids
    library.remove(gone := library.own()[0].id)
    *_, last = tab.again(visit)
    assert set(Page(last[tab.result]).attributes("data-adapter")) == ids - {gone}
    assert tab.racers not in last


def test_everything_that_is_trained_can_be_chosen() -> None:
    assert [one for _, one in race.named([*TRAINED], "es")] == [one for one in METHODS if METHODS[one].steps]
