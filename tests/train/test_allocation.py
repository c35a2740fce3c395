"""AdaLoRA's part of a step is PEFT's own: its penalty, its budget, and what a run that was paused knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.methods import METHODS
from playground.adapt.ranks_left import as_lora, with_all_ranks
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.lowrank.convert import AsLora
from playground.lowrank.edits import Edit
from playground.lowrank.findings import ranks_of
from playground.lowrank.updates import rank_of, updates
from playground.model.bases import Base
from playground.train import allocation
from playground.train.job import TrainingJob
from playground.train.trainable import wrap
from playground.train.training import train
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base  # noqa: F401

TASK = Task("pirate", tuple(Example(f"say {n}", f"aye {n}") for n in range(6)), (Example("say 7", "aye 7"),))
VALUES = {"rank": 2, "initial_rank": 4, "learning_rate": 0.05}
ADALORA = METHODS["adalora"]


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("llama")


@pytest.fixture(scope="module")
def made(base: Base) -> Adapter:
    """Twelve steps, looked at after each quarter: ranks are taken away from the third to the sixth."""
    *_, ended = train(TrainingJob(base.id, "adalora", TASK, VALUES, 12, 1), lambda base_id: base)
    return ended.adapter


def ranks(tensors: Any) -> list[int]:
    """How many singular values each layer has."""
    return [int(one.count_nonzero()) for name, one in tensors.items() if name.endswith(".lora_E")]


def test_the_penalty_is_what_peft_adds_to_its_own_loss(base: Base) -> None:
    model: Any = wrap(base, ADALORA, ADALORA.complete(VALUES))[0]
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    ids = torch.tensor([[72, 101, 108, 108, 111]])
    whole, plain = (one(input_ids=ids, labels=ids).loss for one in (model, model.get_base_model()))
    penalty = allocation.penalty(model)
    assert penalty is not None
    torch.testing.assert_close(penalty, whole - plain)
    allocation.penalize(model)
    of_both = torch.autograd.grad(whole - plain, factors := [one for one in model.parameters() if one.grad is not None])
    for parameter, gradient in zip(factors, of_both, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("method_id", ["lora", "full_fine_tuning", "prompt_tuning"])
def test_other_methods_have_none(base: Base, method_id: str) -> None:
    chosen = METHODS[method_id]
    model = wrap(base, chosen, chosen.complete({}))[0]
    allocation.penalize(model)
    allocation.allocate(model, 1)
    assert allocation.penalty(model) is None
    assert allocation.kept(model) == {}
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 7, 13])
def test_also_a_short_run_ends_at_its_target(base: Base, steps: int) -> None:
    *_, ended = train(TrainingJob(base.id, "adalora", TASK, VALUES, steps, 1), lambda base_id: base)
    assert (ended.event, ended.step) == ("finished", steps)
    left = sum(ranks(ended.adapter.tensors))
    assert left == 2 * 4 if steps > 1 else 2 * 4 < left < 4 * 4  # four layers


def test_ranks_go_by_the_schedule_and_the_mean_of_what_is_left_is_the_target(made: Adapter) -> None:
    assert made.config is not None
    assert made.config["rank_pattern"] is None
    left = {one.step: ranks(one.tensors) for one in made.checkpoints}
    assert sum(ranks(made.tensors)) == sum(left[12]) == 2 * 4
    assert len(set(ranks(made.tensors))) > 1  # not the same for all
    shapes = [{name: tensor.shape for name, tensor in one.tensors.items()} for one in made.checkpoints]
    assert all(one == shapes[0] for one in shapes)


def test_a_step_without_gradients_takes_nothing_away_and_ends_nothing(base: Base) -> None:
    model: Any = wrap(base, ADALORA, ADALORA.complete(VALUES), 12)[0]
    allocation.allocate(model, 7)  # none of the steps before was one
    assert allocation.kept(model)["pattern"] is None


def test_no_rank_is_left_to_be_taken_away_is_said_with_both_numbers(base: Base) -> None:
    with pytest.raises(PlaygroundError) as refused:
        ADALORA.trainable(base.architecture, {"rank": 8, "initial_rank": 8})
    assert (refused.value.key, refused.value.values) == ("initial_rank_low", {"initial": 8, "rank": 8})


@pytest.mark.parametrize("form", ["nf4", "int8_vectorwise"])
def test_over_packed_weights_it_is_trained_and_answers_and_that_it_is_not_merged_is_said(
    tiny_forms: Callable[[str], Base], form: str
) -> None:
    *_, ended = train(TrainingJob(f"tiny:{form}", "adalora", TASK, VALUES, 4, 1), tiny_forms)
    packed, variant = tiny_forms(f"tiny:{form}"), Variant(f"tiny:{form}", ended.adapter)
    assert not torch.equal(logits(attach(packed, variant).model), logits(attach(packed, Variant(packed.id)).model))
    with pytest.raises(PlaygroundError) as refused:
        attach(packed, replace(variant, merged=True))
    assert refused.value.key == "not_mergeable"


def test_as_lora_it_computes_the_same_and_the_lab_cuts_weakens_and_converts_that(base: Base, made: Adapter) -> None:
    whole = logits(model_of(base, made))
    plain = as_lora(made)
    assert plain.config is not None
    torch.testing.assert_close(logits(model_of(base, plain)), whole, rtol=1e-4, atol=1e-5)
    assert as_lora(plain) is plain
    for alpha in (0, -4.0):  # PEFT takes the initial rank instead
        odd = replace(made, config={**(made.config or {}), "lora_alpha": alpha})
        torch.testing.assert_close(logits(model_of(base, as_lora(odd))), logits(model_of(base, odd)), rtol=1e-4, atol=1e-5)
    changed, weights = updates(base, made), dict(base.model.named_parameters())
    merged = dict(model_of(base, made, merged=True).named_parameters())
    for module, one in changed.items():
        weight = weights[f"{module}.weight"]
        torch.testing.assert_close(one.delta(weight), merged[f"{module}.weight"] - weight, rtol=1e-4, atol=1e-6)
        cut = Edit(rank=1, strength=0.5).applied(base, made)
        assert updates(base, cut)[module].norm(weight) == pytest.approx(0.5 * float(one.factors.svd.s[0]), rel=1e-4)
    assert Edit(strength=0.5).applied(base, made).record.trainable_parameters == made.record.trainable_parameters
    assert Edit(rank=1).applied(base, made).record.trainable_parameters * 4 == made.record.trainable_parameters
    torch.testing.assert_close(logits(model_of(base, Edit(strength=0.0).applied(base, made))), logits(base.model))
    converted = AsLora(rank_of(made)).applied(base, made)
    torch.testing.assert_close(logits(model_of(base, converted)), whole, rtol=1e-3, atol=1e-4)
    assert all(one.energy_rank <= left for one, left in zip(ranks_of(base, made).values(), ranks(made.tensors), strict=True))


WRONG = {
    "too few": [True, False],
    "too many": [True] * 4 + [False] * 4,
    "not as many as there are": [True, True, True, False],
}


@pytest.mark.parametrize("left", WRONG.values(), ids=WRONG)
def test_a_pattern_that_does_not_fit_its_tensors_is_refused(base: Base, made: Adapter, left: list[bool]) -> None:
    name = next(name for name in made.tensors if name.endswith(".lora_E"))
    config = {"init_r": 4, "rank_pattern": {name.removeprefix("base_model.model."): left}}
    for pattern in (config, replace_key(config, "model.layers.9.lora_E")):
        with pytest.raises(PlaygroundError) as refused:
            with_all_ranks(base, pattern, made.tensors)
        assert refused.value.key == "does_not_fit"


def replace_key(config: dict[str, Any], name: str) -> dict[str, Any]:
    return {**config, "rank_pattern": {name: next(iter(config["rank_pattern"].values()))}}
