"""One range check: odd values against every kind of bound, and every bound of the package against its own ends."""

import math
import pkgutil
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import playground
from playground.bounds import SEED, SHOWN, Bound
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES

NAN, INFINITY, HUGE = math.nan, math.inf, 10**400
KINDS = {
    "whole": Bound("count", 3, 1, 10),
    "number": Bound("rate", 0.5, -1.0, 2.0),
    "width": Bound("width", 2, choices=(2, 4)),
    "word": Bound("kind", "sum", choices=("sum", "mean")),
    "never": Bound("zero_point", False, choices=(False,)),
    "switch": Bound("dora", False),
    "text": Bound("name", "", maximum=5),
}


def brief(value: Any) -> str | None:
    """The name of a test with a value that pytest would write out."""
    return "huge" if isinstance(value, int) and abs(value) > 10**20 else None


def refusal(bound: Bound, value: Any) -> PlaygroundError:
    with pytest.raises(PlaygroundError) as refused:
        bound.check(value)
    return refused.value


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        ("whole", 1, 1), ("whole", 10, 10), ("whole", 3.0, 3), ("whole", np.int64(4), 4), ("whole", np.uint8(4), 4),
        ("whole", np.float32(5), 5), ("number", 1, 1.0), ("number", -1, -1.0), ("number", 2.0, 2.0),
        ("number", np.float64(0.25), 0.25), ("number", np.float16(0.25), 0.25), ("number", np.int8(-1), -1.0),
        ("number", -0.0, 0.0), ("width", 4, 4), ("width", 4.0, 4), ("width", np.int32(2), 2), ("word", "mean", "mean"),
        ("word", np.str_("mean"), "mean"), ("never", False, False), ("switch", True, True), ("text", "", ""),
        ("text", "ñandú", "ñandú"),
    ],
)  # fmt: skip
def test_what_is_meant_is_taken_as_the_kind_of_the_default(kind: str, value: Any, taken: bool | float | str) -> None:
    found = KINDS[kind].check(value)
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [
        ("whole", 0, "out_of_range"), ("whole", 11, "out_of_range"), ("whole", -3.0, "out_of_range"),
        ("whole", 3.5, "wrong_kind"), ("whole", np.float32(3.5), "wrong_kind"),
        *[(kind, value, "wrong_kind") for kind in ("whole", "number") for value in (
            True, False, np.True_, None, "3", b"3", "", [3], (3,), {}, {3}, 3j, np.array(3), np.array([3]), Decimal(1),
            Fraction(3, 2), object(),
        )],
        *[(kind, value, "out_of_range") for kind in ("whole", "number") for value in (
            NAN, INFINITY, -INFINITY, HUGE, -HUGE, 10**5000, 1e300, np.float64(NAN), np.float32(INFINITY), np.int64(2**62),
        )],
        ("number", math.nextafter(-1.0, -2.0), "out_of_range"), ("number", math.nextafter(2.0, 3.0), "out_of_range"),
        *[("width", value, "not_a_choice") for value in (3, True, 2.5, NAN, HUGE, None, "2", [2], np.array(2))],
        *[("word", value, "not_a_choice") for value in ("Sum", "", 1, None, True, ["sum"], np.array("sum"))],
        *[("never", value, "not_a_choice") for value in (True, 0, None, "False", np.False_)],
        *[("switch", value, "wrong_kind") for value in (0, 1, "true", None, np.True_, [True])],
        *[("text", value, "wrong_kind") for value in (None, 5, True, b"abc", ["a"], "abcdef")],
    ],
    ids=brief,
)  # fmt: skip
def test_what_is_not_meant_is_refused_and_named(kind: str, value: Any, key: str) -> None:
    error = refusal(KINDS[kind], value)
    assert error.key == key
    assert error.values["name"] == KINDS[kind].name
    assert all(KINDS[kind].name in error.told(language) for language in LANGUAGES)


@pytest.mark.parametrize("value", [HUGE, 10**5000, "x" * 10_000, list(range(1000)), 1e300, np.zeros(1000)], ids=brief)
@pytest.mark.parametrize("kind", ["whole", "width", "word", "switch"])
def test_an_error_repeats_a_short_piece_of_what_was_given(kind: str, value: Any) -> None:
    assert 0 < len(refusal(KINDS[kind], value).values["value"]) <= SHOWN == 60


def test_a_short_value_is_repeated_whole() -> None:
    assert refusal(KINDS["whole"], 1234).values["value"] == "1234"
    assert str(refusal(KINDS["number"], NAN)) == "rate must be between -1.0 and 2.0, not nan."


ODD = (
    st.none() | st.booleans() | st.integers() | st.integers(-12, 12) | st.floats() | st.floats(-3, 3) | st.text(max_size=7)
    | st.complex_numbers() | st.lists(st.integers(), max_size=2) | st.decimals() | st.fractions()
    | st.integers(-128, 127).map(np.int8) | st.floats(width=16).map(np.float16) | st.sampled_from([HUGE, -HUGE, "sum", ""])
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(list(KINDS.values())), ODD)
def test_a_value_is_taken_as_it_is_or_refused_with_a_sentence(bound: Bound, value: Any) -> None:
    found: Any
    try:
        found = bound.check(value)
    except PlaygroundError as error:
        found = error
    if isinstance(found, PlaygroundError):
        assert all(found.message(language) for language in LANGUAGES)
        return
    assert type(found) is type(bound.default)
    assert found == value
    assert not bound.choices or found in bound.choices
    assert isinstance(found, str | bool) or bound.choices or bound.minimum <= found <= bound.maximum


# Every bound that the package declares


def bounds_in(value: Any) -> Iterator[Bound]:
    """A bound itself, those in a collection, those of a method."""
    if isinstance(value, Bound):
        yield value
    elif isinstance(value, dict | tuple | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from bounds_in(part)
    elif hasattr(value, "hyperparameters") and not isinstance(value, type):
        yield from bounds_in(value.hyperparameters)


def declared() -> dict[str, Bound]:
    """All of the package's, by module and name, each once."""
    found: dict[int, tuple[str, Bound]] = {}
    for module in pkgutil.walk_packages(playground.__path__, "playground."):
        for value in vars(import_module(module.name)).values():
            for bound in bounds_in(value):
                found.setdefault(id(bound), (f"{module.name.removeprefix('playground.')}.{bound.name}", bound))
    return {f"{name}-{place}": bound for place, (name, bound) in enumerate(found.values())}


DECLARED = declared()
NUMBERS = [name for name, one in DECLARED.items() if type(one.default) in (int, float) and not one.choices]
CHOICES = [name for name, one in DECLARED.items() if one.choices]


def test_the_walk_finds_what_the_rooms_declare() -> None:
    names = {bound.name for bound in DECLARED.values()}
    assert {"seed", "rank", "learning_rate", "temperature", "bins", "block", "steps", "length", "d", "tasks"} <= names
    assert [bound for bound in DECLARED.values() if bound.name == "seed"] == [SEED]


@pytest.mark.parametrize("name", DECLARED)
def test_a_default_is_allowed(name: str) -> None:
    bound = DECLARED[name]
    found = bound.check(bound.default)
    assert (found, type(found)) == (bound.default, type(bound.default))


@pytest.mark.parametrize("name", NUMBERS)
def test_both_ends_are_allowed_and_what_lies_just_outside_is_not(name: str) -> None:
    bound = DECLARED[name]
    low, high = bound.minimum, bound.maximum
    assert low is not None
    assert high is not None
    assert bound.check(low) == low
    assert bound.check(high) == high
    whole = isinstance(bound.default, int)
    outside = (low - 1, high + 1) if whole else (math.nextafter(low, -INFINITY), math.nextafter(high, INFINITY))
    assert [refusal(bound, value).key for value in outside] == ["out_of_range"] * 2


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_in_the_range_is_refused_everywhere_alike(name: str) -> None:
    bound = DECLARED[name]
    assert [refusal(bound, value).key for value in (True, False, None, "1")] == ["wrong_kind"] * 4
    assert [refusal(bound, value).key for value in (NAN, INFINITY, -INFINITY, HUGE, -HUGE)] == ["out_of_range"] * 5
    if isinstance(bound.default, int):
        assert bound.check(float(bound.default)) == bound.default
        assert refusal(bound, bound.default + 0.5).key == "wrong_kind"


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_is_allowed_and_nothing_else(name: str) -> None:
    bound = DECLARED[name]
    assert [bound.check(choice) for choice in bound.choices] == list(bound.choices)
    for value in (NAN, HUGE, None, "no such choice", [bound.default]):
        assert refusal(bound, value).key == "not_a_choice"
