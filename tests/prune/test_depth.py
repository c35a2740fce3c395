"""
Layers and attentions left out.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from playground.errors import PlaygroundError
from playground.model.pruning import Pruning
from playground.prune import importance
from playground.prune.prune import prune
from tests.conftest import tiny_tokenizer
from tests.families import GATED, logits, tiny_model
from tests.kinds import model_of_kind
from tests.prune.conftest import silence
from tests.prune.test_width import LLAMA_1B


@pytest.fixture
def five() -> Any:
    """A tiny Llama of five layers, the second and fourth of which do nothing."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=258, **{**GATED, "num_hidden_layers": 5})).eval().requires_grad_(False)
    for place in (1, 3):
        silence(model.model.layers[place])
    return model


def test_layers_that_do_nothing_go_first(five: Any, text: list[torch.Tensor]) -> None:
    found = prune(five, Pruning("depth", 0.4, "cosine"), text)
    assert found.kept == (0, 2, 4)
    assert found.model.config.num_hidden_layers == 3
    assert torch.equal(logits(found.model), logits(five))
    assert len(five.model.layers) == five.config.num_hidden_layers == 5


def test_the_last_ones_go(five: Any) -> None:
    found = prune(five, Pruning("depth", 0.4, "last"))
    assert found.kept == (0, 1, 2)
    with torch.no_grad():
        ids = torch.tensor([[72, 101, 108, 108, 111, 33, 7]])
        states = five(ids, output_hidden_states=True).hidden_states[3]
        expected = five.lm_head(five.model.norm(states))[0]
    torch.testing.assert_close(logits(found.model), expected)


def test_the_course_s_count_of_three_layers_of_llama_3_2_1b() -> None:
    """Chapter 6_5: the last 3 of 16, 1,053,349,888 left (14.76 % fewer)."""
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**LLAMA_1B))
    assert prune(model, Pruning("depth", 3 / 16, "last")).parameters == 1_053_349_888


def test_the_measure_is_one_minus_the_cosine(five: Any, text: list[torch.Tensor]) -> None:
    changes = importance.layers(five, text)
    assert changes[[1, 3]].abs().max() < 1e-12
    with torch.no_grad():
        states = [
            torch.cat(one)
            for one in zip(*(five(w[None], output_hidden_states=True).hidden_states for w in text), strict=True)
        ]
    expected = (1 - torch.cosine_similarity(states[2].double(), states[3].double(), dim=-1)).mean()
    torch.testing.assert_close(changes[2], expected)


def test_a_shorter_model_writes_on_from_its_cache(five: Any, text: list[torch.Tensor]) -> None:
    model = prune(five, Pruning("depth", 0.4, "cosine"), text).model
    goes_on(model)


def test_what_a_config_tells_of_each_layer_is_told_of_those_that_stay(text: list[torch.Tensor]) -> None:
    model = model_of_kind("gemma2", tiny_tokenizer())
    silence(model.model.layers[0])
    kinds = model.config.layer_types
    assert len(set(kinds)) == 2
    found = prune(model, Pruning("depth", 0.5, "cosine"), text)
    assert found.model.config.layer_types == kinds[1:]
    assert model.config.layer_types == kinds
    goes_on(found.model)


@pytest.mark.parametrize("kind", ["gpt2", "bloom", "gpt-neox", "opt"])
def test_families_without_a_gate_are_shortened_too(kind: str) -> None:
    model = model_of_kind(kind, tiny_tokenizer())
    found = prune(model, Pruning("depth", 0.5, "last"))
    assert found.kept == (0,)
    goes_on(found.model)


# Attention


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma2", "olmo2", "cohere", "granite"])
def test_an_attention_that_adds_nothing_goes_first(kind: str, text: list[torch.Tensor]) -> None:
    model = model_of_kind(kind, tiny_tokenizer())
    with torch.no_grad():
        model.model.layers[1].self_attn.o_proj.weight.zero_()
    changes = importance.attentions(model, text)
    assert changes[1].abs() < 1e-9
    assert changes[0] > 1e-6
    found = prune(model, Pruning("bypass", 0.5, "cosine"), text)
    assert found.kept == (0,)
    torch.testing.assert_close(logits(found.model), logits(model))
    gone = sum(one.numel() for one in model.model.layers[1].self_attn.parameters())
    assert found.parameters == sum(one.numel() for one in model.parameters()) - gone


def test_around_attention_is_before_and_after_it_was_added(text: list[torch.Tensor]) -> None:
    """As it is computed by hand, also where the family norms the attention's output before."""
    model = model_of_kind("gemma2", tiny_tokenizer())
    layer, seen = model.model.layers[0], dict[str, torch.Tensor]()
    layer.register_forward_pre_hook(lambda one, given: seen.update(before=given[0]))
    layer.pre_feedforward_layernorm.register_forward_pre_hook(lambda one, given: seen.update(after=given[0]))
    with torch.no_grad():
        model(text[0][None])
    expected = (1 - torch.cosine_similarity(seen["before"].double(), seen["after"].double(), dim=-1)).mean()
    torch.testing.assert_close(importance.attentions(model, text[:1])[0], expected)


def test_a_bypassed_first_layer_still_counts_what_was_read() -> None:
    model: Any = tiny_model("llama")
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
    found = prune(model, Pruning("bypass", 0.5, "cosine"), [torch.arange(1, 20)])
    assert found.kept == (1,)
    goes_on(found.model)


def goes_on(model: Any) -> None:
    """Read at once, and the last token behind a cache of the others: the same."""
    ids = torch.tensor([[72, 101, 108, 108, 111, 33, 7]])
    with torch.no_grad():
        whole = model(ids).logits[:, -1]
        cache = model(ids[:, :-1], use_cache=True).past_key_values
        step = model(ids[:, -1:], past_key_values=cache, use_cache=True).logits[:, -1]
    torch.testing.assert_close(step, whole, rtol=1e-4, atol=1e-4)


# Files


@pytest.mark.parametrize("pruning", ["width-25-max_min", "depth-50-last", "sparse-50-magnitude", "pattern-50-magnitude"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma2", "smollm3"])
def test_plain_transformers_loads_what_was_saved(pruning: str, kind: str, tmp_path: Any) -> None:
    found = prune(model_of_kind(kind, tiny_tokenizer()), Pruning.parse(pruning))
    found.save(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert torch.equal(logits(again), logits(found.model))
    assert sum(one.numel() for one in again.parameters()) == found.parameters
    weights = sum(file.stat().st_size for file in tmp_path.glob("*.safetensors"))
    assert found.bytes <= weights < found.bytes + 20_000  # and a header


def test_what_has_no_config_says_so(tmp_path: Any) -> None:
    found = prune(tiny_model("llama"), Pruning("bypass", 0.5, "last"))
    with pytest.raises(PlaygroundError) as error:
        found.save(tmp_path)
    assert error.value.key == "pruned_not_saved"
    assert not list(tmp_path.iterdir())
