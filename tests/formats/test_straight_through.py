"""Quantization-aware training: the gradient goes straight through, and training rounded beats rounding at the end."""

from typing import Any

import pytest
import torch

from playground import settings
from playground.errors import PlaygroundError
from playground.formats.format import Layout
from playground.formats.registry import FORMATS
from playground.formats.straight_through import fake_quantize, study


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Two spend their time waiting for each other on so small a layer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", FORMATS)
def test_forward_is_the_round_trip_and_backward_nothing(name: Any) -> None:
    weights = torch.randn(6, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    outward = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    found = fake_quantize(weights, name)
    assert torch.equal(found, FORMATS[name].round_trip(weights).values)
    found.backward(outward)
    assert torch.equal(weights.grad, outward)


def test_a_layout_may_be_chosen() -> None:
    weights = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    layout = Layout("channel")
    assert torch.equal(fake_quantize(weights, "int4", layout), FORMATS["int4"].round_trip(weights, layout).values)


@pytest.mark.parametrize(("name", "factor"), [("ternary", 4.0), ("int4", 2.0)])
def test_training_rounded_beats_rounding_afterwards(name: str, factor: float) -> None:
    for seed in range(2):
        last = list(study(name, 80, seed, Layout("tensor")))[-1]
        assert last.rounded_after > factor * last.trained_rounded
        assert last.float_loss < last.trained_rounded < 0.1


def test_eight_bits_need_no_training() -> None:
    last = list(study("int8", steps=60))[-1]
    assert last.rounded_after == pytest.approx(last.float_loss, rel=0.2, abs=0.001)
    assert last.trained_rounded == pytest.approx(last.float_loss, rel=0.2, abs=0.001)


def test_a_study_starts_alike_ends_at_its_last_step_and_repeats() -> None:
    steps = list(study("int4", steps=50))
    assert steps[0].rounded_after == steps[0].trained_rounded
    assert [one.step for one in steps] == sorted({one.step for one in steps})
    assert (steps[0].step, steps[-1].step, steps[-1].steps) == (0, 50, 50)
    assert steps == list(study("int4", steps=50))
    assert steps != list(study("int4", steps=50, seed=1))
    assert len(list(study("int4", steps=7))) == 8


def test_float32_is_the_float_layer_itself() -> None:
    for one in study("float32", steps=20):
        assert one.float_loss == one.rounded_after == one.trained_rounded


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("int5", {}),
        ("int8", {"steps": 0}),
        ("int8", {"steps": settings.MAX_AWARE_STEPS + 1}),
        ("int8", {"steps": 2.5}),
        ("int8", {"seed": -1}),
        ("nf4", {"layout": Layout("tensor")}),
    ],
)
def test_what_cannot_be_studied_is_refused(name: str, options: Any) -> None:
    with pytest.raises(PlaygroundError):
        next(study(name, **options))
