"""Mixing adapters: what PEFT's own `add_weighted_adapter` gives, the laws of a sum, and what cannot be mixed."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model, set_peft_model_state_dict

from playground.adapt import adapters
from playground.adapt.adapters import Adapter, peft_config
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.lowrank.interference import interference
from playground.lowrank.mix import ORTHOGONAL, RULES, Mix
from playground.lowrank.mixing import distance, mixed
from playground.lowrank.updates import updates
from playground.model.bases import Base, checksum
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base, trained  # noqa: F401

PEFTS = [name for name in RULES if name != ORTHOGONAL]
WEIGHTS = (0.75, -0.5)
VALUES = {"rank": 3, "alpha": 5, "targets": "attention"}


@cache
def base_of(family: str) -> Base:
    return tiny_base(family)


@cache
def made(family: str, seed: int, method_id: str = "lora", **values: Any) -> Adapter:
    """An adapter whose numbers are those of its seed."""
    adapter, _ = trained(base_of(family), method_id, {**VALUES, **values} if "lora" in method_id else {})
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: 0.3 * torch.randn(one.shape, generator=generator) for name, one in adapter.tensors.items()}
    return replace(adapter, id=f"{method_id}-{seed}", loaded=tensors)


def pair(family: str = "llama", **values: Any) -> tuple[Adapter, Adapter]:
    return made(family, 1, **values), made(family, 2, **values)


def in_peft(base: Base, *several: Adapter) -> Any:
    """PEFT around a full copy of the base, with all of these."""
    model = get_peft_model(copy.deepcopy(base.model), peft_config(several[0].config or {}), "a0").eval()
    for place, adapter in enumerate(several):
        if place:
            model.add_adapter(f"a{place}", peft_config(adapter.config or {}))
        set_peft_model_state_dict(model, dict(adapter.tensors), f"a{place}")
    return model


def by_peft(base: Base, mix: Mix) -> Any:
    model = in_peft(base, *mix.adapters)
    torch.manual_seed(mix.seed)
    with pytest.MonkeyPatch.context() as patch:  # its new layers draw nothing: the seed is that of what DARE drops
        patch.setattr(torch.nn.init, "kaiming_uniform_", lambda tensor, **named: tensor)
        model.add_weighted_adapter(
            [f"a{place}" for place in range(len(mix.adapters))], list(mix.weights), "mix", mix.rule, svd_rank=mix.rank,
            density=mix.density, majority_sign_method=mix.majority_sign,
        )  # fmt: skip
    model.set_adapter("mix")
    return model


@pytest.mark.parametrize("rule", PEFTS)
def test_every_rule_answers_as_pefts_own(rule: str) -> None:
    base = base_of("qwen2")
    mix = Mix(pair("qwen2"), WEIGHTS, rule, rank=2, density=0.4, majority_sign="frequency", seed=3)
    before, drawn = checksum(base.model), torch.random.get_rng_state()
    ours = mixed(base, mix)
    assert torch.equal(torch.random.get_rng_state(), drawn)  # a training beside this draws what its seed says
    assert checksum(base.model) == before
    expected = logits(by_peft(base, mix))
    assert torch.allclose(logits(model_of(base, ours)), expected, atol=1e-4)
    assert not torch.allclose(logits(base.model), expected, atol=1e-2)


def dense(base: Base, adapter: Adapter) -> Any:
    return {module: one.factors.product() for module, one in updates(base, adapter).items()}


def summed(base: Base, mix: Mix) -> Any:
    parts = [dense(base, one) for one in mix.adapters]
    return {module: sum(w * part[module] for w, part in zip(mix.weights, parts, strict=True)) for module in parts[0]}


@pytest.mark.parametrize("values", [{}, {"rslora": True}], ids=["alpha over r", "rslora"])
def test_cat_is_the_weighted_sum_and_linear_is_not(values: dict[str, Any]) -> None:
    base, (one, other) = base_of("llama"), pair(**values)
    mix = Mix((one, replace(other, id="wider", **wider(other))), (2.0, -1.0))
    cat = mixed(base, mix)
    for module, expected in summed(base, mix).items():
        assert torch.allclose(dense(base, cat)[module], expected, atol=1e-5)
    assert distance(base, mix, cat) < 1e-6
    alike = Mix((one, other), (2.0, -1.0), "linear")
    found, expected = dense(base, mixed(base, alike)), summed(base, alike)
    apart = sum(float((found[name] - expected[name]).square().sum()) for name in expected)
    total = sum(float(one.square().sum()) for one in expected.values())
    assert distance(base, alike, mixed(base, alike)) == pytest.approx((apart / total) ** 0.5, rel=1e-4)
    assert distance(base, alike, mixed(base, alike)) > 0.3


def wider(adapter: Adapter) -> dict[str, Any]:
    """The same with one rank more, which `cat` takes."""
    tensors = {}
    for name, one in adapter.tensors.items():
        more = one[:1] if "lora_A" in name else one[:, :1]
        tensors[name] = torch.cat([one, more], dim=0 if "lora_A" in name else 1)
    return {"loaded": tensors, "config": {**(adapter.config or {}), "r": VALUES["rank"] + 1}}


def test_linear_adds_up_what_is_alike_negative_weights_too() -> None:
    base, one = base_of("llama"), pair()[0]
    mix = Mix((one, replace(one, id="again")), (2.0, -0.5), "linear")
    for module, found in dense(base, mixed(base, mix)).items():  # (√2 − √½)(√2 + √½) = 1.5: the sign lies on A alone
        assert torch.allclose(found, 1.5 * dense(base, one)[module], atol=1e-5)


def test_several_active_adapters_are_the_cat_mix() -> None:
    base, several = base_of("llama"), pair()
    model = in_peft(base, *several)
    model.base_model.set_adapter(["a0", "a1"])
    stacked = logits(model)
    cat = mixed(base, Mix(several, (1.0, 1.0)))
    assert torch.allclose(logits(model_of(base, cat)), stacked, atol=1e-4)


def test_the_orthogonalised_sum_is_the_sum_where_nothing_overlaps_and_decorrelates_where_it_does() -> None:
    base, (one, other) = base_of("llama"), pair()
    apart = {}
    for name, tensor in other.tensors.items():  # without what lies in the first one's spaces
        first, side = one.tensors[name].double(), tensor.double()
        first, side = (first.T, side.T) if "lora_A" in name else (first, side)
        q, _ = torch.linalg.qr(first)
        side = side - q @ (q.T @ side)
        apart[name] = (side.T if "lora_A" in name else side).float()
    mix = Mix((one, replace(other, loaded=apart)), WEIGHTS, ORTHOGONAL)
    for module, expected in summed(base, mix).items():
        assert torch.allclose(dense(base, mixed(base, mix))[module], expected, atol=1e-5)
    crossed = Mix((one, other), WEIGHTS, ORTHOGONAL)
    sigmas = [{name: up.factors.svd.s for name, up in updates(base, each).items()} for each in (one, other)]
    for module, up in updates(base, mixed(base, crossed)).items():
        held = torch.cat([abs(w) * part[module] for w, part in zip(WEIGHTS, sigmas, strict=True)])
        assert torch.allclose(up.factors.svd.s, held.sort(descending=True).values, atol=1e-5)
    assert distance(base, crossed, mixed(base, crossed)) > 0.05
    twice = Mix((one, replace(one, id="again")), (1.0, 1.0), ORTHOGONAL)  # no direction is the second one's own
    assert all(torch.isfinite(tensor).all() for tensor in mixed(base, twice).tensors.values())


def test_the_interference_is_what_dense_updates_say() -> None:
    base, several = base_of("llama"), (*pair(), made("llama", 3))
    deltas = [dense(base, one) for one in several]
    found = interference(base, several)
    assert len(found) == 3 * len(deltas[0])
    for one in found:
        left, right = (deltas[place][one.module].double() for place in one.pair)
        cosine = float((left * right).sum() / (left.norm() * right.norm()))
        assert one.cosine == pytest.approx(cosine, abs=1e-6)
        for name, chance, across in (("columns", "columns_by_chance", False), ("rows", "rows_by_chance", True)):
            bases = [torch.linalg.svd(each.T if across else each)[0][:, : VALUES["rank"]] for each in (left, right)]
            shared = float((bases[0].T @ bases[1]).square().sum()) / VALUES["rank"]
            assert getattr(one, name) == pytest.approx(shared, abs=1e-4)
            assert getattr(one, chance) == VALUES["rank"] / len(bases[0])
    same = interference(base, (several[0], replace(several[0], id="again")))
    assert {(round(one.cosine or 0, 6), round(one.rows or 0, 6), round(one.columns or 0, 6)) for one in same} == {(1, 1, 1)}


def test_saved_plain_peft_loads_it_with_the_same_answer(tmp_path: Path) -> None:
    base = base_of("llama")
    mix = mixed(base, Mix(pair(), WEIGHTS, "ties_svd", rank=2))
    adapters.save(replace(mix, id="mix", name="pirate 1 + json"), tmp_path / "mix")
    again = PeftModel.from_pretrained(copy.deepcopy(base.model), tmp_path / "mix").eval()
    assert torch.allclose(logits(again), logits(model_of(base, mix)), atol=1e-5)
    told = adapters.read(tmp_path / "mix").record
    assert told.mix == {
        "adapters": [
            {"id": "lora-1", "name": "", "task": "pirate", "weight": 0.75},
            {"id": "lora-2", "name": "", "task": "pirate", "weight": -0.5},
        ],
        "rule": "ties_svd", "rank": 2, "density": 0.5, "majority_sign": "total",
    }  # fmt: skip
    assert told.trainable_parameters == sum(tensor.numel() for tensor in mix.tensors.values())
    whole = again.get_nb_trainable_parameters()[1]
    assert told.total_parameters == whole


def test_a_mix_of_qlora_adapters_runs_on_their_base() -> None:
    several = made("llama", 1, "qlora"), made("llama", 2, "qlora")
    mix = mixed(base_of("llama"), Mix(several, (1.0, 1.0)))
    used = {Variant.of("tiny-llama", one).base for one in (*several, mix)}
    assert used == {"tiny-llama:nf4_double"}


def test_of_few_outputs_an_svd_keeps_what_there_is() -> None:
    base = base_of("llama")
    most = mixed(base, Mix(pair(), (1.0, 1.0), "svd", rank=100))
    assert model_of(base, most) is not None
    assert distance(base, Mix(pair(), (1.0, 1.0)), most) < 1e-5


REFUSED: list[tuple[str, Any]] = [
    ("mix_count", lambda: Mix(pair()[:1], (1.0,))),
    ("mix_count", lambda: Mix(tuple(made("llama", seed) for seed in range(5)), (1.0,) * 5)),
    ("mix_weights", lambda: Mix(pair(), (1.0,))),
    ("mix_twice", lambda: Mix((pair()[0],) * 2, (1.0, 1.0))),
    ("mix_method", lambda: Mix((pair()[0], made("llama", 4, "prompt_tuning")), (1.0, 1.0))),
    ("mix_method", lambda: Mix((made("llama", 4, "ia3"), pair()[0]), (1.0, 1.0))),
    ("mix_dora", lambda: Mix((pair()[0], made("llama", 4, dora=True)), (1.0, 1.0))),
    ("mix_biases", lambda: Mix((pair()[0], made("llama", 4, bias="lora_only")), (1.0, 1.0))),
    ("mix_bases", lambda: Mix((pair()[0], pair("qwen2")[1]), (1.0, 1.0))),
    ("mix_bases", lambda: Mix((pair()[0], made("llama", 4, "qlora")), (1.0, 1.0))),
    ("mix_modules", lambda: Mix((pair()[0], made("llama", 4, targets="query_value")), (1.0, 1.0))),
    ("mix_ranks", lambda: Mix((pair()[0], made("llama", 4, rank=2)), (1.0, 1.0), "linear")),
    ("out_of_range", lambda: Mix(pair(), (1.0, 2.5))),
    ("out_of_range", lambda: Mix(pair(), (1.0, 1.0), "ties", density=0.0)),
    ("out_of_range", lambda: Mix(pair(), (1.0, 1.0), "svd", rank=0)),
    ("not_a_choice", lambda: Mix(pair(), (1.0, 1.0), "median")),
]


@pytest.mark.parametrize(("key", "mix"), REFUSED)
def test_what_cannot_be_mixed_is_a_sentence(key: str, mix: Any) -> None:
    with pytest.raises(PlaygroundError) as refused:
        mixed(base_of("llama"), mix())
    assert refused.value.key == key
    assert all(refused.value.message(language) for language in ("en", "es"))
