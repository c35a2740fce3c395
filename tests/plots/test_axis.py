"""The numbers below a drawing tell its grid's places apart."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from playground.plots.quantize.tensor import axis

PLAIN = str.maketrans(",−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", ".--0123456789")


def numbers(low: float, high: float, language: str) -> list[str]:
    return re.findall(r'<text class="pp-axis pp-tick[^>]*>([^<]+)<', axis(low, high, "", language))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.0, 3.0, ["1,00", "1,25", "1,50", "1,75", "2,00", "2,25", "2,50", "2,75", "3,00"]),
        (0.9, 1.1, None),
        (-0.3, 0.3, None),
        (99.0, 101.0, None),
        (-2e-7, 3e-7, None),
    ],
)
def test_each_is_written_as_it_is(low: float, high: float, said: list[str] | None) -> None:
    found = numbers(low, high, "es")
    assert said is None or found == said
    assert len(set(found)) == len(found) > 3
    values = [float(re.sub(r"[ \u00a0\u202f]?[×·][ \u00a0\u202f]?10", "e", one).translate(PLAIN)) for one in found]
    steps = [after - before for before, after in pairwise(values)]
    assert max(steps) == pytest.approx(min(steps), rel=1e-6)
