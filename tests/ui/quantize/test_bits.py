"""The page's one number: what is typed, what each row says, and rulers that are drawn where they should be."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.actions.formats import keep_number
from playground.errors import PlaygroundError
from playground.formats.registry import FORMATS
from playground.locales import written
from playground.plots.quantize.bits import axis, cells, ruler, share
from playground.ui.quantize import bits as page
from playground.ui.quantize import bits_html
from playground.ui.quantize.bits_html import RECORD, records

LANGUAGES = ("en", "es")
law = settings(max_examples=80, deadline=None)


NUMBER = page.Number("value", "notice", "rows", bits_html.rows)  # their components by their names
RULER = page.Number("value", "notice", "rulers", bits_html.rulers)


def draw(*fields: Any) -> Any:
    """Both sections of one number."""
    return NUMBER.draw(page.Typed(*fields)) | RULER.draw(page.Typed(*fields))


def rows(language: Any, value: Any, scale: Any = "", zero_point: Any = "") -> Any:
    """The text of each row, by the id of its first format."""
    drawn = draw(language, value, scale, zero_point)
    assert drawn["notice"] == ""
    items = ElementTree.fromstring(f"<div>{drawn['rows']}</div>").iter("li")
    return {item.get("data-format"): " ".join("".join(item.itertext()).split()) for item in items}


# What is typed


@pytest.mark.parametrize(
    ("language", "entry", "value"),
    [("en", "0.622", 0.622), ("en", " 1e-5 ", 1e-5), ("en", "−1", -1.0), ("es", "0,622", 0.622), ("es", "0.622", 0.622)],
)
def test_numbers_are_read_as_one_types_them(language: str, entry: str, value: float) -> None:
    assert page.read(page.Typed(language, entry, "", "")) == page.Asked(value, None, None)


@pytest.mark.parametrize("language", LANGUAGES)
@law
@given(
    value=st.sampled_from(page.EXAMPLES)
    | st.floats(-1e30, 1e30, allow_subnormal=False).filter(lambda one: one == 0 or abs(one) > 1e-30)
)
def test_a_number_is_read_as_the_page_writes_it(language: str, value: float) -> None:
    entry = written(language, value)
    assert page.read(page.Typed(language, entry, "", "")).value == pytest.approx(value, rel=1e-6)
    assert written(language, page.read(page.Typed(language, entry, "", "")).value) == entry


@pytest.mark.parametrize(
    ("language", "chips"),
    [
        ("en", ["0.622", "0.1", "1 × 10⁻⁵", "448.5", "70,000", "−1"]),
        ("es", ["0,622", "0,1", "1 × 10⁻⁵", "448,5", "70 000", "−1"]),
    ],
)
def test_values_to_try_are_written_as_numbers_are_elsewhere(language: str, chips: list[str]) -> None:
    assert [written(language, one).replace("\N{NO-BREAK SPACE}", " ") for one in page.EXAMPLES] == chips
    assert NUMBER.try_it(70_000.0, page.Typed(language, "", "", ""))["value"] == written(language, 70_000.0)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        (("", "", ""), "number_missing"),
        ((" ", "", ""), "number_missing"),
        (("0,622", "", ""), "number_typed"),  # a comma is no decimal mark in English
        (("3 × 100", "", ""), "number_typed"),
        (("12,34", "", ""), "number_typed"),
        (("nan", "", ""), "number_typed"),
        (("1e39", "", ""), "number_typed"),
        (("1", "0", ""), "scale_typed"),
        (("1", "-1", ""), "scale_typed"),
        (("1", "x", ""), "scale_typed"),
        (("1", "inf", ""), "scale_typed"),
        (("1", "", "1.5"), "zero_point_typed"),
        (("1", "", "40000"), "zero_point_typed"),
        (("1", "", "nan"), "zero_point_typed"),
    ],
)
def test_what_is_no_number_gets_a_sentence_in_place_of_another_number_s_rows(fields: tuple[Any, ...], key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        page.read(page.Typed("en", *fields))
    assert error.value.key == key
    for language in LANGUAGES:
        assert error.value.message(language)
    drawn = draw("en", *fields)
    assert (drawn["rows"], drawn["rulers"]) == ("", "")
    assert "pp-error" in drawn["notice"]


def test_a_spanish_thousand_with_a_point_is_told_what_is_wrong_with_it() -> None:
    assert "sin separador de miles" in draw("es", "1.234,5", "", "")["notice"]
    assert "por ejemplo 0,622" in draw("es", "", "", "")["notice"]


# Rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_format_has_a_row_and_formats_that_keep_a_number_alike_share_one(language: str) -> None:
    asked = page.read(page.Typed(language, "0.622", "", ""))
    together = keep_number(asked.value, asked.scale, asked.zero_point)
    shared = [tuple(format.id for format in row.formats) for row in together]
    assert sorted(name for names in shared for name in names) == sorted(FORMATS)
    assert [names for names in shared if len(names) > 1] == [
        ("int8", "int8_vectorwise", "q8_0"), ("nf4", "nf4_double"), ("ternary", "tq1_0"), ("int2", "tq2_0"),
    ]  # fmt: skip


def test_the_course_s_number_on_the_page() -> None:
    found = rows("en", "0.622")
    assert "code 4 × scale 0.1428571" in found["int4"]
    assert "0.571428597" in found["int4"]
    assert "code 79 × scale 0.007874016" in found["int8"]
    assert "0.622047246" in found["int8"]
    assert "0.440709829 and 0.722956836" in found["nf4"]
    assert "0 0110 010".replace(" ", "") in found["float8_e4m3"]


def test_what_does_not_fit_is_said() -> None:
    found = rows("en", "70000", "0.1", "100")
    assert "above the largest" in found["float16"]
    assert "saturated" not in found["bfloat16"]
    assert "(code 127 − 100) × scale 0.1" in found["int8"]
    assert "without the zero-point: codes go from −8 to 7" in found["int4"]
    assert "below the smallest" in rows("en", "-2")["int8"]


def test_a_number_that_every_format_has() -> None:
    assert "Every format of this list keeps 1 exactly" in draw("en", "1", "", "")["rows"]
    assert "Every format of this list keeps 0 exactly" in draw("en", "0", "", "")["rows"]


def test_a_tie_is_no_ranking() -> None:
    assert "Every format of this list stores 1 × 10⁻⁵⁰ as 0." in plain(draw("en", "1e-50", "", "")["rows"])
    assert "Todos los formatos de esta lista guardan 1 × 10⁻⁵⁰ como 0." in plain(draw("es", "1e-50", "", "")["rows"])
    found = plain(draw("en", "0.5", "", "")["rows"])
    assert "0.5 is exact in float32, float16, bfloat16" in found  # all of them, not the first
    assert "farthest off in ternary, TQ1_0, by 0.5" in found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_usual_formats_stand_first_and_the_others_in_a_fold(language: str) -> None:
    for drawn, name in ((draw(language, "0.622", "", "")[part], part) for part in ("rows", "rulers")):
        first, more = drawn.split("<details")
        assert "Q4_1" in more, name
        assert "Q4_1" not in first
        assert "NF4" in first
    found = rows(language, "0.622")
    assert "−1" in found["q4_1"]  # its block's minimum
    assert found["q4_1"].startswith("Q4_1 1100" if " 1100" in found["q4_1"] else "Q4_11100")


def test_minus_zero_is_kept_where_there_is_a_bit_for_it() -> None:
    rows = draw("en", "-0", "", "")["rows"]
    signed = re.findall(r'data-format="([^"]*)"[^>]*><b class="pp-format">([^<]*)</b>', rows)
    (said,) = re.findall(r'role="status">([^<]*)<', rows)
    assert said.startswith("−0: float32, float16, bfloat16, ")
    for format, name in signed:
        kept = FORMATS[format].kind == "float"
        assert (name in said.partition(" keep ")[0].removeprefix("−0: ").split(", ")) == kept


@pytest.mark.parametrize(
    ("language", "entry", "other", "shown"),
    [
        ("en", "0.622", "es", "0,622"), ("es", "0,622", "en", "0.622"), ("en", "70,000", "es", "70 000"),
        ("es", "70 000", "en", "70,000"), ("en", "1e-5", "es", "1 × 10⁻⁵"), ("en", "abc", "es", "abc"), ("en", "", "es", ""),
        ("en", "0,622", "es", "0,622"), ("en", "0.1234567891", "es", "0,1234567891"),
    ],
)  # fmt: skip
def test_a_number_is_the_same_one_in_the_other_language(language: str, entry: str, other: str, shown: str) -> None:
    assert plain(page.retold(entry, language, other)) == shown


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("value", [value for value in page.EXAMPLES if value != "70000"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_draw_well_formed_pieces_in_both_languages(language: str, value: Any) -> None:
    drawn = NUMBER.try_it(value, page.Typed(language, "", "", "")) | RULER.try_it(value, page.Typed(language, "", "", ""))
    assert page.read(page.Typed(language, drawn["value"], "", "")).value == float(value)
    assert drawn["notice"] == ""
    ElementTree.fromstring(f"<div>{drawn['rows']}</div>")
    strips = ElementTree.fromstring(f"<div>{drawn['rulers']}</div>").findall(".//svg[@role='img']")
    assert len(strips) == len(FORMATS) - 5  # a strip for each row


# What each format is


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_format_has_a_record_with_its_source(language: str) -> None:
    table = ElementTree.fromstring(f"<div>{records(language)}</div>")
    assert len(table.findall(".//thead/tr/th")) == len(RECORD)
    for format, row in zip(FORMATS.values(), table.findall(".//tbody/tr"), strict=True):
        *others, source = row
        assert all("".join(cell.itertext()) for cell in others)
        number = re.search(r"arXiv ([\d.]+)", format.source)
        links = [link.get("href") for link in source.iter("a")]
        assert links == ([f"https://arxiv.org/abs/{number[1]}"] if number else [])
        assert "".join(source.itertext()) == format.source


def test_records_of_known_formats() -> None:
    table = ElementTree.fromstring(f"<div>{records('en')}</div>")
    found = {
        format: ["".join(cell.itertext()).replace("\N{NO-BREAK SPACE}", " ") for cell in row][1:5]
        for format, row in zip(FORMATS, table.findall(".//tbody/tr"), strict=True)
    }
    assert found["int8"] == ["8", "the tensor", "42.1 dB", "int32"]  # 20 log₁₀ 127
    assert found["float8_e4m3"] == ["8", "no scale", "107.2 dB", "float16 or float32"]  # 448 over 2⁻⁹
    assert found["nf4_double"][:2] == ["4.127", "blocks of 64"]
    assert found["ternary"] == ["1.585", "the tensor", "0.0 dB", "int32"]


# Drawings


@law
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_marks_stand_where_their_numbers_are(value: Any, stored: Any) -> None:
    drawn = ElementTree.fromstring(ruler([-1.0, 0.0, 1.0], 0.5, value, stored, "<&>"))
    assert drawn.find("line[@class='pp-value']").get("x1") == share(value)
    assert drawn.find("circle").get("cx") == share(stored)
    assert re.findall(r"M([\d.]+) ", drawn.find(".//path").get("d")) == ["0.0", "500.0", "1000.0"]


def test_marks_beyond_the_ruler_are_left_out() -> None:
    drawn = ElementTree.fromstring(ruler([], 0.5, 448.5, -448.0, ""))
    assert drawn.find("line[@class='pp-value']") is None
    assert drawn.find("circle") is None
    assert drawn.find(".//rect") is not None
    ElementTree.fromstring(axis("es"))


def test_groups_without_bits_are_left_out() -> None:
    assert cells([("code", "code", "")]).count("<i>") == 0
    assert cells([("sign", "sign", "1"), ("exponent", "exponent", "0110")]).count("<i>") == 5


@law
@given(st.floats(-(2.0**127), 2.0**127, allow_subnormal=False), st.integers(2, 9))
def test_written_numbers_read_back(value: Any, figures: Any) -> None:
    entry = written("en", value, figures).replace("\N{NO-BREAK SPACE}", "").replace(",", "").replace("−", "-")
    factor, _, power = entry.partition("×10")
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    assert float(factor + (f"e{power.translate(plain)}" if power else "")) == pytest.approx(value, rel=10.0 ** (1 - figures))


@pytest.mark.parametrize(
    ("value", "figures", "found"),
    [
        (0.0, 7, "0"), (-0.0, 7, "0"), (-1.0, 7, "−1"), (0.625, 9, "0.625"), (9.9999999, 7, "10"), (65504.0, 7, "65,504"),
        (12345678.0, 7, "1.234568 × 10⁷"), (1e-5, 7, "1 × 10⁻⁵"), (0.0001, 2, "0.0001"), (0.99999e-4, 2, "0.0001"),
    ],
)  # fmt: skip
def test_written_numbers(value: float, figures: int, found: str) -> None:
    assert written("en", value, figures).replace("\N{NO-BREAK SPACE}", " ") == found
