"""A race's chart: sound with anything in it, every racer told apart by name and by colour, names beside ends and apart."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from playground.actions.race import MOST, TRAINED
from playground.plots.kit.svg import LABEL_GAP, spread
from playground.plots.race import SHADES, colours, curves

LAW = settings(deadline=None, derandomize=True, database=None)


def racer(number: int, method: str = "lora", losses: Any = (), held_out: Any = ()) -> dict[str, Any]:
    return {"number": number, "method": method, "losses": list(losses), "held_out": list(held_out)}


def labels(svg: str) -> list[tuple[str, float, float]]:
    """Name, x and y in percent of every line's label."""
    found = [one for one in ElementTree.fromstring(svg).iter() if one.get("class") == "pp-label"]
    return [(one.text or "", *(float((one.get(axis) or "").rstrip("%")) for axis in "xy")) for one in found]  # type: ignore[misc]


@LAW
@given(st.lists(st.floats(0, 100), max_size=MOST))
def test_names_keep_apart_inside_the_plot_in_their_order(heights: list[float]) -> None:
    found = spread(heights)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    assert all(found[later] - found[earlier] >= LABEL_GAP - 1e-9 for earlier, later in pairwise(order))
    assert all(0 <= height <= 100 for height in found)


def test_names_that_are_apart_stay_where_they_are() -> None:
    assert spread([80.0, 10.0, 40.0]) == [80.0, 10.0, 40.0]


def test_every_racer_has_a_name_beside_its_end() -> None:
    racers = [
        racer(1, "ia3", [(1, 4.0), (2, 2.0)], [(0, 4.0), (2, 3.0)]),
        racer(2, "lora", [(1, 4.0), (2, 1.0), (3, 1.0)], [(0, 4.0)]),
        racer(3, "qlora"),
    ]
    assert labels(curves(racers, 4, "two curves", "en")) == [("1 IA3", 50.0, 25.0), ("2 LoRA", 75.0, 75.0)]


def test_racers_of_one_method_have_colours_of_their_own() -> None:
    assert len(SHADES) == len(set(SHADES)) == MOST
    methods = ["lora", "ia3", "lora", "lora"]
    assert len(set(colours(methods))) == len(methods)
    assert all(f"var(--m-{method})" in style for method, style in zip(methods, colours(methods), strict=True))


def test_a_chart_is_sound_with_nothing_with_infinity_and_with_all_there_can_be() -> None:
    inf = float("inf")
    for racers in (
        [],
        [racer(1), racer(2)],
        [racer(1, losses=[(1, inf)], held_out=[(0, float("nan")), (1, 2.0)])],
        [racer(n, TRAINED[n % len(TRAINED)], [(n, n / 3)], [(0, 4.0)]) for n in range(1, MOST + 1)],
    ):
        svg = curves(racers, 24, "<summary> & more", "es")
        assert ElementTree.fromstring(svg).get("aria-label") == "<summary> & more"
        assert not re.search(r"nan|inf\b", svg)
