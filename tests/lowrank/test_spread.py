"""What a mix owes to its seed: nothing where nothing is dropped, and what each seed gives by itself where something is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from playground.adapt.variant import Variant
from playground.bounds import SEED
from playground.lowrank.mix import Mix
from playground.lowrank.mixing import mixed
from playground.lowrank.spread import SpreadJob, Verdict, spread
from playground.model.memory import STORE
from playground.train.pauses import finished
from playground.train.scoring import held_out_loss
from tests.families import one_thread  # noqa: F401
from tests.lowrank.test_mixing import base_of, pair


def measured(mix: Mix, task: Any) -> Any:
    *_, last = spread(base_of("llama"), SpreadJob(mix, (task,)))
    return last


def test_where_nothing_is_dropped_the_seeds_and_the_exact_sum_agree(small_task: Any) -> None:
    found = measured(Mix(pair(), (1.0, 0.5), "dare_linear_svd", rank=6, density=1.0, seed=2), small_task)
    verdict = found.verdicts()[small_task.id]
    assert found.seeds == (2, 3, 4)
    assert verdict.spread == 0
    assert abs(verdict.difference) < 1e-3  # float32


def test_each_seed_has_the_loss_of_its_own_mix_and_nothing_of_it_stays(small_task: Any) -> None:
    base, mix, held = base_of("llama"), Mix(pair(), (1.0, 1.0), "dare_ties_svd", rank=3, density=0.4), STORE.held()
    found = measured(mix, small_task)
    assert STORE.held() == held
    alone = mixed(base, replace(mix, seed=1))
    loss = finished(held_out_loss(base, Variant.of(base.id, alone), small_task))
    assert found.losses[small_task.id][1] == pytest.approx(loss, rel=1e-6)
    assert len(set(found.losses[small_task.id])) == 4


def test_the_last_seed_has_others_before_it() -> None:
    assert SpreadJob(Mix(pair(), (1.0, 1.0), "dare_linear", seed=SEED.maximum), ()).seeds[-1] == SEED.maximum


@pytest.mark.parametrize(("exact", "differs"), [(2.0, True), (2.9, False), (3.5, True), (3.2, False)])
def test_rules_differ_where_they_lie_farther_apart_than_the_seeds(exact: float, differs: bool) -> None:
    assert Verdict((2.8, 3.0, 3.2), exact).differs == differs
