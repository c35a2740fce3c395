"""Where factors begin against W's own directions, and what a race of initializations comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from playground.lowrank import initialization
from playground.lowrank.initialization import (
    RATES,
    SEEDS,
    STARTS,
    STEPS,
    Curve,
    Race,
    Start,
    begun,
    inside_noise,
    race,
    recorded,
    verdicts,
)  # fmt: skip
from playground.model.bases import Base
from playground.train.pauses import finished
from tests.families import one_thread  # noqa: F401

MODULE = "model.layers.1.self_attn.q_proj"
NOISE, PISSA, LOFTQ = Start("lora", "random"), Start("lora", "pissa"), Start("qlora", "loftq")


def test_pissa_begins_in_ws_strongest_directions_and_noise_does_not(tiny: Base, tiny_forms: Callable[[str], Base]) -> None:
    before = tiny.checksum()
    found = {start: finished(begun("tiny", start, MODULE, tiny_forms)) for start in (NOISE, PISSA, LOFTQ)}
    values = found[PISSA].values
    assert values.shape == (8, 24)
    assert all(float(values[place, place]) == pytest.approx(1, abs=1e-4) for place in range(8))
    assert found[PISSA].own == pytest.approx(1, abs=1e-4)
    assert found[NOISE].own < 0.6
    assert found[NOISE].chance == 8 / 32
    assert 0 < found[LOFTQ].own < 0.9  # what rounding took lies elsewhere
    assert tiny.checksum() == before


def test_a_race_tells_how_far_it_is_and_stops(tiny_forms: Callable[[str], Base], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initialization, "STEPS", 3)
    ended: list[Race] = []
    for told in race("tiny", 0.01, tiny_forms, lambda: len(ended) > 0, seeds=(4,)):
        if told and told.curves[-1].ended:
            ended.append(told)
        if told:
            last = told.curves[-1]
    assert [one.ended for one in ended[0].curves] == ["finished"]
    first = ended[0].curves[0]
    assert (first.start, first.seed, first.held_out[0][0], first.held_out[-1][0]) == (NOISE, 4, 0, 3)
    assert len(first.losses) == 3
    assert last.ended == "stopped"


def run(start: Start, seed: int, loss: float, ended: str = "finished") -> Curve:
    return Curve(start.method, start.initialization, seed, ((1, 4.0),), ((0, 4.0), (STEPS, loss)), 1.0 + seed, ended)


def raced(**losses: tuple[float, float, float]) -> Race:
    starts = {one.initialization: one for one in STARTS if one.method == "lora"}
    curves = [
        run(starts[name], seed, loss) for name, three in losses.items() for seed, loss in zip(SEEDS, three, strict=True)
    ]
    return Race("tiny", 0.01, tuple(curves))


@pytest.mark.parametrize(
    ("pissa", "differs", "difference"),
    [
        ((2.0, 2.1, 2.2), True, -1.0),
        ((3.2, 3.1, 3.0), False, 0.0),  # as far apart in the seeds as in the means
        ((1.0, 2.0, 2.99), False, -1.103),  # below in every seed, by a difference that says nothing
    ],
)
def test_a_start_differs_from_noise_where_another_seed_would_not_undo_it(
    pissa: tuple[float, float, float], differs: bool, difference: float
) -> None:
    noise, found = verdicts(raced(random=(3.0, 3.1, 3.2), pissa=pissa))
    assert (found.differs, found.difference) == (differs, pytest.approx(difference, abs=1e-3))
    assert (found.low, found.high, found.beginning) == (min(pissa), max(pissa), 2.0)
    assert (noise.difference, noise.differs) == (0.0, False)
    assert inside_noise(pissa, (3.0, 3.1, 3.2)) is not differs


def test_a_start_with_a_run_that_diverged_or_is_missing_is_not_compared() -> None:
    whole = raced(random=(3.0, 3.1, 3.2), pissa=(1.0, 1.1, 1.2))
    diverged = replace(whole, curves=(*whole.curves[:-1], replace(whole.curves[-1], ended="failed")))
    assert [(one.differs, one.diverged) for one in verdicts(diverged)] == [(False, 0), (False, 1)]
    assert len(verdicts(replace(whole, curves=whole.curves[:-1]))) == 1


@pytest.mark.parametrize("rate", RATES)
def test_what_was_recorded_is_whole_and_begins_as_the_base(rate: float) -> None:
    found = recorded(rate)
    assert found
    assert found.whole
    firsts = {one.start: {curve.held_out[0][1] for curve in found.of(one.start)} for one in verdicts(found)}
    assert list(firsts) == list(STARTS)
    for one, other in pairwise([start for start in STARTS if start.method == "lora"]):
        assert sorted(firsts[one]) == pytest.approx(sorted(firsts[other]), abs=1e-3)
    assert {len(curve.losses) for curve in found.curves} == {STEPS}
