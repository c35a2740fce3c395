"""A visitor's own numbers: each language opens with its own notation, and reads what was typed in the other alike."""

import pytest

from playground.formats.distributions import parse
from playground.ui.quantize.own_numbers import COMMA, opening, retold


def read(text: str, language: str) -> list[float]:
    return [float(one) for one in parse(text, language in COMMA).ravel()]


def test_both_languages_open_with_the_same_numbers_in_their_own_notation() -> None:
    assert opening("es").startswith("0,12 -0,4 ")
    assert read(opening("es"), "es") == read(opening("en"), "en")
    assert retold(opening("en"), "en", "es") == opening("es")


@pytest.mark.parametrize("typed", ["0.5 1.25 -3", "1,2,3", "1,2", "0.5, 1.5", "1, 2, 3", "0,5; 1,25", "0,5\t2", "7"])
@pytest.mark.parametrize(("here", "there"), [("en", "es"), ("es", "en")])
def test_what_was_typed_is_read_alike_in_the_other_language(typed: str, here: str, there: str) -> None:
    assert read(retold(typed, here, there), there) == read(typed, here)


def test_what_is_no_number_stays() -> None:
    assert retold("1, two", "en", "es") == "1, two"
    assert retold("uno dos", "es", "en") == "uno dos"
