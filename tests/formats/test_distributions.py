"""Test tensors have the moments that they claim; a visitor's numbers are read as meant, or refused with their place."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground import settings as limits
from playground.errors import PlaygroundError
from playground.formats.distributions import DISTRIBUTIONS, parse, read_file, sample

law = settings(max_examples=60, deadline=None)
KURTOSIS = {"normal": 3.0, "uniform": 1.8, "laplace": 6.0}


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_moments_are_those_of_the_distribution(kind: Any) -> None:
    values = sample(kind, 512, 512, seed=1).astype(np.float64)
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.std() == pytest.approx(1, abs=0.01)
    assert (values**4).mean() == pytest.approx(KURTOSIS[kind], rel=0.05)


def test_normal_is_numpy_s_own_of_that_seed() -> None:
    expected = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32)
    np.testing.assert_array_equal(sample(), expected)


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_a_seed_repeats(kind: Any) -> None:
    np.testing.assert_array_equal(sample(kind, 8, 9, 5), sample(kind, 8, 9, 5))
    assert not np.array_equal(sample(kind, 8, 9, 5), sample(kind, 8, 9, 6))
    assert sample(kind, 8, 9).shape == (8, 9)
    assert sample(kind, 8, 9).dtype == np.float32


@law
@given(st.sampled_from(list(DISTRIBUTIONS)), st.floats(1e-6, 0.5), st.floats(10, 100))
def test_outliers_replace_a_share_and_leave_the_rest(kind: Any, share: Any, size: Any) -> None:
    plain, spoilt = sample(kind, 40, 50), sample(kind, 40, 50, outliers=share, size=size)
    changed = plain != spoilt
    assert changed.sum() == max(1, round(share * 2000))
    np.testing.assert_array_equal(np.abs(spoilt[changed]), np.float32(size))


def test_outliers_have_both_signs_and_none_changes_nothing() -> None:
    spoilt = sample("normal", 50, 50, outliers=0.1, size=50)
    assert {-50.0, 50.0} <= set(spoilt.flatten().tolist())
    np.testing.assert_array_equal(sample("normal", 50, 50, outliers=0.0), sample("normal", 50, 50))


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"kind": "cauchy"}, "not_a_choice"),
        ({"rows": 0}, "out_of_range"),
        ({"columns": limits.MAX_TEST_SIDE + 1}, "out_of_range"),
        ({"rows": 2.5}, "wrong_kind"),
        ({"seed": -1}, "out_of_range"),
        ({"outliers": 0.6}, "out_of_range"),
        ({"outliers": math.nan}, "out_of_range"),
        ({"size": math.inf}, "out_of_range"),
        ({"rows": True}, "wrong_kind"),
    ],
)
def test_what_is_no_tensor_is_refused(options: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        sample(**options)
    assert error.value.key == key


# A visitor's numbers


@law
@given(st.lists(st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=4), min_size=2, max_size=5))
def test_lines_of_one_length_are_a_matrix_others_a_row(rows: Any) -> None:
    found = parse("\n".join(", ".join(map(repr, row)) for row in rows))
    if len({len(row) for row in rows}) == 1:
        np.testing.assert_array_equal(found, np.array(rows, dtype=np.float32))
    else:
        np.testing.assert_array_equal(found, np.array([one for row in rows for one in row], dtype=np.float32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 2 3", [1, 2, 3]),
        ("1,2,3", [1, 2, 3]),
        ("1, -2.5,\n3e-3\n\n", [1, -2.5, 0.003]),
        ("0,5; -1,25", [0.5, -1.25]),
        ("0,5\t2", [0.5, 2]),
        ("1;2\n3;4\n", [[1, 2], [3, 4]]),
        ("1 2\r\n3 4", [[1, 2], [3, 4]]),
        ("1\n2\n3", [1, 2, 3]),
        ("7", [7]),
        ("1e-45", [1e-45]),
        ("−0.5, −1e−3", [-0.5, -0.001]),
        (";;\n1;2;\n", [1, 2]),
        (" 1,2,3 \n4, 5, 6", [[1, 2, 3], [4, 5, 6]]),
        ("1 , 2 ,3", [1, 2, 3]),
    ],
)
def test_separators_and_decimal_commas(text: str, expected: list[Any]) -> None:
    found = parse(text)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,5 1,25 -0,75", [0.5, 1.25, -0.75]),
        ("0,5\n1,25 -3 1,5e-3", [0.5, 1.25, -3, 0.0015]),
        ("0,5; 1,25", [0.5, 1.25]),
        ("1,2,3", [1, 2, 3]),  # a number has one
        ("1, 2, 3", [1, 2, 3]),
        ("0.5,1.5", [0.5, 1.5]),
        ("0.5 1.5", [0.5, 1.5]),
    ],
)
def test_where_a_comma_is_decimal_it_is_one_wherever_it_may_be(text: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(parse(text, decimal_comma=True), np.array(expected, dtype=np.float32))


def test_a_comma_that_may_be_either_is_refused_in_every_language() -> None:
    with pytest.raises(PlaygroundError) as error:
        parse("0,5, 1,25", decimal_comma=True)
    assert error.value.key == "unclear_comma"


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("", "no_numbers", {}),
        (" \n , \n", "no_numbers", {}),
        ("1, 2\n3, four", "not_a_number", {"entry": "four", "line": 2}),
        ("weight\n0.5", "not_a_number", {"entry": "weight", "line": 1}),
        ("1, nan", "number_not_finite", {"entry": "nan", "line": 1}),
        ("1\n-inf", "number_not_finite", {"entry": "-inf", "line": 2}),
        ("1e39", "number_not_finite", {"entry": "1e39", "line": 1}),
        ("1e999", "number_not_finite", {"entry": "1e999", "line": 1}),
        ("1_000", "not_a_number", {"entry": "1_000", "line": 1}),
        ("1.234,5;2", "not_a_number", {"entry": "1.234,5", "line": 1}),
        ("−1e39; 2", "number_not_finite", {"entry": "−1e39", "line": 1}),
        ("1\n0,5 1,2", "unclear_comma", {"entry": "0,5", "line": 2}),
        ("0,5, 1,2", "unclear_comma", {"entry": "0,5", "line": 1}),
        ("1\n1,,2", "empty_entry", {"line": 2}),
        ("1; ;2", "empty_entry", {"line": 1}),
        (",1,2", "empty_entry", {"line": 1}),
    ],
)
def test_what_is_no_number_is_refused_with_its_place(text: str, key: str, values: dict[str, Any]) -> None:
    with pytest.raises(PlaygroundError) as error:
        parse(text)
    assert (error.value.key, error.value.values) == (key, values)
    for language in ("en", "es"):
        assert error.value.message(language)


def test_too_many_numbers_are_refused() -> None:
    assert parse("1 " * limits.MAX_OWN_NUMBERS).size == limits.MAX_OWN_NUMBERS
    for text in ("1 " * (limits.MAX_OWN_NUMBERS + 1), "1\n" * (limits.MAX_OWN_NUMBERS + 1), " " * 3_000_000):
        with pytest.raises(PlaygroundError) as error:
            parse(text)
        assert error.value.key == "too_many_numbers"


def test_a_file_is_read_like_text(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_bytes("\ufeff1,2\n3,4\n".encode())
    np.testing.assert_array_equal(read_file(path), np.array([[1, 2], [3, 4]], dtype=np.float32))
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(PlaygroundError) as error:
        read_file(path)
    assert error.value.key == "data_unreadable"
    path.write_text("1 " * limits.MAX_OWN_NUMBERS_BYTES)
    with pytest.raises(PlaygroundError) as error:
        read_file(path)
    assert error.value.key == "too_many_numbers"
