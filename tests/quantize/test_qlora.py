"""QLoRA beside LoRA: in turns is as alone, memory is what tensors hold, and merging is PEFT's and costs what is said."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from peft import get_peft_model, set_peft_model_state_dict
from peft.utils.integrations import dequantize_bnb_weight

from playground import settings
from playground.adapt.adapters import peft_config
from playground.adapt.tasks import Example, Task, encode
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob
from playground.errors import PlaygroundError
from playground.model.bases import Base, load
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.model.weights import held_tensors, stored_bytes
from playground.quantize.merging import MergeJob, codes, merging
from playground.quantize.qlora import PairJob, train_pair
from playground.train.evaluation import held_out_loss
from playground.train.job import Ended, TrainingJob
from playground.train.training import train
from tests.conftest import model_of, variants
from tests.families import logits, one_thread, tiny_base  # noqa: F401

VALUES = {"rank": 4, "learning_rate": 2e-2, "dropout": 0.2, "targets": "all_linear"}
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TASK = Task("pirate", *(tuple(Example(f"say {word}", f"{word}!") for word in part) for part in (WORDS[:8], WORDS[8:])))


@pytest.fixture(scope="module")
def get_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Base]]:
    """`wide` (64 columns: bitsandbytes reads narrower four-bit weights back wrong) and its forms, loaded as real bases."""
    folder = tmp_path_factory.mktemp("wide")
    plain = tiny_base("llama", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "wide", BaseSpec("wide", "Wide", "local", str(folder), plain.architecture))
        patch.setattr(settings, "DEVICE", "cpu")
        yield cache(load)


@pytest.fixture(scope="module")
def pair(get_base: Callable[[str], Base]) -> Any:
    *_, last = train_pair(PairJob("wide:int8", TASK, VALUES, 6, seed=3), get_base)
    return last


def fingerprint(base: Base) -> Any:
    """Every number that the base holds, and what bitsandbytes notes beside its packed weights."""
    numbers = [tensor.detach().clone() for tensor in held_tensors(base.model)]
    packed: list[Any] = [p for p in base.model.parameters() if hasattr(p, "bnb_quantized")]
    notes = [
        (p.bnb_quantized, id(p.module), id(p.quant_state), id(p.data.untyped_storage().data_ptr()) and p.requires_grad)
        for p in packed
    ]
    owners = [id(getattr(module, "quant_state", None)) for module in base.model.modules()]
    return numbers, notes, owners


def same(one: Any, other: Any) -> Any:
    return len(one[0]) == len(other[0]) and all(map(torch.equal, one[0], other[0])) and one[1:] == other[1:]


# Two trainings in turns


@pytest.mark.parametrize("method_id", ["lora", "qlora"])
def test_in_turns_each_adapter_is_the_one_of_a_training_alone(
    get_base: Callable[[str], Base], pair: Any, method_id: str
) -> None:
    *_, alone = train(TrainingJob("wide", method_id, TASK, VALUES, 6, 3), get_base)
    assert isinstance(alone, Ended)
    adapter = getattr(pair, method_id).adapter
    assert set(adapter.tensors) == set(alone.adapter.tensors)
    assert all(torch.equal(tensor, alone.adapter.tensors[name]) for name, tensor in adapter.tensors.items())
    assert (adapter.record.losses, adapter.record.held_out) == (alone.adapter.record.losses, alone.adapter.record.held_out)


def test_both_have_the_same_recipe_and_start_and_other_weights_below(pair: Any) -> None:
    lora, qlora_ = (side.adapter.record for side in pair.sides)
    assert {**lora.hyperparameters, "double_quantization": True} == {
        **qlora_.hyperparameters, "dora": False, "bias": "none", "rate_ratio": 1.0
    } | {"double_quantization": True}  # fmt: skip
    assert (lora.steps, lora.seed, lora.task) == (qlora_.steps, qlora_.seed, qlora_.task) == (6, 3, "pirate")
    assert (lora.base, Variant.of("wide", pair.qlora.adapter).base) == ("wide", "wide:nf4_double")
    assert pair.lora.losses != pair.qlora.losses


def test_both_curves_grow_together(get_base: Callable[[str], Base]) -> None:
    seen = list(train_pair(PairJob("wide", TASK, VALUES, 3), get_base))
    assert all(abs(one.lora.step - one.qlora.step) <= 1 for one in seen)
    assert [one.ended for one in seen][-2:] == [False, True]
    assert len(seen[-1].lora.losses) == len(seen[-1].qlora.losses) == 3


def test_a_stop_ends_both_at_the_same_step_and_keeps_what_was_learned(get_base: Callable[[str], Base]) -> None:
    asked = iter([False] * 5)
    *_, last = train_pair(PairJob("wide", TASK, VALUES, 40), get_base, lambda: next(asked, True))
    assert last.lora.state == last.qlora.state == "stopped"
    assert last.lora.step == last.qlora.step < 40
    assert None not in (last.lora.adapter, last.qlora.adapter)


@pytest.mark.parametrize(
    ("values", "steps", "key"),
    [({"rank": 0}, 3, "out_of_range"), ({"dora": True}, 3, "unknown_hyperparameter"), ({}, 0, "out_of_range")],
)
def test_what_cannot_be_trained_is_said_before_anything_is(
    get_base: Callable[[str], Base], values: dict[str, Any], steps: int, key: str
) -> None:
    with pytest.raises(PlaygroundError) as error:
        next(train_pair(PairJob("wide", TASK, values, steps), get_base))
    assert error.value.key == key


# Memory


def test_memory_is_what_the_loaded_tensors_hold(get_base: Callable[[str], Base], pair: Any) -> None:
    plain, packed = get_base("wide"), get_base("wide:nf4_double")
    assert pair.lora.memory.weights == sum(p.nbytes for p in plain.model.parameters())
    linear: list[Any] = [m for m in packed.model.modules() if type(m).__name__ == "Linear4bit"]
    states = [m.weight.quant_state for m in linear]
    exact = sum(m.weight.nbytes for m in linear) + sum(
        s.absmax.nbytes + s.state2.absmax.nbytes + s.offset.nbytes for s in states
    )
    tables = stored_bytes([t for s in states for t in (s.code, s.state2.code)])
    rest = pair.qlora.memory.weights - pair.qlora.unquantized
    assert rest == exact + tables
    assert pair.lora.unquantized > pair.qlora.unquantized  # embeddings and norms stay in float32


def test_optimizer_bytes_are_those_of_adamw(pair: Any) -> None:
    parameters: list[Any] = [torch.nn.Parameter(tensor.clone()) for tensor in pair.lora.adapter.tensors.values()]
    optimizer = torch.optim.AdamW(parameters)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moments = sum(optimizer.state[p][name].nbytes for p in parameters for name in ("exp_avg", "exp_avg_sq"))
    held = pair.lora.memory
    assert (held.adapter, held.gradients) == (sum(p.nbytes for p in parameters), sum(p.grad.nbytes for p in parameters))
    assert held.optimizer == moments


# Merging


def by_peft(base: Base, adapter: Any) -> Any:
    """PEFT's own merge on a copy of the whole model that shares nothing."""
    model = get_peft_model(copy.deepcopy(base.model), peft_config(adapter.config))
    set_peft_model_state_dict(model, dict(adapter.tensors))
    return model.merge_and_unload().eval()


@pytest.mark.parametrize("form", ["", ":nf4", ":nf4_double"])
def test_a_merged_adapter_answers_as_peft_merges(get_base: Callable[[str], Base], pair: Any, form: str) -> None:
    adapter, own = pair.lora.adapter, load(f"wide{form}")  # a model of its own, for PEFT to write to
    attached = model_of(get_base(f"wide{form}"), adapter, merged=True)
    assert torch.equal(logits(attached), logits(by_peft(own, adapter)))
    assert not any("lora" in name for name, _ in attached.named_modules())
    assert not any(parameter.requires_grad for parameter in attached.parameters())


def test_merging_into_float_keeps_the_logits_and_into_nf4_does_not(get_base: Callable[[str], Base], pair: Any) -> None:
    def moved(base: Base, adapter: Any) -> Any:
        return float((logits(model_of(base, adapter, merged=True)) - logits(model_of(base, adapter))).abs().max())

    assert moved(get_base("wide"), pair.lora.adapter) < 1e-4
    assert moved(get_base("wide:nf4_double"), pair.qlora.adapter) > 1e-2


@pytest.mark.parametrize("form", ["", ":nf4", ":nf4_double", ":int8"])
def test_merging_writes_nothing_to_the_base(get_base: Callable[[str], Base], pair: Any, form: str) -> None:
    base = get_base(f"wide{form}")
    before, answered = fingerprint(base), logits(base.model)
    attached = model_of(base, pair.lora.adapter, merged=True)
    assert not torch.equal(logits(attached), answered)
    assert base.untouched()
    assert same(fingerprint(base), before)
    assert torch.equal(logits(base.model), answered)


def test_a_merged_adapter_is_a_pane(get_base: Callable[[str], Base], pair: Any) -> None:
    adapter = pair.qlora.adapter
    panes = (*variants("wide", None, pair.lora.adapter, adapter), Variant.of("wide", adapter, merged=True))
    *_, frame = compare(CompareJob("wide", "say one", panes, titles=("", "", "", "M")), get_base)
    assert [pane.adapter for pane in frame.panes] == ["base", pair.lora.adapter.id, adapter.id, adapter.id]
    assert [pane.summary["merged"] for pane in frame.panes] == [False, False, False, True]
    assert frame.panes[3].summary["name"] == "M"
    assert frame.panes[0].weights_untouched
    assert frame.panes[2].kl_from_base != frame.panes[3].kl_from_base


@pytest.mark.parametrize("method_id", ["prompt_tuning", "few_shot", "full_fine_tuning"])
def test_what_changes_no_weight_or_all_of_them_is_not_merged(
    get_base: Callable[[str], Base], pair: Any, method_id: str
) -> None:
    record = replace(pair.lora.adapter.record, method=method_id)
    adapter = replace(pair.lora.adapter, record=record)
    for refused in (
        lambda: Variant("wide", adapter, merged=True),
        lambda: model_of(get_base("wide"), adapter, merged=True),
        lambda: next(merging(MergeJob(adapter, TASK), get_base)),
    ):
        with pytest.raises(PlaygroundError) as error:
            refused()
        assert error.value.key == "not_mergeable"


@pytest.mark.parametrize("method_id", ["lora", "qlora"])
def test_what_merging_costs(get_base: Callable[[str], Base], pair: Any, method_id: str) -> None:
    adapter, base = getattr(pair, method_id).adapter, get_base("wide:nf4_double")
    *_, found = merging(MergeJob(adapter, TASK), get_base)
    assert found.base == base.id
    assert len(found.modules) == 14
    assert 0.5 < found.kept < 1
    assert 0 < found.rounding < math.inf
    encoded = [encode(base.tokenizer, example) for example in TASK.held_out]
    loss = {
        "base": held_out_loss(base.model, encoded, base.tokenizer.pad_token_id),
        "adapter": held_out_loss(model_of(base, adapter), encoded, base.tokenizer.pad_token_id),
        "merged": held_out_loss(model_of(base, adapter, merged=True), encoded, base.tokenizer.pad_token_id),
        "merged_float": held_out_loss(
            model_of(get_base("wide"), adapter, merged=True), encoded, base.tokenizer.pad_token_id
        ),
    }
    assert {name: getattr(found.losses, name) for name in loss} == pytest.approx(loss, rel=1e-5)
    assert found.losses.kl > 1e-4
    assert found.losses.float_difference < 1e-4
    assert found.losses.tokens == sum(label != -100 for _, labels in encoded for label in labels)


def test_an_update_of_zeros_keeps_every_code(get_base: Callable[[str], Base], pair: Any) -> None:
    zeros = {name: torch.zeros_like(tensor) for name, tensor in pair.lora.adapter.tensors.items()}
    found = list(merging(MergeJob(replace(pair.lora.adapter, loaded=zeros), TASK), get_base))[-1]
    assert found.kept == 1
    assert found.rounding is None
    assert found.losses.kl < 1e-4


def test_codes_are_those_that_bitsandbytes_packs(get_base: Callable[[str], Base]) -> None:
    weight = get_base("wide:nf4").model.model.layers[0].mlp.up_proj.weight
    state = weight.quant_state
    first, second = codes(weight)
    levels = torch.stack([state.code[first.long()], state.code[second.long()]], dim=1).flatten()
    values = levels.view(-1, state.blocksize) * state.absmax[:, None]
    assert torch.equal(values.view(state.shape), dequantize_bnb_weight(weight))
