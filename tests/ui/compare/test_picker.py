"""What is said of an adapter that was just brought."""

from typing import Any

import pytest

from playground.ui.compare.picker import uploaded
from tests.ui.drawn import Page, assert_shown_as_text, both_languages

SUMMARY = {
    "id": "x", "name": "mine", "base": "smollm2-135m", "method": "lora", "task": "own", "hyperparameters": {}, "own": True,
    "made_for": "", "undone": "",
}  # fmt: skip


def said(language: str, **changed: Any) -> str:
    return Page(uploaded({**SUMMARY, **changed}, language)).text


@both_languages
def test_an_adapter_that_is_as_its_zip_says_is_only_here(language: str) -> None:
    assert said(language).count(".") == 1
    assert "mine" in said(language)


@both_languages
def test_the_base_that_it_was_made_for_and_the_one_that_it_fits_are_named(language: str) -> None:
    found = said(language, made_for="unsloth/SmolLM2-135M-Instruct")
    assert "unsloth/SmolLM2-135M-Instruct" in found
    assert "SmolLM2" in found.replace("unsloth/SmolLM2-135M-Instruct", "")


@both_languages
def test_an_initialization_that_was_undone_is_named(language: str) -> None:
    assert "PiSSA" in said(language, undone="PiSSA")
    assert "PiSSA" not in said(language)


@both_languages
@pytest.mark.parametrize("field", ["name", "made_for"])
def test_what_a_zip_says_stays_text(field: str, language: Any) -> None:
    assert_shown_as_text(lambda evil, lang: uploaded({**SUMMARY, field: evil}, lang), language)
