"""Below the panes: what is concluded is what was measured; the button says what it does, the result what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.compare import Question
from playground.actions.lanes import COMPARE
from playground.actions.many import MANY, Repeated
from playground.adapt import tasks
from playground.compare.job import DECODING, DEFAULTS, Decoding
from playground.compare.many import Answer, Answered, ManyFrame
from playground.compare.verdict import verdicts
from playground.locales import NO_BREAK, text
from playground.settings import DEFAULT_BASE
from playground.ui.compare import many, many_html
from playground.ui.compare.asked import Asked
from playground.ui.compare.many_said import conclusion
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.work.sessions import SESSIONS
from tests.ui.compare.comparisons import base_pane, pane
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages, made_from

VISIT = Visit("a-visitor-who-asks-many-times", "en", DEFAULT_BASE)
PANES = {"base": base_pane(), "lora": pane(), "ia3": pane(id="pirate-ia3", method="ia3", hyperparameters={})}
HOW = Decoding(temperature=0.7)


def frame(values: dict[str, Sequence[float]], task: str | None = "sentiment", finished: bool = True) -> ManyFrame:
    """What panes have answered, by their values: scores, or lengths where there is no task."""

    def answer(seed: int, value: float) -> Answer:
        tokens, score = (5, value) if task else (int(value), None)
        return Answer(seed, f"answer {value}", tokens, "length" if tokens == 64 else "stop", score)

    panes = tuple(
        Answered(PANES[name]["id"], PANES[name], tuple(answer(seed, value) for seed, value in enumerate(own)))
        for name, own in values.items()
    )
    found = verdicts([one.values for one in panes]) if finished else ()
    return ManyFrame(DEFAULT_BASE, 1000, "Good?", HOW, 8, task, panes, found, finished)


def right(count: int) -> list[float]:
    return [1.0] * count + [0.0] * (8 - count)


LORA, IA3, P = "LoRA r = 8 · pirate", "IA3 · pirate", f"p{NO_BREAK}={NO_BREAK}"
CONCLUSIONS: list[tuple[dict[str, Sequence[float]], str | None, str]] = [
    (
        {"base": right(1), "lora": right(8)}, "sentiment",
        f"{LORA} 8 of 8 right, Base model 1 of 8 right: more than chance explains ({P}0.0014).",
    ),
    (
        {"base": right(2), "ia3": right(3)}, "sentiment",
        f"{IA3} 3 of 8 right, Base model 2 of 8 right: inside the noise ({P}1).",
    ),
    (
        {"base": right(0), "lora": right(8), "ia3": right(1)}, "sentiment",
        f"{LORA} differs from the base model by more than chance explains. Inside the noise: {IA3}. Among the other panes, "
        f"more than chance explains the difference between {LORA} and {IA3}.",
    ),
    (
        {"base": [0.5] * 8, "lora": [1.0] * 8, "ia3": [1.0] * 7 + [0.5]}, "pirate",
        f"{LORA} and {IA3} differ from the base model by more than chance explains. Among the other panes, the differences "
        "are inside the noise.",
    ),
    (
        {"base": right(3), "lora": right(4), "ia3": right(2)}, "sentiment",
        "No pane differs from the base model by more than chance explains: with 8 answers each, the differences are inside "
        "the noise. Among the other panes, the differences are inside the noise.",
    ),
    (
        {"lora": [8] * 8, "ia3": range(56, 64)}, None,
        f"{LORA} 8.0 tokens on average (8 to 8), {IA3} 59.5 tokens on average (56 to 63): more than chance explains "
        f"({P}0.00016).",
    ),
    (
        {"lora": [0.5] * 8}, "pirate",
        f"{LORA}: 50{NO_BREAK}% on average. With a second pane there is something to compare it with.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "task", "said"), CONCLUSIONS)
def test_the_conclusion_is_what_was_measured(values: Any, task: str | None, said: str) -> None:
    assert conclusion(frame(values, task).as_json(), "en") == said


def test_without_the_base_model_every_two_panes_are_named() -> None:
    panes = {"lora": right(8), "ia3": right(0)}
    shown = frame(panes).as_json()
    third = {**shown["panes"][1], "id": "other", "name": "Mine"}
    found = verdicts([right(8), right(0), right(0)])
    shown |= {"panes": [*shown["panes"], third], "verdicts": [{**vars(one), "differs": one.differs} for one in found]}
    assert conclusion(shown, "en") == (
        f"More than chance explains the difference between {LORA} and {IA3}; {LORA} and Mine. All other differences are "
        "inside the noise."
    )


def asked(**decoding: Any) -> Repeated:
    return Repeated(Question.of(DEFAULT_BASE, "Good?", ["base", "pirate-lora"], decoding), 8)


def test_nothing_is_concluded_before_all_is_written() -> None:
    shown = frame({"base": right(1), "lora": right(8)[:3]}, finished=False).as_json()
    page = Page(many_html.result(shown, asked(), "en"))
    assert conclusion(shown, "en") == ""
    assert page.count("details") == 0
    assert "pp-verdict" not in page.texts
    assert "3 of 3 right" in page.text


def test_pieces_are_sound_and_spanish() -> None:
    shown = [frame(values, task).as_json() for values, task, _ in CONCLUSIONS]
    assert_laws(lambda language: [many_html.result(one, asked(), language) for one in shown])


@both_languages
@pytest.mark.parametrize("place", ["prompt", "answer", "name"])
def test_hostile_text_is_shown_as_text(place: str, language: str) -> None:
    def drawn(text: str, language: str) -> str:
        shown = frame({"base": right(1), "lora": right(8)}).as_json()
        if place == "prompt":
            shown["prompt"] = text
        elif place == "answer":
            shown["panes"][0]["answers"][0]["text"] = text
        else:
            shown["panes"][1]["name"] = text
        return many_html.result(shown, asked(), language)

    assert_shown_as_text(drawn, language)


def test_what_is_compared_is_said_with_every_answer_and_what_was_cut() -> None:
    example = tasks.task("sentiment").held_out[0]
    held_out = replace(frame({"base": right(1), "lora": right(8)}), prompt=example.prompt)
    scored = Page(many_html.result(held_out.as_json(), asked(), "en")).text
    assert f"Score: {text('en', 'race.rule.sentiment')}." in scored
    assert "seed 1 · wrong" in scored
    assert "All 16 answers" in scored
    assert f"Expected: {example.response}" in scored
    plain = Page(many_html.result(frame({"base": [64, 3]}, None).as_json(), asked(), "en")).text
    assert "No score: only the held-out questions" in plain
    assert "Expected" not in plain
    assert "1 answer was cut at the limit of 64 tokens." in plain
    assert "seed 0 · 64 tokens" in plain
    assert "33.5 tokens on average (3 to 64) 2 different ones" in plain


@pytest.fixture
def below() -> Any:
    with gr.Blocks():
        base = gr.Dropdown()
        controls = {"key": gr.State(), "language": gr.State(), "base": base, "prompt": gr.Textbox(), "panes": gr.Dropdown()}
        decoding = {bound.name: gr.Number() for bound in DECODING}
        found = many.build(Wording(), Controls(Asked.of, {**controls, **decoding, "times": gr.Slider()}))
        many.wire(found, found.asked, decoding)
        return found


def repeat(**changed: Any) -> Asked:
    plain: dict[str, Any] = {"prompt": "Good?", "panes": ["base"], "times": 2, "decoding": DEFAULTS | {"max_new_tokens": 1}}
    return Asked(**{**vars(VISIT), **plain, **changed})


def test_the_button_names_its_number_and_the_temperature_that_it_uses() -> None:
    assert many.label("en", DEFAULTS) == "Answer 8 times, at temperature 0.7 instead of greedy"
    assert many.label("es", DEFAULTS | {"temperature": 1.5}, 3) == "Responder 3 veces con temperatura 1,5"


def test_what_is_pressed_is_answered_at_the_temperature_of_the_button_and_marked_with_that_of_the_control(
    below: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def start(*given: Any, **named: Any) -> Any:
        started.append((given, named))
        return answered()

    monkeypatch.setattr(many, "start_many", start)
    shown = list(below.start(repeat()))[-1]
    (_, _, _, _, decoding, times), named = started[0]
    assert (decoding["temperature"], times, named["subject"]) == (0.7, 2, repeat().repeated)
    marks = made_from(shown[below.result])
    assert (marks["temperature"], marks["used"], marks["prompt"], marks["times"]) == (0, DEFAULT_BASE, "Good?", 2)
    assert shown[below.notice] == ""
    assert (shown[below.go]["visible"], shown[below.stop]["visible"]) == (True, False)


def answered(finished: bool = True) -> Any:
    """The session's latest one, that has ended or is stopped."""
    shown = frame({"base": right(1)}, finished=finished)
    subject = repeat().repeated
    run = SESSIONS.submit(VISIT.key, COMPARE, lambda stop: iter([shown]), subject, MANY)
    assert all(True for _ in run.changes())
    return run


def test_a_refusal_is_said_below_the_panes_and_what_was_there_stays(below: Any) -> None:
    (shown,) = below.start(repeat(prompt=" "))
    assert set(shown) == {below.notice}
    assert "There is no question yet" in shown[below.notice]


def test_a_page_that_is_opened_again_shows_it_under_its_own_question_alone(below: Any) -> None:
    answered()
    assert below.result in list(below.attach(repeat()))[-1]
    assert below.result in list(below.attach(replace(repeat(), times=5)))[-1]  # marked then
    for other in ({"prompt": "Who?"}, {"panes": ["pirate-lora"]}, {"key": "somebody-else"}):
        assert list(below.attach(repeat(**other))) == [{below.notice: gr.skip()}]
