"""Measuring: losses and scores are what a straightforward computation, one example at a time, gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from playground import settings
from playground.adapt.adapters import Adapter
from playground.adapt.tasks import SCORES, Example, Task, encode, prompt_ids
from playground.errors import PlaygroundError
from playground.lowrank.edits import Edit
from playground.lowrank.sweep import SweepJob, sweep
from playground.model.bases import Base
from playground.train.batches import by_length
from playground.train.evaluation import EvaluateJob, Report, Score, answers, evaluate, held_out_loss
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.conftest import model_of

GetBase = Callable[[str], Base]
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
EXAMPLES = tuple(
    Example(f"say {word}" * (1 + number % 3), f"{word}, ahoy!" * (1 + number % 2)) for number, word in enumerate(WORDS)
)
TASK = Task("pirate", EXAMPLES, EXAMPLES)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"learning_rate": 0.1}),
    "ia3": ("ia3", {"learning_rate": 1.0}),
    "prompt": ("prompt_tuning", {"learning_rate": 1.0, "virtual_tokens": 6}),
    "full": ("full_fine_tuning", {"learning_rate": 1e-2}),
    "few_shot": ("few_shot", {"examples": 3}),
    "qlora": ("qlora", {"learning_rate": 0.1}),
}
every_model = pytest.mark.parametrize("variant", [None, "lora", "ia3", "prompt", "full"])


@pytest.fixture(scope="module")
def adapter(tiny_forms: GetBase) -> Callable[[str | None], Adapter | None]:
    """The adapter of a variant, trained once; None gives None."""

    def learn(variant: str) -> Adapter:
        name, values = VARIANTS[variant]
        *_, ended = train(TrainingJob("tiny", name, dataclasses.replace(TASK, held_out=EXAMPLES[:2]), values, 4), tiny_forms)
        return ended.adapter

    return cache(lambda variant: learn(variant) if variant else None)


def shots_of(adapter: Adapter | None) -> list[Example]:
    return [Example(*shot) for shot in adapter.record.shots] if adapter else []


def encoded(base: Base, examples: Sequence[Example] = EXAMPLES) -> list[tuple[list[int], list[int]]]:
    return [encode(base.tokenizer, example) for example in examples]


@torch.no_grad()
def slow_loss(model: nn.Module, base: Base, examples: Sequence[Example] = EXAMPLES, shots: Sequence[Example] = ()) -> float:
    """One example at a time, no padding, every logit computed: the mean over all response tokens."""
    losses: list[float] = []
    for example in examples:
        prompt = prompt_ids(base.tokenizer, example.prompt, shots)
        response = base.tokenizer(example.response)["input_ids"] + [base.tokenizer.eos_token_id]
        ids = torch.tensor([prompt + response])
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        before_response = logits[-len(response) - 1 : -1]
        losses += functional.cross_entropy(before_response.double(), torch.tensor(response), reduction="none").tolist()
    return sum(losses) / len(losses)


@every_model
@pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
def test_held_out_loss_is_the_mean_over_all_response_tokens(
    tiny: Base, adapter: Callable, variant: str | None, batch_size: int
) -> None:
    model = model_of(tiny, adapter(variant))
    found = held_out_loss(model, encoded(tiny), tiny.tokenizer.pad_token_id, batch_size)
    assert found == pytest.approx(slow_loss(model, tiny), rel=1e-5)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_batches_hold_every_example_once_like_lengths_together(tiny: Base, size: int) -> None:
    rows = encoded(tiny)
    found = by_length(rows, size)
    assert sorted(row for batch in found for row in batch) == sorted(rows)
    lengths = [[len(ids) for ids, _ in batch] for batch in found]
    assert all(len(batch) == size for batch in lengths[:-1])
    assert all(max(one) <= min(other) for one, other in pairwise(lengths))


def test_held_out_loss_does_not_depend_on_the_order(tiny: Base) -> None:
    forth, back = (held_out_loss(tiny.model, rows, 0) for rows in (encoded(tiny), encoded(tiny)[::-1]))
    assert forth == pytest.approx(back, rel=1e-6)


def test_held_out_loss_ignores_dropout(tiny: Base, get_tiny: GetBase) -> None:
    values = {"learning_rate": 0.1, "dropout": 0.5}
    *_, ended = train(TrainingJob("tiny", "lora", TASK, values, 3), get_tiny)
    model = model_of(tiny, ended.adapter)
    expected = held_out_loss(model, encoded(tiny), 0)
    assert [held_out_loss(model.train(), encoded(tiny), 0) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("training", [True, False])
def test_measuring_keeps_the_mode_of_the_model(tiny: Base, training: bool) -> None:
    model = tiny.view().train(training)
    held_out_loss(model, encoded(tiny, EXAMPLES[:2]), 0)
    assert {module.training for module in model.modules()} == {training}
    answers(model, tiny, [prompt_ids(tiny.tokenizer, "say one")], 2)
    assert {module.training for module in model.modules()} == {training}


def test_measuring_leaves_no_gradients(tiny: Base) -> None:
    model = tiny.view()
    with torch.enable_grad():
        held_out_loss(model, encoded(tiny, EXAMPLES[:2]), 0)
        answers(model, tiny, [prompt_ids(tiny.tokenizer, "say one")], 2)
    assert all(parameter.grad is None for parameter in model.parameters())


@every_model
def test_answers_to_several_prompts_are_those_to_each_alone(tiny: Base, adapter: Callable, variant: str | None) -> None:
    model = model_of(tiny, adapter(variant))
    prompts = [prompt_ids(tiny.tokenizer, text) for text in ("a", "say one, please", "¿qué? " * 9)]
    together = answers(model, tiny, prompts, 12)
    for prompt, answer in zip(prompts, together, strict=True):
        ids = torch.tensor([prompt])
        options = {"do_sample": False, "pad_token_id": tiny.tokenizer.pad_token_id, "max_new_tokens": 12}
        written = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)[0, len(prompt) :]
        theirs = tiny.tokenizer.decode(written, skip_special_tokens=True)
        assert answer == theirs.rstrip("\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("variant", [None, *VARIANTS])
def test_a_report_is_the_scores_and_their_mean(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, variant: str | None
) -> None:
    *scores, report = evaluate(EvaluateJob("tiny", adapter(variant), TASK, 10), tiny_forms)
    assert isinstance(report, Report)
    assert all(isinstance(score, Score) for score in scores)
    assert report.scores == tuple(scores)
    assert [score.prompt for score in scores] == [example.prompt for example in TASK.held_out]
    own = [SCORES["pirate"](example, score.answer) for example, score in zip(TASK.held_out, scores, strict=True)]
    assert [score.score for score in scores] == own
    assert report.mean == pytest.approx(sum(own) / len(own))


def test_a_model_that_has_learned_the_task_scores_higher_than_the_base(tiny: Base, get_tiny: GetBase) -> None:
    *_, ended = train(TrainingJob("tiny", "full_fine_tuning", TASK, {"learning_rate": 1e-2}, 60), get_tiny)
    *_, base = evaluate(EvaluateJob("tiny", None, TASK), get_tiny)
    *_, tuned = evaluate(EvaluateJob("tiny", ended.adapter, TASK), get_tiny)
    assert tuned.mean > base.mean + 0.2
    assert tuned.held_out_loss < base.held_out_loss - 1


@pytest.mark.parametrize("variant", [None, *VARIANTS])
def test_a_report_answers_as_the_adapter_does(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, variant: str | None
) -> None:
    base = tiny_forms("tiny:nf4_double" if variant == "qlora" else "tiny")
    model, shots = model_of(base, adapter(variant)), shots_of(adapter(variant))
    *_, report = evaluate(EvaluateJob("tiny", adapter(variant), TASK, 10), tiny_forms)
    prompts = [prompt_ids(tiny.tokenizer, example.prompt, shots) for example in TASK.held_out]
    alone = [answers(model, tiny, [prompt], 10)[0] for prompt in prompts]
    assert [score.answer for score in report.scores] == alone
    assert report.held_out_loss == pytest.approx(slow_loss(model, tiny, shots=shots), rel=1e-5)


def test_examples_in_the_prompt_make_a_difference(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    assert len(shots_of(adapter("few_shot"))) == 3
    *_, shot = evaluate(EvaluateJob("tiny", adapter("few_shot"), TASK, 10), get_tiny)
    *_, plain = evaluate(EvaluateJob("tiny", None, TASK, 10), get_tiny)
    assert shot.held_out_loss != plain.held_out_loss
    assert [score.answer for score in shot.scores] != [score.answer for score in plain.scores]


def test_evaluating_changes_no_weight(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    for variant in VARIANTS:
        list(evaluate(EvaluateJob("tiny", adapter(variant), TASK, 2), tiny_forms))
    assert tiny.untouched()
    assert tiny_forms("tiny:nf4_double").untouched()


# Sweeps: an adapter under several edits


@torch.no_grad()
def slow_kl(model: nn.Module, base: Base, plain: nn.Module, examples: Sequence[Example] = EXAMPLES) -> float:
    """KL(model ‖ plain) in float64, one example at a time: the mean over all response tokens."""
    values = []
    for example in examples:
        prompt = prompt_ids(base.tokenizer, example.prompt)
        response = base.tokenizer(example.response)["input_ids"] + [base.tokenizer.eos_token_id]
        ids = torch.tensor([prompt + response])
        both = (one(input_ids=ids).logits[0, -len(response) - 1 : -1].double().log_softmax(-1) for one in (model, plain))
        here, there = both
        values += (here.exp() * (here - there)).sum(-1).tolist()
    return sum(values) / len(values)


def test_a_sweep_begins_with_the_base_and_adds_an_effect_each_time(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    edits = (Edit(rank=0), Edit(rank=3), Edit(rank=8), Edit(strength=-1.0))
    found = dict.fromkeys(sweep(SweepJob("tiny", adapter("lora"), edits, TASK), get_tiny))  # some come twice
    events = [event for event in found if event]
    plain = held_out_loss(tiny.view(), encoded(tiny), tiny.tokenizer.pad_token_id)
    assert [event.base_loss for event in events] == [pytest.approx(plain, rel=1e-6)] * 5
    assert [len(event.effects) for event in events] == [0, 1, 2, 3, 4]
    assert all(later.effects[:-1] == former.effects for former, later in pairwise(events))
    assert tuple(effect.edit for effect in events[-1].effects) == edits


def test_a_sweep_over_the_rank_goes_from_the_base_to_the_adapter(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    edits = tuple(Edit(rank=rank) for rank in (0, 8))
    *_, done = sweep(SweepJob("tiny", adapter("lora"), edits, TASK), get_tiny)
    nothing, whole = done.effects
    assert (nothing.held_out_loss, nothing.kl_from_base) == (done.base_loss, 0.0)
    model = model_of(tiny, adapter("lora"))
    expected = held_out_loss(model, encoded(tiny), tiny.tokenizer.pad_token_id)
    assert whole.held_out_loss == pytest.approx(expected, rel=1e-6)
    assert whole.held_out_loss < done.base_loss
    assert whole.kl_from_base == pytest.approx(slow_kl(model, tiny, tiny.model), rel=1e-4)
    assert whole.kl_from_base > 0.01


@pytest.mark.parametrize(
    ("variant", "edit"),
    [
        ("lora", Edit(rank=1)),
        ("lora", Edit(rank=4, strength=2.0, layers=(1, 1), kinds=("v_proj",))),
        ("ia3", Edit(strength=0.5)),
        ("ia3", Edit(strength=-1.0, layers=(0, 0))),
        ("full", Edit(strength=0.5)),
        ("qlora", Edit(rank=2)),
    ],
)
def test_every_effect_is_what_the_edited_adapter_alone_gives(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, variant: str, edit: Edit
) -> None:
    base = tiny_forms("tiny:nf4_double" if variant == "qlora" else "tiny")
    *_, done = sweep(SweepJob("tiny", adapter(variant), (Edit(strength=0.0), edit), TASK), tiny_forms)
    assert done.base_loss == pytest.approx(slow_loss(base.view().eval(), base), rel=1e-5)
    assert (done.effects[0].held_out_loss, done.effects[0].kl_from_base) == (done.base_loss, 0.0)
    model = model_of(base, adapter(variant), edit)
    assert done.effects[1].held_out_loss == pytest.approx(slow_loss(model, base), rel=1e-5)
    assert done.effects[1].kl_from_base == pytest.approx(slow_kl(model, base, base.view().eval()), rel=1e-3, abs=1e-6)
    assert base.untouched()


def test_a_sweep_uses_at_most_so_many_examples(
    tiny: Base, get_tiny: GetBase, adapter: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_SWEEP_EXAMPLES", 3)
    *_, done = sweep(SweepJob("tiny", adapter("lora"), (Edit(),), TASK), get_tiny)
    assert done.base_loss == pytest.approx(slow_loss(tiny.model, tiny, EXAMPLES[:3]), rel=1e-5)
    model = model_of(tiny, adapter("lora"))
    assert done.effects[0].held_out_loss == pytest.approx(slow_loss(model, tiny, EXAMPLES[:3]), rel=1e-5)
    assert done.effects[0].kl_from_base == pytest.approx(slow_kl(model, tiny, tiny.model, EXAMPLES[:3]), rel=1e-4)


def test_of_many_examples_the_first_sixteen_count(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    many = EXAMPLES + tuple(Example(example.prompt, f"{example.response}!") for example in EXAMPLES)
    *_, done = sweep(SweepJob("tiny", adapter("lora"), (), dataclasses.replace(TASK, held_out=many)), get_tiny)
    assert done.base_loss == pytest.approx(slow_loss(tiny.model, tiny, many[:16]), rel=1e-5)
    assert done.effects == ()


@pytest.mark.parametrize(
    ("variant", "edit", "key"),
    [
        ("lora", Edit(rank=9), "out_of_range"),
        ("lora", Edit(layers=(1, 0)), "layers_turned"),
        ("ia3", Edit(rank=1), "no_factors"),
        ("prompt", Edit(), "no_update"),
        ("few_shot", Edit(), "no_update"),
    ],
)
def test_a_sweep_with_one_senseless_edit_does_not_begin(
    tiny: Base, get_tiny: GetBase, adapter: Callable, variant: str, edit: Edit, key: str
) -> None:
    with pytest.raises(PlaygroundError) as refused:
        next(sweep(SweepJob("tiny", adapter(variant), (Edit(strength=0.5), edit), TASK), get_tiny))
    assert refused.value.key == key


def test_a_sweep_on_another_base_does_not_begin(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    with pytest.raises(PlaygroundError) as refused:
        next(sweep(SweepJob("smollm2-135m", adapter("lora"), (Edit(),), TASK), get_tiny))
    assert refused.value.key == "other_base"


def test_sweeping_changes_no_weight(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    before = {name: tensor.clone() for name, tensor in adapter("full").tensors.items()}
    for variant in ("lora", "ia3", "full"):
        list(sweep(SweepJob("tiny", adapter(variant), (Edit(strength=2.0), Edit(layers=(1, 1))), TASK), get_tiny))
    assert tiny.untouched()
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapter("full").tensors.items())
