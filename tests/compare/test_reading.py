"""What prompts to one model begin with is read once, and nobody's answer is another for it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from playground.adapt.tasks import Example, any_two, prompt_ids
from playground.adapt.variant import Variant
from playground.compare import reading
from playground.compare.decoding import Row
from playground.compare.job import CompareJob, Decoding
from playground.compare.reading import Opening, common, read
from playground.model.bases import Base
from playground.model.memory import STORE
from playground.train.evaluation import rows_of
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.compare.test_comparison import TASK
from tests.compare.test_routing import GATED, lora, prompt_tuning, view
from tests.compare.test_routing import tiny as family

IDS = [256, *range(100, 120)]
BEGINNING = IDS[:9]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each pass through a Llama reads."""
    found: list[int] = []
    forward = LlamaForCausalLM.forward

    def counting(self: Any, input_ids: Any = None, inputs_embeds: Any = None, **more: Any) -> Any:
        found.append((input_ids if input_ids is not None else inputs_embeds).shape[1])
        return forward(self, input_ids=input_ids, inputs_embeds=inputs_embeds, **more)

    monkeypatch.setattr(LlamaForCausalLM, "forward", counting)
    return found


@pytest.fixture
def few_shot(get_tiny: Callable[[str], Base]) -> Variant:
    *_, ended = train(TrainingJob("tiny", "few_shot", TASK, {"examples": 2}), get_tiny)
    return Variant.of("tiny", ended.adapter)


def asked(base: Base, variant: Variant, question: str) -> Row:
    row = Row.of(base, variant, CompareJob("tiny", question, (variant,), Decoding(2)))
    row.prefill()
    return row


def test_whoever_asks_a_variant_begins_where_the_first_one_did(tiny: Base, few_shot: Variant, passes: list[int]) -> None:
    base = dataclasses.replace(tiny)  # of which nothing has been read
    asked(base, Variant("tiny"), "warm up")
    for variant in (Variant("tiny"), few_shot):
        shots = [Example(*shot) for shot in variant.adapter.record.shots] if variant.adapter else []
        begins = common(any_two(base.tokenizer, shots))
        passes.clear()
        rows = [asked(base, variant, question) for question in ("Who is it?", "And you?", "A question that is longer.")]
        rests = [len(row.prompt) - len(begins) for row in rows]
        assert passes == ([len(begins)] if shots else []) + rests
        assert rows[1].prompt == prompt_ids(base.tokenizer, "And you?", shots)
        assert torch.equal(asked(base, variant, "Who is it?").logits, rows[0].logits)
        for row in rows:
            torch.testing.assert_close(row.logits, read(row.model, row.prompt).logits, rtol=0, atol=1e-4)


def test_what_is_kept_counts_and_goes_with_its_adapter(tiny: Base, few_shot: Variant) -> None:
    row, adapter = asked(tiny, few_shot, "Who?"), few_shot.adapter
    begins, cache = len(common(any_two(tiny.tokenizer, [Example(*shot) for shot in adapter.record.shots]))), row.cache
    entries = sum(one[..., :begins, :].numel() for layer in cache.layers for one in (layer.keys, layer.values))
    assert STORE.held_of(adapter) == 4 * entries
    STORE.forget(adapter)
    assert STORE.held_of(adapter) == 0


def test_two_questions_to_a_model_in_training_share_one_look(passes: list[int]) -> None:
    """And the next look begins anew, since every weight may be another by then."""
    model = lora(family("llama"))
    base: Any = dataclasses.make_dataclass("Named", [("tokenizer", Any)])(None)
    base.tokenizer = _Ends()
    prompts = [[*BEGINNING, 5, 6, 7], [*BEGINNING, 8, 9]]
    read(model, IDS, Opening(BEGINNING))  # whether it can be read so is known from here on
    for _ in range(2):
        passes.clear()
        rows = rows_of(model, base, prompts, 4)
        for row in rows:
            row.prefill()
        assert passes == [12, 2]  # the first one's opening is the second one's too
        for row in rows:
            torch.testing.assert_close(row.logits, read(model, row.prompt).logits, rtol=0, atol=1e-4)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1)


class _Ends:
    eos_token_id = 257


def test_behind_virtual_tokens_there_need_be_nothing_else_in_common(
    passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LEAST", 3)
    model, opening = prompt_tuning(family("llama")), Opening([])
    whole = read(model, IDS)
    for _ in range(2):
        found = read(model, IDS, opening)
        assert found.length == whole.length
        torch.testing.assert_close(found.logits, whole.logits, rtol=0, atol=1e-4)
    assert passes[-1] == len(IDS)


def test_an_opening_is_not_changed_by_those_who_go_on_from_it() -> None:
    model, opening = family("llama"), Opening(BEGINNING)
    read(model, IDS, opening)
    kept = opening.find()
    assert kept is not None
    before = copy.deepcopy(kept.cache)
    first, second = (read(model, [*BEGINNING, *more], opening) for more in ([3, 4], [7, 8, 9]))
    with torch.inference_mode():
        first.cache.layers[0].keys.zero_()
    for layer, own in zip(kept.cache.layers, before.layers, strict=True):
        assert torch.equal(layer.keys, own.keys)
        assert torch.equal(layer.values, own.values)
    assert torch.equal(read(model, [*BEGINNING, 7, 8, 9], opening).logits, second.logits)


@pytest.mark.parametrize("cut", [False, True])
def test_an_overflow_in_the_opening_is_everybodys(passes: list[int], cut: bool) -> None:
    """A square that overflows in a norm is divided away: what follows it is finite and means nothing."""
    model = view(family("llama"))
    sick, opening = model.get_input_embeddings().weight.clone(), Opening(BEGINNING, cut)
    read(model, IDS, Opening(BEGINNING))
    sick[BEGINNING[2]] *= 1e21
    model.get_input_embeddings().weight = nn.Parameter(sick, requires_grad=False)
    assert read(model, IDS).logits.isfinite().all()
    for more in ([3, 4, 5], [6, 7]):
        assert read(model, [*BEGINNING, *more], opening).overflows
    assert passes[-3:] == ([21, 12, 11] if cut else [9, 3, 2])  # what cannot be told from a whole prompt is not kept of it


@pytest.mark.parametrize("prompt", [[*IDS[:8], 1, 2, 3], BEGINNING, IDS[:4]])
def test_a_prompt_that_begins_otherwise_is_read_as_it_is(prompt: list[int], passes: list[int]) -> None:
    model, opening = family("llama"), Opening(BEGINNING)
    read(model, IDS, opening)
    passes.clear()
    found = read(model, prompt, opening)
    assert passes == [len(prompt)]
    assert torch.equal(found.logits, read(model, prompt).logits)


def apart(name: str) -> Any:
    """Models that would compute something else in two parts, or whose state is more than keys and values."""
    marks: dict[str, Any] = {"vocab_size": 258, "initializer_range": 0.3}
    if name == "dynamic":
        rope = {"rope_type": "dynamic", "rope_theta": 100.0, "factor": 4.0}
        config = AutoConfig.for_model("llama", **GATED, **marks, max_position_embeddings=14, rope_parameters=rope)
    else:
        config = AutoConfig.for_model("mamba", **marks, hidden_size=32, num_hidden_layers=2, state_size=4)
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["dynamic", "mamba"])
def test_where_two_parts_would_be_something_else_there_is_one(name: str) -> None:
    model, opening = apart(name), Opening(BEGINNING)
    assert torch.equal(read(model, IDS, opening).logits, read(model, IDS).logits)
    assert opening.find() is None


def test_int8_rounds_all_tokens_together_so_they_are_read_together(tiny_forms: Callable[[str], Base]) -> None:
    model, opening = tiny_forms("tiny:int8_vectorwise").model, Opening(BEGINNING)
    assert torch.equal(read(model, IDS, opening).logits, read(model, IDS).logits)
    assert opening.find() is None


@pytest.mark.parametrize("fault", ["raises", "forgets"])
def test_a_model_that_cannot_go_on_is_found_out(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = view(family("llama"))

    class Odd(LlamaForCausalLM):
        def forward(self, *args: Any, past_key_values: Any = None, **named: Any) -> Any:
            if past_key_values is not None and fault == "raises":
                raise ValueError("a prompt in one part, please")
            return super().forward(*args, **named)

    model.__class__ = Odd
    monkeypatch.setattr(reading, "_GOES_ON", {})
    whole = read(model, IDS)
    assert all(torch.equal(read(model, IDS, Opening(BEGINNING)).logits, whole.logits) for _ in range(2))
    assert list(reading._GOES_ON.values()) == [False]
