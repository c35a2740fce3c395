"""The loss curve: well-formed whatever it is given, true to its points, and readable in both languages."""

import json
import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.locales import LANGUAGES, NO_BREAK, text
from playground.plots import race
from playground.plots.kit.svg import FEW, LABEL_GAP, LABEL_WIDTH, UNITS, apart, axis_top, nice_step
from playground.plots.loss import loss_curve
from playground.plots.quantize.qlora import curves
from playground.ui.kit.theme import CSS

LAW = settings(deadline=None, derandomize=True, database=None)
NAN, INFINITY = float("nan"), float("inf")
both_languages = pytest.mark.parametrize("language", LANGUAGES)


def view(losses: Any = (), held_out: Any = (), steps: Any = 24, method: Any = "lora") -> Any:
    return {"losses": list(losses), "held_out": list(held_out), "steps": steps, "method": method}


def falling(count: Any, first: Any = 4.0) -> Any:
    return [(step, first / step) for step in range(1, count + 1)]


def drawn(one: Any, language: Any = "en") -> Any:
    return ElementTree.fromstring(loss_curve(one, language))


def of_class(svg: Any, name: Any) -> Any:
    return [element for element in svg.iter() if name in (element.get("class") or "").split()]


def points(svg: Any, kind: Any) -> Any:
    """The points of a curve in the inner drawing, whose y axis points down."""
    (path,) = of_class(svg, kind)
    return [tuple(map(float, pair.split())) for pair in re.split(" ?[ML]", path.get("d")) if pair]


SHAPES = {
    "nothing": view(),
    "one point": view([(1, 3.0)]),
    "only held out": view([], [(0, 4.0)]),
    "two points": view(falling(2), [(0, 4.1), (2, 3.0)]),
    "300 points": view(falling(300), [(step, 3.0) for step in range(0, 301, 27)], steps=300),
    "more than planned": view(falling(30), steps=10),
    "no plan": view(falling(3), steps=0),
    "None for a plan": view(falling(3), steps=None),
    "NaN at the end": view([*falling(5), (6, NAN)], [(0, 4.0), (6, NAN)]),
    "nothing but NaN": view([(1, NAN), (2, INFINITY)]),
    "infinite": view([*falling(5), (6, INFINITY), (7, -INFINITY)]),
    "None for a loss": view([(1, None), (2, 3.0)]),
    "zero": view([(1, 0.0), (2, 0.0)]),
    "tiny": view([(1, 1e-30)]),
    "huge": view([(1, 1e30)]),
    "flat": view([(1, 2.0), (2, 2.0)], [(0, 2.0), (2, 2.0)]),
    "few-shot": view([], [(0, 3.5)], steps=0, method="few_shot"),
    "idle": {"losses": [], "held_out": [], "method": None, "steps": 24},
    "bare": {},
}


@both_languages
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_drawing_is_well_formed_and_holds_numbers_only(shape: Any, language: Any) -> None:
    svg = loss_curve(shape, language)
    ElementTree.fromstring(svg)
    attributes = re.findall(r' (?:x|y|x1|x2|y1|y2|d|dx|dy)="([^"]*)"', svg)
    assert attributes
    assert not [one for one in attributes if re.search("nan|inf|e[+-]?[0-9]", one)]


FINITE = st.floats(1e-6, 1e6)
POINTS = st.lists(st.tuples(st.integers(0, 400), FINITE | st.just(NAN) | st.just(INFINITY)), max_size=20)


@LAW
@given(losses=POINTS, held_out=POINTS, steps=st.integers(0, 400))
def test_whatever_the_points_the_drawing_is_well_formed_and_inside_its_frame(losses: Any, held_out: Any, steps: Any) -> None:
    svg = drawn(view(losses, held_out, steps))
    for kind, given_ in (("pp-training", losses), ("pp-held-out", held_out)):
        finite = [loss for _, loss in given_ if math.isfinite(loss)]
        found = points(svg, kind) if finite else []
        assert len(found) == len(finite)
        assert all(0 <= x <= UNITS and 0 <= y <= UNITS for x, y in found)


def test_points_lie_where_their_numbers_say() -> None:
    svg = drawn(view([(6, 4.0), (12, 2.0), (24, 0.0)], steps=24))
    xs, ys = zip(*points(svg, "pp-training"), strict=True)
    assert xs == (250, 500, 1000)
    assert ys[2] == UNITS  # zero is the bottom
    assert (UNITS - ys[0]) == pytest.approx(2 * (UNITS - ys[1]), abs=0.2)


def test_the_curve_grows_without_moving_what_is_drawn() -> None:
    early, late = (drawn(view(falling(count), [(0, 4.2)])) for count in (4, 5))
    assert points(late, "pp-training")[:4] == points(early, "pp-training")


@pytest.mark.parametrize(("count", "dots"), [(1, 1), (FEW, 1), (FEW + 1, 0)])
def test_few_points_get_dots(count: Any, dots: int) -> None:
    assert len(of_class(drawn(view(falling(count))), "pp-dots")) == dots


@LAW
@given(top=st.floats(1e-6, 1e6))
def test_grid_numbers_are_all_different_and_say_where_their_lines_lie_and_the_last_is_not_below_a_point(top: Any) -> None:
    svg = drawn(view([(1, top)]))
    ((_, highest),) = points(svg, "pp-training")
    lines = [float(line.get("y1").rstrip("%")) for line in of_class(svg, "pp-grid")]
    figures = [one.text for one in of_class(svg, "pp-axis") if one.get("text-anchor") == "end"]
    values = [float(figure.replace(",", "")) for figure in figures]
    assert len(set(figures)) == len(figures) >= 2
    for y, value in zip(lines, values, strict=True):
        assert 1 - y / 100 == pytest.approx(value / top * (1 - highest / UNITS), abs=1e-3)
    assert lines[-1] == 0  # the axis ends at a number
    assert values[-1] >= top * (1 - 1e-6)


@both_languages
def test_the_point_of_a_prompt_with_examples_has_its_number_beside_it(language: Any) -> None:
    svg = drawn(view([], [(0, 2.954)], steps=0, method="few_shot"), language)
    (label,) = of_class(svg, "pp-label")
    assert label.text == f"{text(language, 'loss.held_out')} {'2,95' if language == 'es' else '2.95'}"


@pytest.mark.parametrize("steps", [1, 2, 5, 16, 24, 30, 100, 300])
def test_step_numbers_are_whole_begin_at_zero_and_are_few(steps: int) -> None:
    ticks = [int(tick.text) for tick in of_class(drawn(view(steps=steps)), "pp-tick")]
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    assert ticks[-1] <= steps


@pytest.mark.parametrize(
    ("span", "step"), [(4.0, 1.0), (1.0, 0.25), (10, 2.5), (0.02, 0.005), (7, 2), (24, 5), (100, 25), (3000, 1000)]
)
def test_round_numbers_cut_an_axis_into_about_four(span: float, step: float) -> None:
    assert nice_step(span, 4) == pytest.approx(step)


@LAW
@given(heights=st.lists(st.floats(0, 100), min_size=2, max_size=2))
def test_two_labels_never_overlap_keep_their_order_and_stay_inside(heights: Any) -> None:
    one, other = apart(heights)
    assert abs(one - other) >= LABEL_GAP - 1e-9
    assert 0 <= min(one, other) <= max(one, other) <= 100
    assert (one < other) == (heights[0] < heights[1])


@LAW
@given(
    held_out=st.lists(st.floats(0.1, 4), min_size=2, max_size=3),
    losses=st.lists(st.floats(0.1, 4), min_size=25, max_size=25),
)
def test_a_label_stands_beside_its_own_end_and_off_the_curve_that_runs_on(held_out: Any, losses: Any) -> None:
    trained = list(enumerate(losses))[1:]
    one = view(trained, [(8 * place, loss) for place, loss in enumerate(held_out)])
    svg = drawn(one)
    training, label = of_class(svg, "pp-label")
    last = one["held_out"][-1][0]
    assert float(label.get("x").rstrip("%")) == pytest.approx(100 * last / 24, abs=0.01)
    assert float(training.get("x").rstrip("%")) == 100
    y, top = float(label.get("y").rstrip("%")), axis_top(max(loss for _, loss in [*trained, *one["held_out"]]))
    beside = [100 * (1 - loss / top) for step, loss in trained if last <= step <= last + LABEL_WIDTH * 24]
    own = 100 * (1 - one["held_out"][-1][1] / top)
    assert y == pytest.approx(own, abs=0.01) or y < min(beside) - LABEL_GAP / 2 or y > max(beside) + LABEL_GAP / 2


def test_each_curve_is_named_once_it_has_a_point() -> None:
    def names(one: Any) -> Any:
        return [label.text for label in of_class(drawn(one), "pp-label")]

    assert names(view()) == []
    assert names(view([], [(0, 4.0)])) == ["held out"]
    assert names(view(falling(3), [(0, 4.0)])) == ["training", "held out"]


def test_the_accessible_name_says_the_live_numbers_in_both_languages() -> None:
    one = view([(1, 4.125), (12, 1.5)], [(0, 4.0), (12, 1.625)])
    assert drawn(one).get("aria-label") == "Loss at step 12 of 24: training 1.50, at first 4.12; held out 1.62."
    assert "1,50" in drawn(one, "es").get("aria-label")


@both_languages
@pytest.mark.parametrize(("method", "key"), [("lora", "loss.empty"), (None, "loss.empty"), ("few_shot", "loss.no_training")])
def test_an_empty_plot_says_why(language: Any, method: str | None, key: str) -> None:
    svg = drawn(view(method=method), language)
    assert text(language, key) in [one.text for one in of_class(svg, "pp-axis")]
    assert svg.get("aria-label") == text(language, key)


def test_spanish_grid_numbers_have_spanish_commas() -> None:
    figures = [one.text for one in of_class(drawn(view([(1, 0.9)]), "es"), "pp-axis")]
    assert "0,25" in figures
    assert not [figure for figure in figures if figure and "." in figure and figure[0].isdigit()]


@pytest.mark.parametrize("method", ['"><script>alert(1)</script>', "a b", "x;y", ""])
def test_a_method_that_is_none_cannot_reach_into_the_style(method: str) -> None:
    assert drawn(view(falling(2), method=method)).get("style") == drawn(view(falling(2), method="base")).get("style")


def test_large_losses_keep_their_thousands_together() -> None:
    figures = [one.text for one in of_class(drawn(view([(1, 40_000.0)]), "es"), "pp-axis")]
    assert f"10{NO_BREAK}000" in figures


@both_languages
@pytest.mark.parametrize("held_out", [[], [(0, 3.5)]])
def test_what_has_no_steps_has_no_axis_of_them(language: Any, held_out: Any) -> None:
    svg = drawn(view([], held_out, steps=0, method="few_shot"), language)
    assert of_class(svg, "pp-tick") == []
    assert text(language, "loss.step") not in [one.text for one in of_class(svg, "pp-axis")]
    assert len(of_class(drawn(view(), language), "pp-tick")) > 1


def test_dashes_mean_held_out_in_every_chart_of_losses() -> None:
    sides: list[Any] = [{"losses": [(1, 4.0), (2, 3.0)], "held_out": [(0, 4.5), (2, 3.5)]} for _ in range(2)]
    pair = curves(sides[0], sides[1], ("LoRA", "QLoRA"), 2, "", "en")
    single = loss_curve({"method": "lora", "steps": 2, **sides[0]}, "en")
    for chart, count in ((single, 1), (pair, 2)):
        lines = re.findall(r'class="pp-curve ([\w-]*)" [^>]*d="M([\d.]+) ', chart)
        assert [float(start) for kind, start in lines if kind == "pp-held-out"] == [0.0] * count  # held out from step 0 on
        assert len(lines) == 2 * count
    assert [part.count("pp-rings") > 0 for part in pair.split("<g style")[1:]] == [False, True]  # QLoRA's points
    dashed = [rule for rule in CSS.split("}") if "stroke-dasharray" in rule and "var(--dash)" not in rule]
    assert [".pp-held-out" in rule or "stroke-dasharray: .1" in rule for rule in dashed] == [True] * 2  # the other: dots


def test_a_whole_curve_has_its_points_along_unrounded() -> None:
    one = view([(1, 3.0), (2, 2.123456789), (3, NAN)], [(0, 4.0), (2, 2.5)])
    assert drawn(one).get("data-rows") is None
    header, *rows = json.loads(ElementTree.fromstring(loss_curve(one, "es", whole=True)).get("data-rows") or "")
    assert header == ["step", "loss", "held_out_loss"]
    assert rows == [[0, None, 4.0], [1, 3.0, None], [2, 2.123456789, 2.5]]
    racers = [{**one, "number": 2}]
    header, *rows = json.loads(ElementTree.fromstring(race.curves(racers, 24, "", "en", whole=True)).get("data-rows") or "")
    assert rows[0] == [2, "lora", 0, None, 4.0]
