"""Answers as dots: their areas are the scores, their places the lengths."""

from __future__ import annotations

from math import isclose
from xml.etree import ElementTree

from playground.plots.many import RADIUS, lengths, scores


def test_as_much_of_a_ring_is_filled_as_the_score_says_and_nothing_where_none_is_written() -> None:
    drawing = ElementTree.fromstring(scores([0.0, 0.25, 1.0, None], "what it <shows>"))
    assert drawing.get("aria-label") == "what it <shows>"
    rings = [one for one in drawing if "pp-ring" in one.get("class", "")]
    dots = [float(one.get("r", "")) for one in drawing if one.get("class") == "pp-dot"]
    assert len(rings) == 4
    assert all(isclose((r / RADIUS) ** 2, share, abs_tol=0.005) for r, share in zip(dots, (0.0, 0.25, 1.0), strict=True))
    assert "pp-pale" in rings[-1].get("class", "")


def test_lengths_stand_where_they_are_on_the_way_to_the_longest() -> None:
    drawing = ElementTree.fromstring(lengths([16, 64], 64, ""))
    assert [one.get("cx") for one in drawing if one.get("class") == "pp-dot"] == ["25.00%", "100.00%"]
    assert [one.get("x1") for one in drawing if one.get("class") == "pp-mean"] == ["62.50%"]
    assert ElementTree.fromstring(lengths([], 64, "")) is not None
