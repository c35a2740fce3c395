"""KL divergence: by hand, as torch gives it, and never below zero."""

import math

import pytest
import torch
from torch.nn import functional

from playground.compare.divergence import kl


def distributions(*shape: int, seed: int = 0) -> torch.Tensor:
    """Log-probabilities, (…, vocabulary), float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).log_softmax(-1)


def test_a_coin_by_hand() -> None:
    fair, loaded = (torch.tensor([p, 1 - p], dtype=torch.float64).log() for p in (0.5, 0.9))
    assert float(kl(fair, loaded)) == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1))


def test_it_is_torchs_for_each_distribution() -> None:
    here, there = distributions(2, 5, 50), distributions(2, 5, 50, seed=1)
    expected = functional.kl_div(there, here, reduction="none", log_target=True).sum(-1)  # torch: the target comes second
    assert kl(here, there).shape == (2, 5)
    torch.testing.assert_close(kl(here, there), expected)


def test_it_is_zero_for_the_same_and_only_then() -> None:
    here = distributions(20, 1000)
    assert torch.equal(kl(here, here), torch.zeros(20, dtype=torch.float64))
    assert bool((kl(here, distributions(20, 1000, seed=1)) > 0).all())


def test_rounding_never_makes_it_negative() -> None:
    here = distributions(500, 4096).float()
    there = (here + 1e-7 * torch.randn(here.shape, generator=torch.Generator().manual_seed(2))).log_softmax(-1)
    assert bool(((here.exp() * (here - there)).sum(-1) < 0).any())  # else this would show nothing
    assert float(kl(here, there).min()) == 0.0


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(kl(torch.full((3,), math.nan), distributions(3)))
