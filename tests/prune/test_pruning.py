"""
What names a pruning, and what is refused.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.model.catalogue import steps_of
from playground.model.pruning import KINDS, SHARE, Pruning

LAW = settings(deadline=None, derandomize=True, database=None)
CHOICES = [(kind.id, rule) for kind in KINDS.values() for rule in kind.rules if kind.share is SHARE]


@LAW
@given(st.sampled_from(CHOICES), st.integers(0, 600))
def test_what_it_is_written_as_is_read_as_it(chosen: tuple[str, str], tenths: int) -> None:
    kind, rule = chosen
    pruning = Pruning(kind, tenths / 1000, rule)
    assert Pruning.parse(str(pruning)) == pruning
    assert str(Pruning.parse(str(pruning))) == str(pruning)


def test_it_is_written_so() -> None:
    assert str(Pruning("width", 0.2, "max_min")) == "width-20-max_min"
    assert str(Pruning("depth", 0.1875, "last")) == "depth-18.75-last"


@pytest.mark.parametrize(
    ("base_id", "steps"),
    [
        ("smollm2-135m", ("smollm2-135m", None, None)),
        ("smollm2-135m:nf4", ("smollm2-135m", None, "nf4")),
        ("qwen3-0.6b:width-20-max_min", ("qwen3-0.6b", Pruning("width", 0.2, "max_min"), None)),
        ("smollm2-135m:pattern-50-wanda:nf4", ("smollm2-135m", Pruning("pattern", 0.5, "wanda"), "nf4")),
    ],
)
def test_an_id_says_its_steps_from_left_to_right(base_id: str, steps: object) -> None:
    spec, *rest = steps_of(base_id)
    assert (spec.id, *rest) == steps


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("width", "unknown_base"),
        ("width-20", "not_a_pruning"),
        ("length-20-last", "not_a_pruning"),
        ("width-20-max_min-nf4", "not_a_pruning"),
        ("width--5-max_min", "not_a_pruning"),
        ("width-61-max_min", "out_of_range"),
        ("width-20-wanda", "not_a_choice"),
        ("pattern-20-wanda", "not_a_choice"),
        ("nf4:width-20-max_min", "unknown_base"),
        ("width-20-max_min-32", "not_a_choice"),
        ("width-20-max_min:nf4:nf4", "unknown_base"),
    ],
)
def test_what_names_none_is_refused_in_both_languages(text: str, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        steps_of(f"smollm2-135m:{text}")
    assert error.value.key == key
    assert error.value.message("en") != error.value.message("es")


def test_a_part_of_one_stays() -> None:
    assert Pruning("width", 0.2, "max_min").removed(8192) == 1638
    assert Pruning("depth", 0.1875, "last").removed(16) == 3
    assert Pruning("sparse", 0.29, "magnitude").removed(100) == 29


def test_whole_blocks_stay_where_they_are_asked_for() -> None:
    assert str(Pruning("width", 0.2, "l1", 64)) == "width-20-l1-64"
    assert Pruning.parse("width-20-l1-64").removed(1536) == 1536 - 1280
    assert Pruning("width", 0.5, "l1", 64).removed(1536) == 768
    assert Pruning("width", 0.1, "l1", 64).removed(100) == 0
    assert Pruning("depth", 0.2, "last").in_blocks() == Pruning("depth", 0.2, "last")
