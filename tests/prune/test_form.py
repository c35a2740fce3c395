"""
A pruned base as a base: found by its id, rounded afterwards, adapted, healed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import playground.actions  # noqa: F401  it says how a base is pruned
from playground.adapt.fitting import misfits
from playground.adapt.methods import METHODS
from playground.adapt.tasks import Task, encode
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.errors import PlaygroundError
from playground.model.bases import BASES, Base
from playground.model.catalogue import in_floats
from playground.model.checksum import checksum
from playground.model.memory import STORE
from playground.model.modules import linear_layers
from playground.model.pruning import Pruning
from playground.model.weights import is_quantized, weight_of
from playground.prune.healing import DistillationJob, distill, distillation_loss
from playground.prune.prune import prune
from playground.train.evaluation import response_loss, sample_answers
from playground.train.job import Ended, Evaluation, Step, TrainingJob
from playground.train.pauses import finished
from playground.train.training import train
from tests.conftest import load_tiny
from tests.families import logits, tiny_base, tiny_model

HALF = "tiny-llama:width-50-max_min"  # 64 neurons are left


@pytest.fixture
def plain(loaded: Callable[[Base], Base]) -> Base:
    return loaded(tiny_base("llama"))


def test_what_is_not_pruned_is_the_base_itself(plain: Base) -> None:
    assert BASES.get("tiny-llama") is plain


def test_a_pruned_base_is_made_once_and_goes_with_its_plain_one(plain: Base) -> None:
    found = BASES.get(HALF)
    assert found is BASES.get(HALF)
    assert (found.id, found.spec) == (HALF, plain.spec)
    assert found.architecture.parameters == plain.architecture.parameters - 2 * 64 * 3 * 64
    assert {one.inputs for one in found.architecture.linears if one.role == "down_proj"} == {64}
    assert torch.equal(logits(found.model), logits(prune(plain.model, Pruning("width", 0.5, "max_min")).model))
    assert found.untouched()
    assert plain.untouched()
    assert STORE.held_of(plain) == sum(
        weight_of(found.model, path).nbytes for path in linear_layers(found.model) if "mlp" in path
    )
    STORE.forget(plain)
    assert not STORE.holds(HALF)


@pytest.mark.parametrize("kind", ["width-50-activation", "depth-50-cosine", "bypass-50-cosine", "sparse-50-wanda"])
def test_a_rule_that_reads_has_its_text(plain: Base, kind: str) -> None:
    found = BASES.get(f"tiny-llama:{kind}")
    assert logits(found.model).isfinite().all()
    assert not torch.equal(logits(found.model), logits(plain.model))
    assert plain.untouched()


def test_pruned_then_rounded_is_the_round_trip_of_what_is_left(plain: Base) -> None:
    from playground.formats.registry import format_of

    found, left = BASES.get(f"{HALF}:bfloat16"), BASES.get(HALF)
    for path in linear_layers(left.model):
        expected = format_of("bfloat16").round_trip(weight_of(left.model, path)).values
        assert torch.equal(weight_of(found.model, path), expected)
    assert left.untouched()


@pytest.mark.parametrize("name", ["nf4", "nf4_double", "int8_vectorwise"])
def test_pruned_then_held_by_bitsandbytes(plain: Base, name: str) -> None:
    found, left = BASES.get(f"{HALF}:{name}"), BASES.get(HALF)
    assert all(is_quantized(layer.weight) for layer in linear_layers(found.model).values())
    far = (logits(found.model) - logits(left.model)).norm() / logits(left.model).norm()
    assert 0 < far < 0.5
    assert left.untouched()
    with pytest.raises(PlaygroundError) as error:
        prune(found.model, Pruning())
    assert error.value.key == "prune_first"


def test_a_form_of_a_loaded_base_is_what_is_loaded_in_that_form(tiny: Base) -> None:
    from playground.model.forms import in_form

    for name in ("int8_vectorwise", "float8_e4m3"):
        made, read = in_form(tiny, name), load_tiny(tiny, f"tiny:{name}")
        assert torch.equal(logits(made.model), logits(read.model))


@pytest.mark.parametrize("name", ["nf4", "nf4_double", "fp4"])
def test_what_is_held_in_four_bits_keeps_whole_blocks_of_neurons(plain: Base, name: str) -> None:
    """bitsandbytes reads rows that are no multiple of its block wrong on a CPU: 103 of 128 neurons would stay."""
    found, left = BASES.get(f"tiny-llama:width-20-max_min:{name}"), BASES.get("tiny-llama:width-20-max_min")
    assert {one.inputs for one in left.architecture.linears if one.role == "down_proj"} == {103}
    assert {one.inputs for one in found.architecture.linears if one.role == "down_proj"} == {128}
    assert in_floats(found.id) == "tiny-llama:width-20-max_min-64"
    assert BASES.get("tiny-llama:width-60-l1:nf4").architecture == BASES.get("tiny-llama:width-50-l1").architecture
    far = (logits(found.model) - logits(BASES.get(in_floats(found.id)).model)).norm() / logits(found.model).norm()
    assert 0 < far < 0.5
    assert in_floats("tiny-llama:width-20-max_min:int8") == "tiny-llama:width-20-max_min"


def test_a_form_that_reads_whole_blocks_refuses_others(plain: Base) -> None:
    from playground.model.forms import in_form

    with pytest.raises(PlaygroundError) as error:
        in_form(BASES.get("tiny-llama:width-20-max_min"), "nf4")
    assert error.value.key == "not_in_blocks"
    assert "103" in str(error.value)


@pytest.mark.parametrize(
    ("wanted", "used"),
    [
        ("tiny-llama", HALF),
        ("tiny-llama:nf4", f"{HALF}:nf4"),
        (HALF, HALF),
        (f"{HALF}:int8", f"{HALF}:int8"),
    ],
)
def test_an_adapter_of_a_pruned_base_runs_on_what_was_left(plain: Base, small_task: Task, wanted: str, used: str) -> None:
    *_, ended = train(TrainingJob(HALF, "lora", small_task, {}, 1), BASES.get)
    assert isinstance(ended, Ended)
    assert Variant.of(wanted, ended.adapter).base == used


def test_adapters_of_the_whole_base_and_of_other_prunings_are_refused_on_a_pruned_one(plain: Base, small_task: Task) -> None:
    for made_for, wanted in (("tiny-llama", HALF), (HALF, "tiny-llama:depth-50-last")):
        *_, ended = train(TrainingJob(made_for, "ia3", small_task, {}, 1), BASES.get)
        assert isinstance(ended, Ended)
        with pytest.raises(PlaygroundError) as error:
            Variant.of(wanted, ended.adapter)
        assert error.value.key == "other_base"


def test_qlora_and_loftq_stand_on_what_was_left(plain: Base, small_task: Task) -> None:
    """LoftQ begins with what rounding took: it reads the same neurons as floats."""
    job = TrainingJob(HALF, "qlora", small_task, {"initialization": "loftq"}, 2)
    *_, ended = train(job, BASES.get)
    assert isinstance(ended, Ended)
    assert ended.adapter.record.base == HALF
    assert Variant.of("tiny-llama", ended.adapter).base == f"{HALF}:nf4_double"
    assert METHODS["qlora"].base_id(f"{HALF}:int8", {"double_quantization": False}) == f"{HALF}:nf4"


def test_full_fine_tuning_may_have_a_pruned_base_but_none_in_fewer_bits(plain: Base) -> None:
    architecture = BASES.get(HALF).architecture
    assert "full_fine_tuning" not in misfits(HALF, architecture)
    assert misfits(f"{HALF}:nf4", architecture)["full_fine_tuning"].key == "full_quantized"
    assert misfits(f"{HALF}:nf4", architecture)["bitfit"].key == "method_not_quantized"


def test_a_pruned_base_answers_as_a_pane_beside_the_whole_one(plain: Base) -> None:
    variants = tuple(Variant(one) for one in ("tiny-llama", HALF, f"{HALF}:nf4", "tiny-llama:depth-50-last"))
    *_, frame = compare(CompareJob("tiny-llama", "hi", variants, Decoding(max_new_tokens=4)), BASES.get)
    assert [pane.adapter for pane in frame.panes] == [
        "base",
        "base:width-50-max_min",
        "base:width-50-max_min:nf4",
        "base:depth-50-last",
    ]
    assert all(pane.finished for pane in frame.panes)
    for pane, variant in zip(frame.panes[1:2], variants[1:2], strict=True):
        alone = finished(sample_answers(BASES.get(variant.base).view(), BASES.get(variant.base), ("hi",)))
        assert alone[0].startswith(pane.text.strip())
    assert plain.untouched()
    assert [pane.summary["total_parameters"] for pane in frame.panes[:2]] == [
        BASES.get(one).architecture.parameters for one in ("tiny-llama", HALF)
    ]


def test_an_unknown_base_is_refused() -> None:
    with pytest.raises(PlaygroundError) as error:
        BASES.get("nobody:width-20-max_min")
    assert error.value.key == "unknown_base"


def test_many_answers_are_written_past_a_bypassed_attention(loaded: Callable[[Base], Base]) -> None:
    """As by the base whose attention writes nothing: its cache tells of every layer how much was read."""
    base = tiny_base("llama")
    with torch.no_grad():
        base.model.get_submodule("model.layers.0.self_attn.o_proj").weight.zero_()
    loaded(base)
    found, questions = BASES.get("tiny-llama:bypass-50-cosine"), ("hi", "what is that, and why?", "what?")
    assert not list(found.model.get_submodule("model.layers.0.self_attn").parameters())
    expected = finished(sample_answers(base.view(), base, questions))
    assert finished(sample_answers(found.view(), found, questions)) == expected


# Healing


def test_a_lora_is_trained_on_a_pruned_base_as_on_any(plain: Base, small_task: Task) -> None:
    before = checksum(plain.model)
    job = TrainingJob(HALF, "lora", small_task, {"learning_rate": 1e-2, "targets": "all_linear"}, 8)
    *events, ended = train(job, BASES.get)
    losses = [one.held_out_loss for one in events if isinstance(one, Evaluation)]
    assert losses[-1] < losses[0]
    assert isinstance(ended, Ended)
    assert ended.adapter.record.base == HALF
    assert (
        ended.adapter.record.total_parameters
        == BASES.get(HALF).architecture.parameters + ended.adapter.record.trainable_parameters
    )
    assert checksum(plain.model) == before
    assert BASES.get(HALF).untouched()


def encoded(base: Base, task: Task) -> Any:
    return [encode(base.tokenizer, example) for example in task.train]


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_loss_is_its_formula(plain: Base, small_task: Task, temperature: float) -> None:
    batch, student = encoded(plain, small_task)[:1], tiny_model("qwen2")
    ids, labels = batch[0]
    with torch.no_grad():
        ours, theirs = (one(torch.tensor([ids])).logits[0, :-1].double() for one in (student, plain.model))
        answers = torch.tensor(labels[1:]) >= 0
        p, q = (torch.softmax(one[answers] / temperature, -1) for one in (theirs, ours))
        divergence = (p * (p / q).log()).sum(-1).mean()
        own = response_loss(student, batch, 0)
        found = distillation_loss(plain.model, temperature, 0.25, student, batch, 0)
    torch.testing.assert_close(float(found), float(0.25 * temperature**2 * divergence + 0.75 * own), rtol=1e-4, atol=1e-5)


def test_distilling_the_whole_model_into_itself_has_nothing_to_learn(plain: Base, small_task: Task) -> None:
    loss = distillation_loss(plain.model, 2.0, 1.0, plain.model, encoded(plain, small_task), 0)
    assert abs(float(loss)) < 1e-5


def test_a_healed_model_answers_more_like_the_whole_one(plain: Base, small_task: Task) -> None:
    training = TrainingJob(HALF, "lora", small_task, {"learning_rate": 1e-2, "targets": "all_linear"}, 12)
    losses = [one.loss for one in distill(DistillationJob(training, soft=1.0)) if isinstance(one, Step)]
    assert losses[-1] < losses[0] / 2
    assert plain.untouched()
    assert BASES.get(HALF).untouched()


def test_without_a_soft_part_it_is_the_training(plain: Base, small_task: Task) -> None:
    training = TrainingJob(HALF, "lora", small_task, {}, 2)
    (*_, one), (*_, other) = distill(DistillationJob(training, soft=0.0)), train(training, BASES.get)
    assert all(torch.equal(one.adapter.tensors[name], other.adapter.tensors[name]) for name in one.adapter.tensors)


@pytest.mark.parametrize(
    ("base", "changed", "key"),
    [
        ("tiny-llama", {}, "nothing_to_heal"),
        (HALF, {"temperature": 0.1}, "out_of_range"),
        (HALF, {"soft": 2.0}, "out_of_range"),
    ],
)
def test_what_cannot_be_healed_is_refused(plain: Base, small_task: Task, base: str, changed: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        next(distill(DistillationJob(TrainingJob(base, "lora", small_task), **changed)))
    assert error.value.key == key
