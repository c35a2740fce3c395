"""The page's accumulators: columns of bits that add up, charts that stay in their frame, and sentences with the numbers."""

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground import settings as limits
from playground.formats.accumulators import HARDWARE, INTEGERS, OPERANDS, OVERFLOWS, PAIRS, add, dot
from playground.plots.kit.figures import powered, signed
from playground.plots.quantize.accumulators import addition, both_signs, partial_sums
from playground.ui.quantize import accumulators as page
from playground.ui.quantize import accumulators_html

LANGUAGES = ("en", "es")
law = settings(max_examples=40, deadline=None)


SUM, DOTS = page.Addition("addition"), page.Dots("dots")  # their components by their names


def draw_addition(language: Any, a: Any, b: Any, overflow: Any) -> Any:
    return SUM.add(page.Pair(language, a, b, overflow))["addition"]


def grow(language: Any, kind: Any, power: Any, overflow: Any, seed: Any) -> Any:
    return (changes["dots"] for changes in DOTS.multiply(page.Product(language, kind, power, overflow, seed)))


def cells(row: Any) -> Any:
    """Its bits from the column of the lost carry on, as one string with spaces."""
    return "".join((cell.text or " ") for cell in row.findall("td") if not cell.get("colspan"))


# Two numbers


@law
@given(st.integers(-128, 127), st.integers(-128, 127), st.sampled_from(list(INTEGERS)), st.sampled_from(OVERFLOWS))
def test_the_table_shows_the_bits_and_marks_what_is_wrong(a: Any, b: Any, accumulator: Any, overflow: Any) -> None:
    found = add(a, b, accumulator, overflow)
    table = ElementTree.fromstring(addition(found, "en"))
    carries, first, second, total, *kept = table.findall(".//tr")
    assert cells(first) == " " + found.bits_a
    assert cells(second) == " " + found.bits_b
    assert cells(carries).replace(" ", "0") == f"{found.carry_out}{found.carries}"
    assert cells(kept[0] if kept else total) == " " + found.bits_result
    assert bool(kept) == (found.overflowed and overflow == "saturate")
    assert ("pp-wrong" in total.get("class")) == (found.overflowed and overflow == "wrap")
    for row in (carries, first, second, total, *kept):  # every row is as wide as the widest accumulator and a lost carry
        assert sum(int(cell.get("colspan", 1)) for cell in row.findall("td")) == 33


def test_the_course_s_example_on_the_page() -> None:
    drawn = draw_addition("en", 127, 127, "wrap")
    assert "127 + 127 = 254" in drawn
    assert "int8 holds −2" in drawn
    assert "254 became 254 − 256" in drawn
    assert "hold it: int16, int32" in drawn
    assert "int8 keeps 127" in draw_addition("en", 127, 127, "saturate")
    assert "−128 + (−1) = −129" in draw_addition("es", -128, -1, "wrap")
    assert "That is no overflow" in draw_addition("en", -1, -1, "wrap")
    assert "pp-error" in draw_addition("en", 128, 0, "wrap")


@pytest.mark.parametrize(("a", "b"), [(-128, -128), (-128, -1), (-100, -100)])
def test_a_negative_sum_that_wraps_lost_a_carry_and_got_none(a: int, b: int) -> None:
    assert "both sign bits are 1" in draw_addition("en", a, b, "wrap")
    assert "turned over" not in draw_addition("en", a, b, "wrap")
    found = add(a, b)
    assert (found.bits_a[0], found.bits_b[0], found.carries[0], found.bits_result[0]) == ("1", "1", "0", "0")


# Dot products


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", OPERANDS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_every_pair_has_a_chart_and_a_row(language: str, kind: Any, overflow: Any) -> None:
    *_, drawn = grow(language, kind, 8, overflow, 0)
    tree = ElementTree.fromstring(f"<div>{drawn}</div>")
    assert [one.get("data-pair") for one in tree.iter("figure")] == list(PAIRS)
    assert len(tree.findall(".//tbody/tr")) == len(PAIRS)


def test_the_sentences_say_where_sums_stop_and_overflow() -> None:
    *_, ones = grow("en", "ones", 12, "wrap", 0)
    assert "float16 → float16 at 2,048, from product 2,049 on" in ones
    assert "Overflow: int8 → int8 at product 128." in ones
    *_, largest = grow("en", "largest", 12, "wrap", 0)
    assert "int8 → int16 at product 3" in largest
    assert "∞" in largest
    *_, short = grow("es", "ones", 0, "wrap", 0)
    assert "Exactos hasta el final: int8 → int8" in short


def test_wider_codes_say_their_own_sum_and_have_their_own_axis() -> None:
    *_, largest = grow("en", "largest", 2, "wrap", 0)
    assert "exact sum 64,516." in largest
    assert "With int16 codes: 4,294,705,156." in largest
    assert "int16 → int32 at product 3" in largest
    *_, ones = grow("en", "ones", 2, "wrap", 0)
    assert "With int16 codes" not in ones
    found = [dot("int8_int8", "largest", 4), dot("int8_int32", "largest", 4), dot("int16_int32", "largest", 4)]
    assert [accumulators_html._bounds(one, found)[1] for one in found] == [64516, 64516, 4 * 32767**2]


def test_a_sum_that_is_right_again_at_its_end_was_not_exact_to_the_end() -> None:
    found = dot("float16_float32", "positive", 64)
    assert found.sums == found.exact
    strayed = replace(found, sums=(*found.sums[:-2], found.sums[-2] + 1, found.sums[-1]))
    assert "Exact to the end" in " ".join(accumulators_html._happened("en", [found]))
    assert "Exact to the end" not in " ".join(accumulators_html._happened("en", [strayed]))
    assert "rounded, no stall" in accumulators_html._chart("en", strayed, 0, 1e6)


def test_a_length_that_is_too_long_is_a_sentence() -> None:
    for power in (limits.MAX_DOT_LENGTH.bit_length(), -1, None, 400):
        assert "pp-error" in next(grow("en", "ones", power, "wrap", 0))
    assert 2 ** (limits.MAX_DOT_LENGTH.bit_length() - 1) == limits.MAX_DOT_LENGTH  # the slider's end


def test_a_long_product_shows_what_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "FRAME_SECONDS", -1.0)
    shown = [drawn.count("<figure") for drawn in grow("en", "ones", 4, "wrap", 0)]
    assert shown == list(range(1, len(PAIRS) + 1))


@law
@given(st.sampled_from(list(PAIRS)), st.sampled_from(OPERANDS), st.integers(1, 400), st.integers(0, 20))
def test_curves_stay_in_their_frame(pair: Any, kind: Any, length: Any, seed: Any) -> None:
    found = dot(pair, kind, length, seed=seed)
    finite = [total for total in (*found.sums, *found.exact) if abs(total) != float("inf")]
    drawn = partial_sums(found, min(0, *finite), max(1, *finite), "en", "<&>")
    ElementTree.fromstring(drawn)
    places = [
        float(one) for path in re.findall(r' d="([^"]*)"', drawn) for one in re.findall(r"[\d.-]+", path.replace("h.01", ""))
    ]
    assert all(-0.1 <= one <= 1000.1 for one in places)
    assert both_signs(found) == (min(found.exact) < 0)


def test_small_numbers_on_axes() -> None:
    assert [powered(one) for one in (0.0, 1.0, 10.0, 100.0, 1e3, -1e2, -1e6)] == [
        "0", "10⁰", "10¹", "10²", "10³", "−10²", "−10⁶",
    ]  # fmt: skip
    assert signed("es", -12345) == "−12\N{NO-BREAK SPACE}345"
    assert signed("en", float("-inf")) == "−∞"


# Hardware


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_hardware_has_a_row_with_its_source(language: str) -> None:
    drawn = accumulators_html.hardware(language)
    tree = ElementTree.fromstring(f"<div>{drawn}</div>")
    assert [link.get("href") for link in tree.iter("a")] == [one.url for one in HARDWARE]
    assert len(tree.findall(".//tbody/tr")) == len(HARDWARE)
