"""
Neurons left out: counts, what changes nothing, and the wrong way.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from playground.errors import PlaygroundError
from playground.model.checksum import checksum
from playground.model.pruning import Pruning
from playground.prune import importance
from playground.prune.prune import prune
from tests.conftest import tiny_tokenizer
from tests.families import logits, tiny_model
from tests.kinds import model_of_kind
from tests.prune.conftest import zero_neurons

RULES = ["l1", "max_min", "activation"]
DEAD = list(range(3, 128, 5))  # 25 of 128
LLAMA_1B = {
    "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 64, "tie_word_embeddings": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("share", "width", "left"),
    [(0.2, 6554, 1_074_792_448), (0.4, 8192 - 3276, 1_235_814_400 - 3276 * 3 * 2048 * 16)],
)
def test_the_course_s_counts_of_llama_3_2_1b(share: float, width: int, left: int) -> None:
    """Chapter 6_3: 1,235,814,400 → 1,074,792,448 with 20 % of the neurons; the model is built without weights."""
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**LLAMA_1B))
    found = prune(model, Pruning("width", share, "max_min"))
    assert sum(one.numel() for one in model.parameters()) == 1_235_814_400
    assert found.parameters == left
    assert found.model.config.intermediate_size == width
    assert found.bytes == left * model.dtype.itemsize


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("rule", RULES)
def test_neurons_that_do_nothing_may_go(family: str, rule: str, text: list[torch.Tensor]) -> None:
    model = tiny_model(family)
    zero_neurons(model, DEAD)
    found = prune(model, Pruning("width", 0.2, rule), text)
    assert all(set(range(128)) - set(kept) == set(DEAD) for kept in found.kept)
    torch.testing.assert_close(logits(found.model), logits(model), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rule", RULES)
def test_the_base_is_as_it_was(rule: str, text: list[torch.Tensor]) -> None:
    model = tiny_model("qwen2")
    before, answered = checksum(model), logits(model)
    found = prune(model, Pruning("width", 0.4, rule), text)
    assert checksum(model) == before
    assert model.config.intermediate_size == 128
    assert torch.equal(logits(model), answered)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    shared = {one.data_ptr() for one in model.parameters()} & {one.data_ptr() for one in found.model.parameters()}
    assert len(shared) == len(list(model.parameters())) - 2 * 3  # layers × (gate, up, down)


def test_the_rules_are_their_formulas(text: list[torch.Tensor]) -> None:
    model: Any = tiny_model("llama")
    mlp, down = model.model.layers[1].mlp, model.model.layers[1].mlp.down_proj
    gate, up = mlp.gate_proj.weight, mlp.up_proj.weight
    torch.testing.assert_close(importance.neurons(model, "l1")[1], gate.abs().sum(1) + up.abs().sum(1))
    of_row = sum(one.max(1).values + one.min(1).values.abs() for one in (gate, up))
    torch.testing.assert_close(importance.neurons(model, "max_min")[1], of_row)
    read: list[torch.Tensor] = []
    hook = down.register_forward_pre_hook(lambda layer, given: read.append(given[0][0]))
    with torch.no_grad():
        for window in text:
            model(window[None])
    hook.remove()
    handed = torch.cat(read).double()  # (tokens, neurons)
    expected = torch.stack([(handed[:, j, None] * down.weight[:, j].double()).norm() for j in range(128)])
    torch.testing.assert_close(importance.neurons(model, "activation", text)[1], expected, rtol=1e-5, atol=1e-6)


def test_gate_and_up_chosen_apart_ruin_what_the_right_way_keeps() -> None:
    """Half of the neurons have large rows in gate and up and write; of the others only up's are large, and nothing comes."""
    model: Any = tiny_model("llama")
    with torch.no_grad():
        for layer in model.model.layers:
            mlp = layer.mlp
            mlp.gate_proj.weight[64:] *= 0.01
            mlp.up_proj.weight[64:] *= 2
            mlp.gate_proj.weight[:64] *= 4
            mlp.down_proj.weight[:, 64:] = 0
    whole = logits(model)
    right = prune(model, Pruning("width", 0.5, "max_min"))
    wrong = prune(model, Pruning("width", 0.5, "apart"))
    assert right.parameters == wrong.parameters
    torch.testing.assert_close(logits(right.model), whole, rtol=1e-4, atol=1e-4)
    assert float((logits(wrong.model) - whole).abs().max()) > 1


def test_biases_go_with_their_neurons() -> None:
    model: Any = LlamaForCausalLM(LlamaConfig(vocab_size=258, hidden_size=32, intermediate_size=40, num_hidden_layers=1,
                                              num_attention_heads=4, mlp_bias=True)).eval()  # fmt: skip
    with torch.no_grad():
        model.model.layers[0].mlp.gate_proj.bias.normal_()
        model.model.layers[0].mlp.down_proj.bias.normal_()
        model.model.layers[0].mlp.down_proj.weight[:, :8] = 0
        model.model.layers[0].mlp.gate_proj.weight[:8] = 0
        model.model.layers[0].mlp.up_proj.weight[:8] = 0
    found = prune(model, Pruning("width", 0.2, "l1"))
    assert found.parameters == sum(one.numel() for one in model.parameters()) - 8 * (3 * 32 + 2)
    torch.testing.assert_close(logits(found.model), logits(model), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["mistral", "gemma2", "qwen3", "olmo2", "cohere", "smollm3", "granite", "gemma3-vision"])
def test_other_gated_families_are_narrowed_too(kind: str) -> None:
    model = model_of_kind(kind, tiny_tokenizer())
    found = prune(model, Pruning("width", 0.25, "max_min"))
    assert found.parameters == sum(one.numel() for one in model.parameters()) - 2 * 32 * 3 * 64
    assert logits(found.model).isfinite().all()


@pytest.mark.parametrize("kind", ["gpt2", "bloom", "phi3", "mixtral", "qwen2-moe", "deepseek-v3", "starcoder2"])
def test_without_a_gated_mlp_there_is_one_sentence(kind: str) -> None:
    model = model_of_kind(kind, tiny_tokenizer())
    with pytest.raises(PlaygroundError) as error:
        prune(model, Pruning("width", 0.2, "max_min"))
    assert error.value.key == "no_gated_mlp"


def test_a_rule_that_reads_wants_a_text() -> None:
    with pytest.raises(PlaygroundError) as error:
        prune(tiny_model("llama"), Pruning("width", 0.2, "activation"))
    assert error.value.key == "no_calibration"
