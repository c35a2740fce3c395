"""How the methods compare, as it is read: every figure from the rows, what is noise named, own runs beside the recorded."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from playground.actions import leaderboard as actions
from playground.actions.leaderboard import board
from playground.adapt import tasks
from playground.adapt.methods import FRONT, MORE
from playground.locales import NO_BREAK, text
from playground.train.standings import Row, cells, recipe
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import leaderboard
from playground.ui.train.leaderboard_html import conclusion, drawn
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages

TASK = "sentiment"
RIGHT = {"base": 0, "few_shot": 4, "prompt_tuning": 15, "ia3": 8, "lora": 16, "qlora": 15, "full_fine_tuning": 16}
COUNTS = {"prompt_tuning": 11_520, "ia3": 57_600, "lora": 460_800, "qlora": 460_800, "full_fine_tuning": 134_515_008}
OWN: dict[str, Any] = {
    "id": "a1", "name": "", "number": 3, "own": True, "method": "lora", "task": TASK, "hyperparameters": {"rank": 2},
    "steps": 9, "parameters": 115_200, "bytes": 460_800, "score": 0.5, "questions": 8, "loss": 1.25, "seed": 0,
    "forgetting": 0.5,
    "base": "smollm2-135m",
}  # fmt: skip


def rows(right: dict[str, int] = RIGHT, task: str = TASK) -> list[Row]:
    """A method's first so many answers are right; the last seed of LoRA misses one more."""
    expected = [one.response for one in tasks.task(task).held_out]
    found = []
    for cell in (one for one in cells((task,)) if one.method in right):
        good = right[cell.method] - (cell.method == "lora" and cell.seed == 2)
        answers = (*expected[:good], *["no"] * (16 - good))
        count = COUNTS.get(cell.method, 0)
        costs = (count, 4 * count, 20.0 if count else 0.0, 40.0 + 20 * (cell.method == "prompt_tuning"))
        found.append(
            Row(
                task,
                cell.method,
                cell.seed,
                answers,
                2.0,
                *costs,
                3.0,
                3.0 - 0.25 * cell.seed,
                "CPU",
                recipe(cell),
                {"torch": "2"},
            )
        )
    return found


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"base": "smollm2-135m"}
    monkeypatch.setattr(actions, "recorded", lambda: (about, rows()))


def everything(language: str) -> list[str]:
    found = board(TASK)
    silent = {
        **OWN,
        "score": None,
        "questions": 0,
        "loss": None,
        "forgetting": None,
        "method": "few_shot",
        "hyperparameters": {"examples": 4},
    }
    part = {**found, "missing": ["few_shot", "ia3"]}
    alone = {**found, "near": [], "below": list(RIGHT)[:-1]}
    others = [{**found, "cheapest": one} for one in ("base", "few_shot", "lora")]
    return [drawn(one, [OWN, silent], language) for one in (found, part, alone, *others)]


@pytest.mark.usefixtures("there")
def test_every_piece_is_sound_and_speaks_one_language() -> None:
    assert_laws(everything)
    for language in ("en", "es"):
        assert_shown_as_text(lambda evil, lang: drawn(board(TASK), [{**OWN, "name": evil}], lang), language)


@pytest.mark.usefixtures("there")
@both_languages
def test_the_conclusion_is_the_verdict_in_words(language: Any) -> None:
    said = conclusion(board(TASK), language)
    best, near = text(language, "methods.full_fine_tuning.name"), text(language, "methods.prompt_tuning.name")
    assert said.startswith(best)
    before, after = said.split(text(language, "board.below", methods="|").split("|")[0])
    assert all(name in before for name in ("LoRA", "QLoRA", near))
    assert all(name in after for name in ("IA3", text(language, "methods.few_shot.name")))
    assert {"en": "11,520", "es": f"11{NO_BREAK}520"}[language] in before
    ratio = {"en": "11,677", "es": f"11{NO_BREAK}677"}[language]  # 134,515,008 / 11,520
    assert ratio in before


@pytest.mark.usefixtures("there")
def test_the_table_has_a_row_for_each_method_with_its_ends_and_one_for_each_own_run() -> None:
    page = Page(drawn(board(TASK), [OWN], "en"))
    assert page.count("tr") == 1 + (len(FRONT) + 1) + 1
    lora = page.text[page.text.index("LoRA", page.text.index("Forgetting")) :].replace(NO_BREAK, " ")
    assert lora.startswith("LoRAinside the noise98 %94 % to 100 %2.00460,8001.8 MB1.040−0.25−0.50 to 0")
    assert "LoRA r = 2 · sentiment (yours, no. 3)50 %of 8 questions1.25115,200461 KB–40+0.50" in page.text.replace(
        NO_BREAK, " "
    )
    assert "yours, no. 3" in page.texts["pp-roomy"]
    assert "Open rings" in page.text
    assert "Open rings" not in drawn(board(TASK), [], "en")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    about = {"base": "smollm2-135m"}
    monkeypatch.setattr(actions, "recorded", lambda: (about, rows(task="json") + rows()))
    with gr.Blocks():
        state = {"key": gr.State(""), "language": gr.State("en"), "base": gr.State("")}
        return leaderboard.build(Wording(), Controls(Visit, state), gr.Dropdown(["pirate"]), gr.State(""), [])


@both_languages
def test_it_opens_on_the_task_that_is_chosen_above_or_says_that_it_was_not_measured(card: Any, language: Any) -> None:
    def opened(chosen: str) -> tuple[str, str]:
        first = card.task.value
        changes = card.open(leaderboard.Asked("nobody", language, "smollm2-135m", task=first, every=False, chosen=chosen))
        return changes[card.task], changes[card.result]

    plain = {task: drawn(board(task), [], language) for task in (TASK, card.task.value)}
    assert opened(TASK) == (TASK, plain[TASK])
    task, said = opened("summary")
    assert task == card.task.value != TASK
    assert said.endswith(plain[task])
    names = {"chosen": text(language, "tasks.summary.title"), "shown": text(language, f"tasks.{task}.title")}
    assert text(language, "board.unmeasured", **names) in said


@both_languages
def test_methods_of_one_score_share_it_and_the_task_s_own_recipe_is_named(
    monkeypatch: pytest.MonkeyPatch, language: Any
) -> None:
    monkeypatch.setattr(actions, "recorded", lambda: ({"base": "smollm2-135m"}, rows({**RIGHT, "qlora": 16})))
    said = conclusion(board(TASK), language).replace(NO_BREAK, " ")
    full = text(language, "methods.full_fine_tuning.name")
    share = {
        "en": f"QLoRA and {full} share the highest score, 100 %.",
        "es": f"QLoRA y {full} comparten la mayor puntuación",
    }
    assert said.startswith(share[language].replace(NO_BREAK, " "))
    assert {"en": "LoRA r = 8 · Learning rate 0.002 · 24 steps", "es": "LoRA r = 8 · Tasa de aprendizaje 0,002"}[
        language
    ] in said
    monkeypatch.setattr(actions, "recorded", lambda: ({"base": "smollm2-135m"}, rows(task="json")))
    tail = text(language, "board.recipe", method="", recipe="|").split("|")[1]
    assert tail in said
    assert tail not in conclusion(board("json"), language)


def test_of_all_methods_those_that_were_not_measured_are_named_but_for_what_the_base_cannot_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "recorded", lambda: ({"base": "smollm2-135m"}, rows()))
    missing = board(TASK, every=True)["missing"]
    assert missing == [one for one in MORE if one != "bitfit"]
    assert board(TASK)["missing"] == []
    monkeypatch.setattr(actions, "recorded", lambda: ({"base": "smollm2-135m"}, rows(task="facts")))
    assert board("facts", every=True)["missing"] == []  # there only those in front are measured
    monkeypatch.setattr(actions, "recorded", lambda: ({"base": "smollm2-135m"}, rows()))
    assert text("en", "methods.vera.name") in drawn(board(TASK, every=True), [], "en")
