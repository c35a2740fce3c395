"""What variants are worth, on the page: their numbers, a sentence of them, and every answer with its mark."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from playground.adapt import tasks
from playground.adapt.tasks import OWN
from playground.adapt.variant import BASE
from playground.locales import NO_BREAK
from playground.settings import DEFAULT_BASE
from playground.ui.compare import scores, scores_html
from playground.ui.compare.scores import Wish
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages

VISIT = Visit("a-visitor-of-the-scores", "en", DEFAULT_BASE)


def row(pane: str, method: str, loss: float | None, marks: tuple[float, ...], **changed: Any) -> dict[str, Any]:
    examples = [{"prompt": f"Q{n}", "expected": f"E{n}", "answer": f"A{n}", "score": one} for n, one in enumerate(marks)]
    plain = {
        "id": pane, "name": "", "base": DEFAULT_BASE, "method": method, "task": "pirate" if method != BASE else None,
        "hyperparameters": {"rank": 8} if method == "lora" else {}, "steps": 24, "own": method == "lora", "number": 1,
        "held_out_loss": loss, "score": sum(marks) / len(marks) if marks else None,
        "right": sum(one == 1 for one in marks) if marks else None, "questions": len(marks), "examples": examples,
        "forgetting": None, "waits": False, "message": "",
    }  # fmt: skip
    return plain | changed


ROWS = (
    row(BASE, BASE, 4.3, (0, 0, 0, 1)),
    row("few_shot", "few_shot", 3.1, (1, 0, 0.5, 1)),
    row("mine", "lora", 2.35, (1, 1, 0.5, 1)),
)


def view(*rows: dict[str, Any], **changed: Any) -> dict[str, Any]:
    plain = {
        "base": DEFAULT_BASE,
        "task": "pirate",
        "rule": changed.get("task", "pirate"),  # a ready-made task's own
        "state": "finished",
        "position": 0,
        "wait": None,
        "message": "",
    }
    return {**plain, "rows": list(rows or ROWS), **changed}


def example(**changed: str) -> dict[str, Any]:
    return row("mine", "lora", 2.0, (1,), examples=[{"prompt": "Q", "expected": "E", "answer": "A", "score": 0.5} | changed])


PLACES = {
    "a question": lambda evil, lang: scores_html.drawn(view(example(prompt=evil)), lang),
    "what was expected": lambda evil, lang: scores_html.drawn(view(example(expected=evil)), lang),
    "an answer": lambda evil, lang: scores_html.drawn(view(example(answer=evil)), lang),
    "a name": lambda evil, lang: scores_html.drawn(view(row("mine", "lora", 2.0, (1,), name=evil)), lang),
    "what went wrong": lambda evil, lang: scores_html.drawn(view(row("mine", "lora", None, (), message=evil)), lang),
}


@both_languages
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_as_text_and_never_obeyed(place: Any, language: Any) -> None:
    assert_shown_as_text(place, language)


def test_every_state_is_sound_and_said_in_both_languages() -> None:
    waiting = row("mine", "lora", None, (), waits=True)
    states = [view(waiting, state=state, position=2) for state in ("queued", "running", "stopped", "failed")]
    assert_laws(lambda language: [scores_html.drawn(one, language) for one in (*states, view(), view(*ROWS, ROWS[2]))])


def test_one_adapter_is_held_beside_the_base_and_few_shot() -> None:
    told = Page(scores_html.drawn(view(), "en")).texts["pp-outcome"]
    assert told == (
        "LoRA r = 8 · pirate (yours, no. 1): 3 of 4 fully right (base 1 and few-shot 2). "
        "Held-out loss 2.35 (base 4.30 and few-shot 3.10)."
    )


def test_of_several_the_first_are_named_and_so_are_ties() -> None:
    told = Page(scores_html.drawn(view(*ROWS, row("b", "ia3", 2.3512, (1, 1, 1, 0.5))), "en")).texts["pp-outcome"]
    assert f"The highest score, 88{NO_BREAK}%, went to LoRA r = 8 · pirate (yours, no. 1) and IA3 · pirate." in told
    assert "The lowest held-out loss, 2.35, is that of LoRA r = 8 · pirate (yours, no. 1) and IA3 · pirate." in told


def test_what_is_looked_for_is_said_and_every_answer_is_marked() -> None:
    told = Page(scores_html.drawn(view(), "en")).text
    assert f"Score: 50{NO_BREAK}% for one pirate word" in told
    assert "moves the score by 25 points" in told
    assert told.count("✓ right") == 1 + 2 + 3
    assert told.count("✗ wrong") == 3 + 1
    assert "Expected: E3" in told


def test_own_examples_show_the_loss_and_why_there_is_no_score() -> None:
    own = [row(BASE, BASE, 4.3, ()), row("mine", "lora", 2.35, (), task=OWN)]
    told = Page(scores_html.drawn(view(*own, task=OWN, rule=""), "en"))
    assert "Held-out loss 2.35 (base 4.30)." in told.text
    assert "so there is no score" in told.text
    assert "Fully right" not in told.text
    assert told.count("details") == 0


def test_where_answers_are_graded_none_is_right_or_wrong() -> None:
    rows = [row(BASE, BASE, 4.3, (0.25, 0.25)), row("mine", "lora", 2.35, (1, 0.5), task="summary")]
    told = Page(scores_html.drawn(view(*rows, task="summary"), "en"))
    assert f"(yours, no. 1): score 75{NO_BREAK}% (base 25{NO_BREAK}%)." in told.texts["pp-outcome"]
    assert "ROUGE-L F1 (Lin 2004)" in told.text
    assert not any(word in told.text for word in ("Fully right", "✓", "✗"))


@pytest.mark.parametrize(
    ("before", "after", "differs", "said"),
    [
        (3.21, 3.45, True, "Forgetting: on a neutral text the loss rose from 3.21 to 3.45 nats a token (+0.24), by more"),
        (
            3.21,
            3.45,
            False,
            "No forgetting was seen: on a neutral text the loss went from 3.21 to 3.45 nats a token (+0.24), in",
        ),
        (
            10.841,
            10.799,
            True,
            "Nothing was forgotten: on a neutral text the loss fell from 10.84 to 10.80 nats a token (−0.04)",
        ),
        (3.2104, 3.2132, True, "rose from 3.210 to 3.213 nats a token (+0.003)"),
        (3.2104, 3.2104, False, "went from 3.21 to 3.21 nats a token (0)"),
    ],
)
def test_what_was_forgotten_is_said_with_its_noise_and_its_digits(
    before: float, after: float, differs: bool, said: str
) -> None:
    found = {"before": before, "after": after, "differs": differs}
    told = Page(scores_html.drawn(view(*ROWS[:2], ROWS[2] | {"forgetting": found}), "en")).text
    assert said in told
    assert (
        "overflow"
        in Page(scores_html.forgotten(view(row("a", "lora", 2.0, (), forgetting=found | {"after": None})), "en")).text
    )
    told = Page(scores_html.moved({"moved": {"change": -0.25, "differs": differs}}, "es")).text
    assert "−25 puntos" in told
    assert scores_html.moved({"moved": None}, "en") == ""


def test_a_pane_that_waits_is_open_and_one_that_cannot_be_scored_says_why() -> None:
    told = Page(scores_html.drawn(view(row("a", "lora", None, (), waits=True), state="running"), "en")).text
    assert "…" in told
    told = Page(scores_html.drawn(view(row("a", "lora", None, (), message="Too long.")), "en")).text
    assert "Too long." in told
    assert "–" in told


@pytest.fixture(scope="module")
def panel() -> Any:
    with gr.Blocks():
        state = {"key": gr.State(VISIT.key), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        return scores.build(Wording(), Controls(Visit, state), gr.Dropdown([BASE], multiselect=True), gr.Textbox())


def test_the_task_is_that_of_a_held_out_question(panel: Any) -> None:
    asked = Wish(**vars(VISIT), panes=[BASE], prompt=tasks.task("json").held_out[0].prompt, task="pirate")
    assert panel.suggest(asked) == {panel.task: "json"}
    assert panel.suggest(Wish(**{**vars(asked), "prompt": "Who?"})) == {panel.task: gr.skip()}


def test_what_cannot_be_scored_is_said_and_nothing_is_shown_before(panel: Any) -> None:
    (changes,) = panel.start(Wish(**vars(VISIT), panes=["nobody"], prompt="", task="pirate"))
    assert set(changes) == {panel.result}
    assert 'role="alert"' in changes[panel.result]
    assert list(panel.attach(VISIT)) == [{panel.panel: gr.skip()}]
