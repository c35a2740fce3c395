"""The calculator's positions and sentences, whatever a browser sends."""

from __future__ import annotations

from typing import Any

import pytest

from playground.learn import breakeven
from playground.learn.breakeven import Lengths
from playground.ui.learn.calculator import at, calculator
from tests.ui.drawn import Page, assert_laws


@pytest.fixture(autouse=True)
def lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakeven, "lengths", lambda: Lengths(question=30, answer=20, example=40, trained=50))


def test_it_is_sound_and_speaks_its_language() -> None:
    assert_laws(lambda language: [calculator(language)])


def test_it_begins_where_the_sliders_stand() -> None:
    page = Page(calculator("es"))
    stands = {one["name"]: float(one["value"]) for tag, one in page.elements if tag == "input"}
    moved = at({"lang": "es", **stands})
    assert moved == at({"lang": "es"})
    assert page.texts["pp-calculated"] == Page(moved["drawn"]).text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {},
            "paid for after 61 answers. At 1,000, answering with examples costs 3.5 times",
        ),  # 420 / (19.2 + 100)
        ({"requests": 0}, "At 1, training and then answering without examples still costs"),
        ({"steps": 1, "examples": 12}, "after a single answer."),
        ({"lang": "es", "requests": 100}, "Con 100\N{NO-BREAK SPACE}000, responder con ejemplos cuesta"),
    ],
)
def test_the_sentence_is_that_of_the_sliders(given: dict[str, Any], said: str) -> None:
    assert said in Page(at(given)["drawn"]).texts["pp-meaning"]


@pytest.mark.parametrize("wrong", [None, "9", -1, 10**9, float("nan"), float("inf"), [1], {}])
def test_what_no_slider_can_stand_at_is_where_it_begins(wrong: Any) -> None:
    assert at({"requests": wrong, "examples": wrong, "steps": wrong, "lang": wrong}) == at({})


def test_without_a_tokenizer_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakeven, "lengths", lambda: None)
    assert "as soon as the model is prepared" in calculator("en")
    assert at({})["drawn"] == ""
