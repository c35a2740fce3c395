"""The leaderboard's drawing: every seed where it belongs, names that keep apart, sound with anything in it."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.adapt.methods import FRONT
from playground.plots.leaderboard import NARROW, WIDE, Point, _free, _labels, _places, pareto

LAW = settings(deadline=None, derandomize=True, database=None, max_examples=30)
METHOD = st.sampled_from(["base", *FRONT])
POINTS = st.lists(
    st.builds(
        Point,
        st.text("abc <&", min_size=1, max_size=16),
        METHOD,
        st.integers(0, 10**12),
        st.lists(st.floats(0, 1), min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def placed(drawn: str, kind: str) -> list[tuple[float, float]]:
    """Where the circles of a class stand, in percent."""
    found = [one for one in ElementTree.fromstring(drawn).iter("circle") if one.get("class") == kind]
    return [tuple(float((one.get(axis) or "").rstrip("%")) for axis in ("cx", "cy")) for one in found]  # type: ignore[misc]


def test_every_seed_and_the_mean_stand_at_their_scores_and_parameters_on_a_log_scale() -> None:
    points = [
        Point("Base", "base", 0, (0.0,)),
        Point("small", "ia3", 10_000, (0.25, 0.5, 0.75)),
        Point("ten times", "lora", 100_000, (1.0, 1.0, 1.0)),
        Point("hundred times", "qlora", 1_000_000, (0.5, 0.5, 0.8)),
        Point("mine", "lora", 100_000, (0.9,), own=True),
    ]
    drawn = pareto(points, [0, 1, 2], "what is heard", "en")
    means, seeds = placed(drawn, "pp-dot"), placed(drawn, "pp-seed")
    assert [y for _, y in means] == [100, 50, 0, 40]
    assert [y for _, y in seeds] == [75, 50, 25, 0, 0, 0, 50, 50, 20]
    across = [x for x, _ in means]
    assert across[0] < across[1]
    assert across[2] - across[1] == pytest.approx(across[3] - across[2], abs=0.02)
    ((x, y),) = placed(drawn, "pp-own-point")
    assert (x, y) == (across[2], 10)  # below the other one that trains as much
    assert 'aria-label="what is heard"' in drawn


@LAW
@given(POINTS)
def test_anything_is_drawn_inside_its_chart(points: list[Point]) -> None:
    drawn = pareto(points, list(range(len(points))), "<&", "es")
    everywhere = [*placed(drawn, "pp-dot"), *placed(drawn, "pp-seed"), *placed(drawn, "pp-own-point")]
    assert all(0 <= x <= 130 and -0.01 <= y <= 100.01 for x, y in everywhere)
    assert len(everywhere) == sum(len(one.values) + (len(one.values) > 1) for one in points)


@pytest.mark.parametrize("letters", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_names_of_all_methods_keep_apart(letters: tuple[float, float]) -> None:
    """At the places of the recorded ones, where two train equally many and most score alike."""
    counts = {
        "base": 0,
        "few_shot": 0,
        "prompt_tuning": 11_520,
        "ia3": 57_600,
        "lora": 460_800,
        "full_fine_tuning": 134_515_008,
    }
    points = [Point("A method " + "x" * 4, method, count, (0.9, 0.95)) for method, count in counts.items()]
    spots = [(3.0 + 16 * place, 8.0) for place in range(len(points))]
    taken: list[tuple[float, float, float, float]] = []
    for one, (x, y) in zip(points, spots, strict=True):
        box = next(place[0] for place in _places(x, y, letters[0] * len(one.label), letters[1]) if _free(place[0], taken))
        taken.append(box)
    for here, there in combinations(taken, 2):
        assert here[1] <= there[0] or there[1] <= here[0] or here[3] <= there[2] or there[3] <= here[2]
    named = _labels(points, spots, *letters).count("<text")
    assert named == len(points) - 1  # of the first, at the edge, any place would be as near to its neighbour


def test_in_a_crowd_names_keep_apart_and_every_point_tells_its_own() -> None:
    points = [Point(f"method {number}", "lora", 400_000 + number, (0.9, 0.95)) for number in range(40)]
    spots = [(50.0 + number / 10, 8.0) for number in range(40)]
    names = ElementTree.fromstring(f"<g>{_labels(points, spots, *WIDE)}</g>").findall("text")
    rows = [(name.get("text-anchor"), name.get("y")) for name in names]
    assert 1 < len(names) < 4  # at the ends of the crowd
    assert len(set(rows)) == len(rows)
    titles = ElementTree.fromstring(pareto(points, [], "heard", "en")).iter("title")
    assert [title.text for title in titles] == [one.label for one in points]


def test_methods_that_share_a_point_stand_where_they_belong_and_share_their_name() -> None:
    points = [Point(f"method {number}", "lora", 460_800, (0.9, 1.0)) for number in range(3)]
    drawn = pareto(points, [], "heard", "en")
    assert len(set(placed(drawn, "pp-dot"))) == 1
    assert {title.text for title in ElementTree.fromstring(drawn).iter("title")} == {"method 0, method 1, method 2"}
    names = {name.text for name in ElementTree.fromstring(drawn).iter("text") if name.get("class") == "pp-label"}
    assert names == {"method 0, method 1, …"}


def test_a_name_stands_nearer_to_its_own_point_than_to_another() -> None:
    points = [
        Point("first", "lora", 1000, (0.5,)),
        Point("second", "lora", 1100, (0.5,)),
        Point("far", "lora", 10**8, (0.5,)),
    ]
    spots = [(50.0, 50.0), (51.5, 50.0), (90.0, 50.0)]
    found = ElementTree.fromstring(f"<g>{_labels(points, spots, *WIDE)}</g>").findall("text")
    assert [(one.text, one.get("text-anchor"), one.get("y")) for one in found] == [
        ("first", "end", "50.00%"), ("second", "start", "50.00%"), ("far", "start", "50.00%"),
    ]  # fmt: skip
