"""The drawing of a block: what a method trains of it lies inside the frames, and unlike methods look unlike."""

from __future__ import annotations

import re

import pytest

from playground.adapt.methods import METHODS
from playground.learn.families import model
from playground.plots.learn.block import BESIDE, HEIGHT, WIDTH, block

EDGES = re.compile(r'<rect x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)" rx="2" class="(.*?)"/>')


@pytest.mark.parametrize("method", METHODS)
def test_nothing_leaves_the_frame_that_it_begins_in(method: str) -> None:
    drawn = [(*map(float, edges), kind) for *edges, kind in EDGES.findall(block(METHODS[method].trained(model())))]
    frames = [one for one in drawn if one[4] == "pp-frame"]
    assert len(frames) == 2
    for x, y, width, height, _ in drawn:
        left, top, wide, high = next(
            (one[:4] for one in frames if one[1] <= y < one[1] + one[3]), (0.0, 0.0, float(WIDTH), float(HEIGHT))
        )
        assert left <= x < x + width <= left + wide
        assert top <= y < y + height <= top + high


def test_each_way_to_train_a_layer_has_a_drawing_of_its_own() -> None:
    assert {one.how for one in METHODS.values()} - set(BESIDE) == {"", "whole", "tokens"}
    assert len({draw(10, 10, 18) for draw in BESIDE.values()}) == len(BESIDE)
