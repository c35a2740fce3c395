"""Numbers beside drawings: one sign of multiplication, a real minus, and nothing rounded to what it is not."""

import math

import pytest

from playground.plots.kit.figures import change, decibels, figure, nats, needed, points, powered, share, short


def spaced(text: str) -> str:
    """A no-break space written as _."""
    return text.replace("\N{NO-BREAK SPACE}", "_")


@pytest.mark.parametrize(
    ("value", "figure"),
    [
        (0.0, "0"), (1.0, "10⁰"), (10.0, "10¹"), (100.0, "10²"), (1e3, "10³"), (1e5, "10⁵"), (-1e2, "−10²"), (-1e6, "−10⁶"),
        (0.1, "10⁻¹"), (1e-3, "10⁻³"),
    ],
)  # fmt: skip
def test_powers_of_ten_on_axes_have_one_notation(value: float, figure: str) -> None:
    assert powered(value) == figure


@pytest.mark.parametrize(
    ("value", "figures", "english", "spanish"),
    [
        (0.0, 3, "0", "0"), (0.043, 3, "0.0430", "0,0430"), (-1.5, 2, "−1.5", "−1,5"), (1234.5, 3, "1,234", "1234"),
        (1e-4, 2, "0.00010", "0,00010"), (3.1e-9, 2, "3.1_×_10⁻⁹", "3,1_×_10⁻⁹"),
        (-2.5e-5, 3, "−2.50_×_10⁻⁵", "−2,50_×_10⁻⁵"), (9_999_999, 3, "9,999,999", "9_999_999"),
        (1e7, 2, "1.0_×_10⁷", "1,0_×_10⁷"), (9.999e-6, 2, "1.0_×_10⁻⁵", "1,0_×_10⁻⁵"), (math.inf, 3, "inf", "inf"),
    ],
)  # fmt: skip
def test_measured_numbers(value: float, figures: int, english: str, spanish: str) -> None:
    assert spaced(figure("en", value, figures)) == english
    assert spaced(figure("es", value, figures)) == spanish


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (1.04, "1.0", "1,0"), (28.84, "28.8", "28,8"), (1234.4, "1,234", "1234"), (999_999, "999,999", "999_999"),
        (5.31e7, "5.3_×_10⁷", "5,3_×_10⁷"), (math.inf, "inf", "inf"), (math.nan, "nan", "nan"),
    ],
)  # fmt: skip
def test_short_numbers(value: float, english: str, spanish: str) -> None:
    assert (spaced(short("en", value)), spaced(short("es", value))) == (english, spanish)


def test_shares_stay_below_all_of_it() -> None:
    assert [spaced(share("en", value)) for value in (0.0, 0.123, 0.5, 0.9997, 0.9999999, 1.0)] == [
        "0_%", "12_%", "50_%", "99.97_%", "99.999_%", "100_%",
    ]  # fmt: skip


def test_decibels_and_nats() -> None:
    assert [spaced(decibels("es", value)) for value in (12.34, -3.0, None)] == ["12,3_dB", "−3,0_dB", "∞"]
    assert [nats("en", value) for value in (0.0, 0.0004, 0.234, 1.5)] == ["0", "< 0.001", "0.23", "1.5"]


def test_points_have_a_sign_and_no_zeros_at_their_end() -> None:
    assert [points("es", value) for value in (0.0625, -0.25, 0)] == ["+6,25", "−25", "0"]


@pytest.mark.parametrize(("value", "said"), [(0.24, "+0.24"), (-0.04, "−0.04"), (0.003, "+0.003"), (0, "0")])
def test_a_difference_has_the_decimals_that_show_it(value: float, said: str) -> None:
    assert change("en", value, needed(value)) == said
