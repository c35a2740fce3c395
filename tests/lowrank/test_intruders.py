"""Intruders are where the definition says, and repairing is what PEFT makes of the whole model."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from peft import get_peft_model_state_dict
from peft.tuners.lora.intruders import reduce_intruder_dimension

from playground.adapt.adapters import Adapter
from playground.errors import PlaygroundError
from playground.lowrank.intruders import Repair, directions, survey
from playground.lowrank.settings import EPSILON, LAMBDA, TOP_K
from playground.lowrank.updates import update_of, updates
from playground.model.bases import Base
from playground.model.weights import weight_of
from tests.conftest import model_of
from tests.families import tiny_base, trained

REPAIR = Repair(8, 0.9, 0.3)


@pytest.fixture(scope="module")
def made() -> tuple[Base, Adapter]:
    base = tiny_base("llama")
    return base, trained(base, "lora", {"rank": 4, "alpha": 64})[0]


def test_the_presets_are_peft_s_own() -> None:
    presets = inspect.signature(reduce_intruder_dimension).parameters
    for one in (TOP_K, EPSILON, LAMBDA):
        assert presets[one.name].default == one.default


def test_an_intruder_is_like_no_direction_of_the_base(made: Any) -> None:
    base, adapter = made
    (*_, found) = survey(base, adapter, REPAIR)
    assert found.modules == len(found.counts) == len(updates(base, adapter))
    assert found.total > 0
    for module, count in found.counts.items():
        weight = weight_of(base.model, module).double()
        before, *_ = torch.linalg.svd(weight, full_matrices=False)
        after, values, _ = torch.linalg.svd(
            weight + update_of(base, adapter, module).delta(weight.float()), full_matrices=False
        )
        likeness = [max(abs(float(one @ other)) for other in before.T) for one in after.T]
        seen = directions(base, adapter, module)
        torch.testing.assert_close(seen.values, values.float(), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(seen.cosines, torch.tensor(likeness), rtol=1e-3, atol=1e-3)
        assert count == sum(one < REPAIR.threshold_epsilon for one in likeness[: REPAIR.top_k])


def test_the_repaired_adapter_is_peft_s(made: Any) -> None:
    base, adapter = made
    noise = torch.get_rng_state()
    mine = REPAIR.applied(base, adapter)
    assert torch.equal(torch.get_rng_state(), noise)  # a training beside it draws what its seed says
    model: Any = model_of(base, adapter)
    reduce_intruder_dimension(model, **vars(REPAIR), logging_sink=None)
    state = get_peft_model_state_dict(model, adapter_name="intruder_reduced", save_embedding_layers=False)
    assert mine.tensors.keys() == adapter.tensors.keys() == state.keys()
    assert all(torch.equal(mine.tensors[name], tensor) for name, tensor in state.items())
    assert not all(torch.equal(mine.tensors[name], tensor) for name, tensor in adapter.tensors.items())
    assert base.untouched()
    assert REPAIR.applied(base, adapter) is mine


def test_where_nothing_is_turned_down_the_update_stays(made: Any) -> None:
    base, adapter = made
    for same in (Repair(8, 0.9, 1.0), Repair(8, 0.0, 0.0)):  # λ = 1, or no intruders
        left = same.applied(base, adapter)
        for module, update in updates(base, adapter).items():
            whole, found = update.factors.product(), update_of(base, left, module).factors.product()
            torch.testing.assert_close(found, whole, rtol=0, atol=1e-4 * float(whole.abs().max()))


@pytest.mark.parametrize(("method", "values"), [("ia3", {}), ("lora", {"dora": True})])
def test_what_peft_does_not_repair_is_said(method: str, values: dict[str, Any], made: Any) -> None:
    base, _ = made
    with pytest.raises(PlaygroundError) as refused:
        Repair().applied(base, trained(base, method, values)[0])
    assert refused.value.key == "not_repairable"
    with pytest.raises(PlaygroundError):
        Repair(mitigation_lambda=1.5).checked(*made)
