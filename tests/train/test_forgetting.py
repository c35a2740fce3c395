"""Forgetting is the neutral text's loss after less before, and noise is called noise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from playground.adapt.tasks import Task
from playground.adapt.variant import Variant
from playground.model.bases import Base
from playground.train.forgetting import PIECES, forgetting, neutral_loss, neutral_losses
from playground.train.job import TrainingJob
from playground.train.pauses import finished
from playground.train.standings import beyond_noise
from playground.train.training import train
from tests.conftest import model_of


def test_it_is_the_loss_after_less_before_and_nothing_for_an_adapter_that_does_nothing(
    tiny: Base, get_tiny: Callable[[str], Base], small_task: Task
) -> None:
    *_, ended = train(TrainingJob("tiny", "lora", small_task, {}, 3), get_tiny)
    found = finished(forgetting(tiny, Variant("tiny", ended.adapter)))
    assert found.before == pytest.approx(neutral_loss(tiny.model, tiny), rel=1e-6)
    assert found.after == pytest.approx(neutral_loss(model_of(tiny, ended.adapter), tiny), rel=1e-6)
    assert found.change == found.after - found.before != 0
    losses = [finished(neutral_losses(one, tiny)) for one in (tiny.model, model_of(tiny, ended.adapter))]
    pieces = [float(one.mean()) for one in (losses[1] - losses[0]).tensor_split(PIECES)]
    error = torch.tensor(pieces).std() / PIECES**0.5
    assert found.differs == (abs(torch.tensor(pieces).mean()) > 2.131 * error)
    nothing = finished(forgetting(tiny, Variant("tiny")))
    assert (nothing.change, nothing.differs) == (0.0, False)


def test_noise_is_what_its_own_spread_explains() -> None:
    assert not beyond_noise([0.0] * 16)
    assert not beyond_noise([1.0, -1.0] * 8)
    assert not beyond_noise([3.0] + [0.0] * 15)  # one question alone
    assert beyond_noise([1.0, 0.9] * 8)
