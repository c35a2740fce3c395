"""A pane whose numbers overflow says so; the others finish, and nothing that is written as JSON is infinite or NaN."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from playground.adapt.adapters import Adapter
from playground.adapt.variant import Variant
from playground.compare import overflow
from playground.compare.comparison import compare
from playground.compare.decoding import Row
from playground.compare.job import CompareJob, Decoding, Frame
from playground.model.bases import Base
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.compare.test_comparison import PROMPT, TASK, VARIANTS

GetBase = Callable[[str], Base]
DECODINGS = {"greedy": Decoding(6), "sampled": Decoding(6, 0.8, 0.9, repetition_penalty=1.2, seed=3)}
both_decodings = pytest.mark.parametrize("decoding", DECODINGS.values(), ids=DECODINGS)
# Small tensors keep PEFT's norm of DoRA's rows finite: what PEFT computes then is no overflow
FACTORS = {
    "lora": (1e20, 3e38),
    "lora_all_linear": (1e20,),
    "ia3": (1e20, 3e38),
    "prompt_random": (1e20, 3e38),
    "full": (1e20, 3e38),
}


@pytest.fixture(scope="module")
def adapter(tiny_forms: GetBase) -> Callable[[str], Adapter]:
    def trained(variant: str) -> Adapter:
        method, values = VARIANTS[variant]
        return list(train(TrainingJob("tiny", method, TASK, values, 2), tiny_forms))[-1].adapter

    return cache(trained)


def times(adapter: Adapter, factor: float, part: str = "") -> Adapter:
    """An adapter whose tensors of one part are so much larger, as far as float32 goes."""
    largest = torch.finfo(torch.float32).max
    tensors = {
        name: (tensor.double() * factor).clamp(-largest, largest).float() if part in name else tensor
        for name, tensor in adapter.tensors.items()
    }
    return dataclasses.replace(adapter, id=f"{adapter.id}-large", loaded=tensors, folder=None, checkpoints=())


def compared(get_base: GetBase, decoding: Decoding, *panes: Adapter | None) -> Frame:
    variants = tuple(Variant.of("tiny", one) for one in panes)
    *frames, last = compare(CompareJob("tiny", PROMPT, variants, decoding), get_base)
    for frame in (*frames, last):
        json.dumps(frame.as_json(), allow_nan=False)
    return last


@both_decodings
@pytest.mark.parametrize(("variant", "factor"), [(name, one) for name, factors in FACTORS.items() for one in factors])
def test_only_the_pane_that_overflows_ends(
    tiny: Base, tiny_forms: GetBase, adapter: Callable[[str], Adapter], decoding: Decoding, variant: str, factor: float
) -> None:
    healthy = compared(tiny_forms, decoding, None, adapter("lora"), adapter("ia3")).panes
    *others, sick = compared(
        tiny_forms, decoding, None, adapter("lora"), adapter("ia3"), times(adapter(variant), factor)
    ).panes
    assert [(one.text, one.kl_from_base, one.finish_reason, one.top_tokens) for one in others] == [
        (one.text, one.kl_from_base, one.finish_reason, one.top_tokens) for one in healthy
    ]
    assert (sick.finished, sick.finish_reason, sick.text) == (True, "overflow", "")
    assert (sick.kl_from_base, sick.top_tokens, sick.first_divergence, sick.tokens_per_second) == (None, (), 0, None)
    assert tiny.untouched()


@pytest.mark.parametrize("kept", [0, overflow.KEPT])
def test_a_square_that_overflows_in_a_norm_is_one_too(
    tiny_forms: GetBase, adapter: Callable[[str], Adapter], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B alone times 10²⁰: the norms divide by infinity, and the logits are finite and mean nothing."""
    monkeypatch.setattr(overflow, "KEPT", kept)
    *_, sick = compared(tiny_forms, DECODINGS["greedy"], None, times(adapter("lora"), 1e20, "lora_B")).panes
    assert sick.finish_reason == "overflow"


def test_large_numbers_that_float32_holds_are_answered(tiny_forms: GetBase, adapter: Callable[[str], Adapter]) -> None:
    *_, large = compared(tiny_forms, DECODINGS["greedy"], None, times(adapter("lora"), 1e6, "lora_B")).panes
    assert large.finish_reason in ("stop", "length")
    assert large.kl_from_base is not None


@both_decodings
def test_an_answer_that_overflows_later_keeps_what_it_has_written(
    tiny: Base, tiny_forms: GetBase, adapter: Callable[[str], Adapter], decoding: Decoding
) -> None:
    """One token is by far the likeliest and has an embedding that is too large: read back, it overflows."""
    full, name, token = adapter("full"), "model.embed_tokens.weight", 65

    def with_embedding(sign: float) -> Adapter:
        embeddings = full.tensors[name].clone()  # which are the output head as well
        embeddings[token] *= sign * 1e21
        return dataclasses.replace(full, id=f"full{sign}", loaded={**full.tensors, name: embeddings}, checkpoints=())

    base, *both = compared(tiny_forms, decoding, None, with_embedding(1), with_embedding(-1)).panes
    (sick,) = (one for one in both if one.tokens == 1)  # with the other sign it is by far the unlikeliest
    assert (sick.text, sick.finish_reason) == (tiny.tokenizer.decode([token]), "overflow")
    assert len(sick.top_tokens) > 0
    assert sick.kl_from_base is not None
    assert base.text == compared(tiny_forms, decoding, None).panes[0].text


@both_decodings
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_row_ends_where_no_token_can_be_chosen(tiny: Base, decoding: Decoding, value: float) -> None:
    row = Row(tiny.model, tiny.tokenizer, [72], decoding)
    row.choose(torch.full((258,), value))
    assert (row.tokens, row.finish_reason) == ([], "overflow")


def test_a_base_that_overflows_leaves_the_others_without_divergence(tiny: Base, adapter: Callable[[str], Adapter]) -> None:
    sick: Any = dataclasses.replace(tiny, model=tiny.view())
    sick.model.model.norm.weight = torch.nn.Parameter(tiny.model.model.norm.weight * torch.inf, requires_grad=False)
    base, tuned = compared(lambda base_id: sick, DECODINGS["greedy"], None, adapter("full")).panes
    assert (base.finish_reason, tuned.finish_reason) == ("overflow", "length")
    assert (tuned.kl_from_base, base.top_tokens) == (None, ())
