"""One walk over the registry: each method trained on a tiny model, saved, loaded by PEFT, put beside the base, uploaded."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, PeftType, get_peft_model_state_dict

from playground.adapt.adapters import Adapter, Record, pack, save
from playground.adapt.fields import HONOURED
from playground.adapt.listed import markdown
from playground.adapt.methods import LEFT_OUT, METHODS, MORE
from playground.adapt.tasks import Example, Task, encode
from playground.adapt.uploads import unpack
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.errors import PlaygroundError
from playground.lowrank.updates import kinds_of, layers_of, updates
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from playground.train.evaluation import held_out_loss, response_loss
from playground.train.trainable import wrap
from tests.conftest import model_of
from tests.families import logits, one_thread, peft_model, tiny_base  # noqa: F401

TASK = Task("tiny", tuple(Example(f"say {n}", f"aye {n}") for n in range(4)), (Example("say 7", "aye 7"),))
SMALL: dict[str, dict[str, Any]] = {
    "fourierft": {"frequencies": 20}, "waveft": {"frequencies": 20}, "c3a": {"block_size": 16},
    "vblora": {"vectors": 8, "vector_length": 16}, "road": {"group_size": 16}, "psoft": {"rank": 4, "alpha": 4},
    "vera": {"rank": 8}, "pvera": {"rank": 8}, "randlora": {"rank": 8}, "oft": {"block_size": 8}, "osf": {"kept_share": 0.7},
    "miss": {"rank": 4}, "unilora": {"shared_numbers": 64},
}  # fmt: skip
PEFT = [name for name, one in MORE.items() if one.config]
every = pytest.mark.parametrize("method_id", PEFT)


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("llama")


@pytest.fixture(scope="module")
def made(base: Base) -> dict[str, Adapter]:
    """Three steps of each method; the losses on the held-out example before and after are in the records."""
    return {name: trained(base, name) for name in (*PEFT, "last_layers")}


def trained(base: Base, name: str) -> Adapter:
    one, values = METHODS[name], METHODS[name].complete(SMALL.get(name, {}))
    torch.manual_seed(1)
    model, config = wrap(base, one, values)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=values["learning_rate"], weight_decay=0.0)
    batch, held_out = ([encode(base.tokenizer, one) for one in examples] for examples in (TASK.train, TASK.held_out))
    losses = [held_out_loss(model.eval(), held_out, 0)]
    for _ in range(3):
        response_loss(model.train(), batch, 0).backward()
        optimizer.step()
        optimizer.zero_grad()
    losses.append(held_out_loss(model.eval(), held_out, 0))
    state = get_peft_model_state_dict(model, save_embedding_layers=False) if config else dict(model.named_parameters())
    tensors = {key: tensor.detach().clone() for key, tensor in state.items() if config or tensor.requires_grad}
    counts = one.counts(base.architecture, values)
    record = Record(base.id, name, "pirate", values, 1, 3, held_out=list(enumerate(losses)), **counts)
    return Adapter(f"tiny-{name}", record, config, tensors)


def test_every_type_of_peft_is_a_method_or_has_its_reason() -> None:
    assert {one.peft for one in METHODS.values() if one.peft} | set(LEFT_OUT) == {one.value for one in PeftType}


def test_readme_lists_the_methods() -> None:
    architecture = CATALOGUE["smollm2-135m"].architecture
    assert architecture is not None
    assert markdown(architecture) in Path("README.md").read_text(encoding="utf-8")


@every
@pytest.mark.parametrize("targets", ["query_value", "all_linear"])
def test_the_count_is_pefts(base: Base, method_id: str, targets: str) -> None:
    one, values = MORE[method_id], dict(SMALL.get(method_id, {}))
    if any(bound.name == "targets" for bound in one.hyperparameters):
        values["targets"] = targets
    elif targets != "query_value":
        return
    counts = one.counts(base.architecture, values)
    model = peft_model(base, method_id, values)[0]
    assert (counts["trainable_parameters"], counts["total_parameters"]) == model.get_nb_trainable_parameters()
    saved = get_peft_model_state_dict(model, save_embedding_layers=False).values()
    assert counts["bytes"] == sum(tensor.numel() * tensor.element_size() for tensor in saved)


def test_what_was_taken_out_of_the_base_is_saved_with_the_factors_and_biases_once() -> None:
    bloom, values = tiny_base("bloom"), {"initialization": "pissa", "bias": "lora_only", "rank": 4}
    saved = get_peft_model_state_dict(peft_model(bloom, "lora", values)[0], save_embedding_layers=False).values()
    counted = METHODS["lora"].counts(bloom.architecture, values)["bytes"]
    assert counted == sum(tensor.numel() * tensor.element_size() for tensor in saved)


@every
def test_saved_it_is_what_peft_loads_and_an_upload(
    base: Base, made: dict[str, Adapter], method_id: str, tmp_path: Path
) -> None:
    adapter = made[method_id]
    losses = [loss for _, loss in adapter.record.held_out]
    assert losses[-1] < losses[0]
    before = torch.get_rng_state()
    found = model_of(base, adapter)
    assert torch.equal(before, torch.get_rng_state())  # a training beside this draws what its seed says
    save(adapter, tmp_path / "saved")
    torch.manual_seed(9)  # what is not saved comes from a seed of its own
    of_peft = PeftModel.from_pretrained(copy.deepcopy(base.model), tmp_path / "saved").eval()
    ids = torch.tensor([[72, 101, 108, 108, 111, 33, 7]])
    with torch.no_grad():
        torch.testing.assert_close(found(input_ids=ids).logits, of_peft(input_ids=ids).logits, rtol=0, atol=0)
    if MORE[method_id].merges:
        torch.testing.assert_close(logits(model_of(base, adapter, merged=True)), logits(found), rtol=0, atol=1e-4)
    given = unpack(pack(adapter, tmp_path), base, "new")
    torch.testing.assert_close(model_of(base, given)(input_ids=ids).logits, found(input_ids=ids).logits, rtol=0, atol=0)
    assert given.record.method == method_id
    assert given.record.trainable_parameters in (adapter.record.trainable_parameters, *_of_prompt(adapter))
    assert base.untouched()


def _of_prompt(adapter: Adapter) -> list[int]:
    """P-tuning keeps what its network made, and not the network."""
    return [sum(one.numel() for one in adapter.tensors.values())] if adapter.record.method == "p_tuning" else []


def written(base: Base, variants: list[Variant]) -> list[tuple[str, int]]:
    job = CompareJob(base.id, "say 2", tuple(variants), Decoding(max_new_tokens=3))
    *_, last = compare(job, lambda base_id: base)
    return [(pane.text, pane.tokens) for pane in last.panes]


def test_beside_the_base_each_writes_what_it_writes_alone(base: Base, made: dict[str, Adapter]) -> None:
    variants = [Variant(base.id), *(Variant.of(base.id, adapter) for adapter in made.values())]
    together = [tokens for start in range(0, len(variants), 4) for tokens in written(base, variants[start : start + 4])]
    alone = [written(base, [variant])[0] for variant in variants]
    assert together == alone


@pytest.mark.parametrize("method_id", [*PEFT, "last_layers"])
def test_the_lab_shows_its_update_or_says_why_there_is_none(base: Base, made: dict[str, Adapter], method_id: str) -> None:
    if not MORE[method_id].changes_weights:
        with pytest.raises(PlaygroundError) as refused:
            updates(base, made[method_id])
        assert refused.value.key == "no_update"
        return
    found = updates(base, made[method_id])
    weights = dict(base.model.named_parameters())
    changed = [module for module, one in found.items() if one.norm(weights[f"{module}.weight"]) > 0]
    assert changed
    assert set(kinds_of(made[method_id])) == {one.kind for one in found.values()}
    assert layers_of(made[method_id]) == (1 if method_id == "unilora" else 2)  # which has no tensor of a layer
    if MORE[method_id].merges:
        merged = dict(model_of(base, made[method_id], merged=True).named_parameters())
        for module, one in found.items():
            weight = weights[f"{module}.weight"]
            torch.testing.assert_close(one.delta(weight), merged[f"{module}.weight"] - weight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method_id", ["shira", "supertuning", "frod"])
def test_places_outside_of_the_weight_are_refused(
    base: Base, made: dict[str, Adapter], method_id: str, tmp_path: Path
) -> None:
    adapter = made[method_id]
    name = next(name for name, one in adapter.tensors.items() if not one.is_floating_point() and "size" not in name)
    for place in (-1, 2**30):
        wrong = adapter.tensors[name].clone()
        wrong.view(-1)[0] = place
        bad = replace(adapter, loaded={**adapter.tensors, name: wrong})
        with pytest.raises(PlaygroundError) as refused:
            unpack(pack(bad, tmp_path), base, "new")
        assert refused.value.key == "does_not_fit"


@pytest.mark.parametrize("method_id", [name for name in PEFT if MORE[name].settings])
def test_a_setting_out_of_range_is_refused_by_name(
    base: Base, made: dict[str, Adapter], method_id: str, tmp_path: Path
) -> None:
    field = next(iter(MORE[method_id].settings))
    assert field in HONOURED[MORE[method_id].peft]
    bad = replace(made[method_id], config={**(made[method_id].config or {}), field: 10**9})
    with pytest.raises(PlaygroundError) as refused:
        unpack(pack(bad, tmp_path), base, "new")
    assert refused.value.values["name"] == field


@pytest.mark.parametrize("method_id", PEFT)
def test_a_setting_that_is_not_followed_is_refused(
    base: Base, made: dict[str, Adapter], method_id: str, tmp_path: Path
) -> None:
    bad = replace(made[method_id], config={**(made[method_id].config or {}), "modules_to_save": ["lm_head"]})
    with pytest.raises(PlaygroundError) as refused:
        unpack(pack(bad, tmp_path), base, "new")
    assert refused.value.key in ("upload_setting", "upload_unknown_setting")
