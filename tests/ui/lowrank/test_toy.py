"""The toy: what follows a visitor who goes on while an answer is on its way."""

from __future__ import annotations

from typing import Any

import pytest

from playground.ui.lowrank import toy
from tests.ui.labs import built


@pytest.fixture(scope="module")
def cards() -> toy.Cards:
    draw: Any = built("lowrank", toy)[1].sections["toy"].draw
    found: toy.Cards = draw.__self__
    return found


def asked(**changed: object) -> toy.Asked:
    return toy.Asked(**{**vars(toy.Asked("en", None, "random", 40, 50, 5, 0)), **changed})


def test_rows_that_change_leave_the_rank_to_the_visitor(cards: toy.Cards) -> None:
    """An answer that comes late would put back the rank that stood there when it was asked for."""
    change = cards.draw_matrices(asked(), turned=True)[cards.rank]
    assert change["maximum"] == 40
    assert "value" not in change


def test_a_rank_that_the_new_shape_has_not_is_lowered_and_said(cards: toy.Cards) -> None:
    changes = cards.draw_matrices(asked(rows=4), turned=True)
    assert changes[cards.rank]["value"] == 4
    assert "r was lowered to 4" in changes[cards.matrices]


def test_a_page_that_opens_shows_the_rank_that_is_drawn(cards: toy.Cards) -> None:
    assert cards.draw_matrices(asked())[cards.rank]["value"] == 5
