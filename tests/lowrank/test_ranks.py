"""Ranks that would have been enough: PEFT's own cut-off, the published median, and noise that is called noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from peft.tuners.lora.conversion import _find_cutoff_index

from playground.lowrank.ranks import energy_rank, median, noise_rank, ranks, suggestion


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_rank_for_a_share_of_the_energy_is_peft_s(share: float) -> None:
    values = torch.rand(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64).sort(descending=True).values
    assert energy_rank(values.tolist(), share) == _find_cutoff_index(values, share)
    assert energy_rank([0.0, 0.0]) == 0


def test_the_median_gives_the_published_thresholds() -> None:
    """Gavish & Donoho 2014, table IV: ω(β) = λ*(β) / √μ_β."""
    for beta, omega in ((1.0, 2.8582), (0.5, 2.1711), (0.1, 1.6089)):
        threshold = math.sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + math.sqrt(beta**2 + 14 * beta + 1)))
        assert threshold / math.sqrt(median(beta)) == pytest.approx(omega, abs=2e-3)


@pytest.mark.parametrize("shape", [(60, 60), (200, 40)])
def test_directions_that_stand_out_of_noise_are_counted(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    noise = draw.standard_normal(shape)
    directions = draw.standard_normal((shape[0], 3)) @ draw.standard_normal((3, shape[1]))
    alone, together = (np.linalg.svd(one, compute_uv=False) for one in (noise, noise + 3 * directions))
    assert noise_rank(alone, shape) <= 1  # the edge is where the largest lies
    assert noise_rank(together, shape) == 3


def test_the_uniform_rank_is_the_one_nearest_in_parameters() -> None:
    found = [ranks([5.0, 0.1, 0.0, 0.0], (64, 64)), ranks([2.0, 2.0, 2.0, 2.0], (64, 32))]
    assert [one.suggested for one in found] == [1, 4]
    told, side = suggestion(found), 128 + 96
    assert (told.parameters, told.now) == (128 + 4 * 96, 4 * 128 + 4 * 96)  # 512, which is 2.29 of each
    assert (told.uniform, told.evenly) == (2, 2 * side)
    more = suggestion([*found, ranks([2.0, 2.0, 2.0, 2.0], (64, 64))])  # 1024 of 352, which is 2.91 of each
    assert (more.uniform, more.evenly) == (3, 3 * (side + 128))


def test_of_two_uniform_ranks_that_are_as_near_the_lower_one_is_taken() -> None:
    found = [ranks([1.0] * rank, (8, 8)) for rank in (1, 2)]
    assert suggestion(found).uniform == 1
