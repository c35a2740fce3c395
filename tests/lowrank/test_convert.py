"""An adapter as LoRA is what PEFT makes of the whole model, and what PEFT does not convert is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoHaConfig, convert_to_lora, get_peft_model, get_peft_model_state_dict

from playground.adapt.adapters import Adapter, Record, config_json
from playground.errors import PlaygroundError
from playground.lowrank.convert import AsLora, ConvertJob, convert
from playground.model.bases import Base
from playground.train import scoring
from tests.conftest import model_of
from tests.families import logits, tiny_base, trained


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("llama")


@pytest.fixture(scope="module")
def loha(base: Base) -> Adapter:
    config = LoHaConfig(task_type="CAUSAL_LM", r=2, alpha=4, target_modules=["q_proj", "v_proj"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = get_peft_model(base.view(), config, low_cpu_mem_usage=False)
        for name, parameter in model.named_parameters():
            if "hada" in name:
                torch.nn.init.normal_(parameter, std=0.3)
    tensors = {name: one.detach().clone() for name, one in get_peft_model_state_dict(model).items()}
    record = Record(base.id, "loha", "pirate", {}, 0, 7, 1, 1, 4)
    return Adapter("tiny-loha", record, config_json(config, base.spec.repository), tensors)


@pytest.mark.parametrize("rank", [1, 4])
def test_it_is_peft_s_conversion_of_the_whole_model(base: Base, loha: Adapter, rank: int) -> None:
    config, state = convert_to_lora(model_of(base, loha), rank)
    mine = AsLora(rank).applied(base, loha)
    assert mine.tensors.keys() == state.keys()
    assert all(torch.equal(mine.tensors[name], one) for name, one in state.items())
    assert set(mine.config["target_modules"]) == config.target_modules
    count = sum(one.numel() for one in state.values())
    assert (mine.record.trainable_parameters, mine.record.bytes, mine.record.total_parameters) == (count, 4 * count, count)
    assert (mine.record.method, mine.record.hyperparameters) == ("lora", {"rank": rank, "alpha": rank})
    assert (mine.record.steps, mine.record.converted["id"], mine.record.converted["method"]) == (0, "tiny-loha", "loha")
    assert AsLora(rank).applied(base, loha) is mine
    apart = (logits(model_of(base, mine)) - logits(model_of(base, loha))).abs().max()
    assert (apart < 1e-3) == (rank == 4)  # LoHa's product of two rank-2 products has rank 4


def test_what_peft_does_not_convert_is_said(base: Base, loha: Adapter) -> None:
    for method in ("ia3", "prompt_tuning"):
        with pytest.raises(PlaygroundError) as refused:
            AsLora(4).applied(base, trained(base, method)[0])
        assert refused.value.key == "not_convertible"
    with pytest.raises(PlaygroundError) as refused:
        AsLora(40).applied(base, loha)
    assert refused.value.key == "does_not_fit"


def test_it_is_measured_before_and_after(base: Base, monkeypatch: pytest.MonkeyPatch, small_task: Any) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 2)
    adapter = trained(base, "lora", {"rank": 4})[0]
    get_base: Callable[[str], Base] = lambda base_id: base  # noqa: E731
    *_, done = convert(ConvertJob(base.id, adapter, 4, small_task), get_base)
    before, whole, same = done.worth
    assert same.held_out_loss == pytest.approx(whole.held_out_loss, abs=1e-3)  # it has this rank
    assert done.apart is not None
    assert not done.apart.differs or abs(done.apart.change) < 1e-4
    assert before.forgetting is None
    assert done.made.record.trainable_parameters == adapter.record.trainable_parameters
