"""One run in several precisions: what each way is, on the tiny model; and the record."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from playground.learn.mixed_precision import STEPS, WAYS, Way, recorded, study
from playground.model.bases import Base
from playground.train.job import TrainingJob
from playground.train.training import train


def test_in_float32_it_is_the_training_of_the_page(tiny: Base) -> None:
    """Its first loss, of the same examples: the batches and the first weights are those of a run with one example a step."""
    from playground.adapt.tasks import task

    job = TrainingJob("tiny", "lora", task("pirate"), {"batch_size": 1}, steps=2)
    first = next(event.loss for event in train(job, lambda base_id: tiny) if event.event == "step")
    assert next(study(tiny, Way("float32"), 1)).loss == pytest.approx(first, rel=1e-5)


def test_scaling_brings_back_what_float16_loses(tiny: Base) -> None:
    found = {name: next(study(tiny, way, 1)) for name, way in WAYS.items()}
    plain, half, scaled = (found[name].zeros for name in ("float32", "float16", "float16_scaled"))
    assert half > plain
    assert abs(scaled - plain) < abs(half - plain)
    assert found["float16_scaled"].scale == 2**16
    assert found["float16_scaled"].largest / 2**16 == pytest.approx(found["float32"].largest, rel=0.05)


def test_float16_throughout_breaks_and_ends_early(tiny: Base) -> None:
    losses = [one.loss for one in study(tiny, WAYS["float16_pure"], 5)]
    assert math.isnan(losses[-1])
    assert len(losses) < 5


def test_the_record_has_every_way_and_the_same_first_loss() -> None:
    runs = recorded()
    assert list(runs) == list(WAYS)
    assert all(len(runs[name]) == STEPS for name in WAYS if name != "float16_pure")
    for steps in runs.values():
        assert steps[0].loss == pytest.approx(runs["float32"][0].loss, rel=0.01)
        assert [one.step for one in steps] == list(range(1, len(steps) + 1))
        assert all(0 <= one.zeros <= 1 for one in steps)
    for one, later in pairwise(runs["float16_scaled"]):
        assert later.scale == one.scale / (1 + one.skipped)
