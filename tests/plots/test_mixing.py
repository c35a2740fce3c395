"""The map of what adapters share: its colours end near what there is, and the key says where, and what there could be."""

from __future__ import annotations

import re
from typing import Any

import pytest

from playground.plots.lowrank.mixing import interference


def cell(layer: int, cosine: float, pair: tuple[int, int] = (0, 1)) -> dict[str, Any]:
    return {
        "module": f"{layer}.q_proj",
        "layer": layer,
        "kind": "q_proj",
        "pair": pair,
        "cosine": cosine,
        "rows": abs(cosine),
    }


@pytest.mark.parametrize(
    ("cosines", "end", "farthest"),
    [
        ((0.004, -0.065), "0.1", "−0.065"),
        ((0.1, 0.02), "0.1", "0.10"),
        ((0.11, -0.05), "0.2", "0.11"),
        ((-0.34, 0.3), "0.5", "−0.34"),
        ((0.97, 0.1), "1", "0.97"),
        ((1.0000002, 0.1), "1", "1.0"),  # of equal updates, in float32
        ((0.0, 0.0), "0.1", "0"),
    ],
)
def test_colours_are_shares_of_the_end_that_the_key_names(cosines: tuple[float, float], end: str, farthest: str) -> None:
    drawn = interference([cell(layer, one) for layer, one in enumerate(cosines)], "cosine", ["a", "b"], "en")
    assert f'<span>−{end}</span><i class="pp-signed"></i><span>{end}</span>' in drawn
    assert f"farthest from 0 here: {farthest} (possible: −1 to 1)" in drawn
    shown = [float(one) for one in re.findall(r'--v:([0-9.]+)"', drawn)]
    assert shown == pytest.approx([min(1.0, abs(one) / float(end)) for one in cosines], abs=1e-3)
    shares = interference([cell(0, cosines[0])], "rows", ["a", "b"], "en")
    assert "<span>0</span><i></i>" in shares
    assert "(possible: 0 to 1)" in shares


def test_of_several_pairs_a_module_shows_the_one_that_shares_most() -> None:
    drawn = interference([cell(0, 0.02), cell(0, -0.3, (0, 2))], "cosine", ["a", "b", "c"], "es")
    assert drawn.count("--v:") == 1
    assert "(a · c)" in drawn
    assert "<span>−0,5</span>" in drawn


def test_without_a_module_there_is_no_key() -> None:
    assert "pp-key" not in interference([{**cell(0, 0.0), "cosine": None}], "cosine", ["a", "b"], "en")
