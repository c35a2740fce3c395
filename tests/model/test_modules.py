"""Linear layers and what each is for, in every family: by block, name and shape, as PEFT's own table has it."""

from typing import Any

import pytest
import torch
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn
from transformers.pytorch_utils import Conv1D

from playground.adapt.configs import ia3_config, lora_config
from playground.adapt.methods import method
from playground.adapt.targets import IA3_TARGETS, targeted, used_as
from playground.model.architecture import architecture_of
from playground.model.bases import Base
from playground.model.catalogue import BaseSpec
from playground.model.modules import FEED_FORWARD, is_linear, kind_of, linear_layers, roles, sides, upright
from tests.conftest import tiny_tokenizer
from tests.families import one_thread  # noqa: F401
from tests.kinds import KINDS, model_of_kind

# What the choices mean where the names are not Llama's
NAMES: dict[str, dict[str, set[str]]] = {
    "gpt2": {"query_value": {"c_attn"}, "attention": {"c_attn", "attn.c_proj"}, "mlp": {"c_fc", "mlp.c_proj"}},
    "gpt-bigcode": {"query_value": {"c_attn"}, "attention": {"c_attn", "attn.c_proj"}, "mlp": {"c_fc", "mlp.c_proj"}},
    "gpt-neo": {"query_value": {"q_proj", "v_proj"}, "mlp": {"c_fc", "mlp.c_proj"}},
    "gptj": {"attention": {"q_proj", "k_proj", "v_proj", "out_proj"}, "mlp": {"fc_in", "fc_out"}},
    "codegen": {"query_value": {"qkv_proj"}, "attention": {"qkv_proj", "out_proj"}, "mlp": {"fc_in", "fc_out"}},
    "gpt-neox": {"query_value": {"query_key_value"}, "attention": {"query_key_value", "dense"}},
    "opt": {"attention": {"q_proj", "k_proj", "v_proj", "out_proj"}, "mlp": {"fc1", "fc2"}},
    "opt-350m": {"query_value": {"q_proj", "v_proj"}, "mlp": {"fc1", "fc2"}},
    "phi": {"attention": {"q_proj", "k_proj", "v_proj", "dense"}, "mlp": {"fc1", "fc2"}},
    "phi3": {"query_value": {"qkv_proj"}, "attention": {"qkv_proj", "o_proj"}, "mlp": {"gate_up_proj", "down_proj"}},
    "mpt": {"query_value": {"Wqkv"}, "attention": {"Wqkv", "out_proj"}, "mlp": {"up_proj", "down_proj"}},
    "falcon": {"query_value": {"query_key_value"}, "mlp": {"dense_h_to_4h", "dense_4h_to_h"}},
    "starcoder2": {"query_value": {"q_proj", "v_proj"}, "mlp": {"c_fc", "mlp.c_proj"}},
    "glm": {"query_value": {"q_proj", "v_proj"}, "mlp": {"gate_up_proj", "down_proj"}},
    "qwen2-moe": {"query_value": {"q_proj", "v_proj"}, "mlp": {"gate_proj", "up_proj", "down_proj"}},
    "gemma3-vision": {"attention": {"q_proj", "k_proj", "v_proj", "o_proj"}, "mlp": {"gate_proj", "up_proj", "down_proj"}},
    "bert": {"query_value": {"query", "value"}, "attention": {"query", "key", "value", "dense"}, "mlp": {"dense"}},
    "jamba": {"attention": {"q_proj", "k_proj", "v_proj", "o_proj"}, "mlp": {"gate_proj", "up_proj", "down_proj"}},
    "modernbert": {"query_value": {"q_proj", "v_proj"}, "mlp": {"Wi", "Wo"}},
    "deepseek-v3": {
        "query_value": {"q_b_proj", "kv_b_proj"},
        "attention": {"q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"},
    },
}
SCALED = {
    "gpt2": {"c_attn", "mlp.c_proj"}, "opt": {"k_proj", "v_proj", "fc2"}, "phi": {"k_proj", "v_proj", "fc2"},
    "phi3": {"qkv_proj", "down_proj"}, "mpt": {"Wqkv", "down_proj"}, "gptj": {"k_proj", "v_proj", "fc_out"},
    "codegen": {"qkv_proj", "fc_out"}, "falcon": {"query_key_value", "dense_4h_to_h"}, "mixtral": {"k_proj", "v_proj"},
    "starcoder2": {"k_proj", "v_proj", "mlp.c_proj"}, "gemma2": {"k_proj", "v_proj", "down_proj"},
}  # fmt: skip


def base_of(model: Any) -> Base:
    spec = BaseSpec("any", "Any", "local", "any", None)
    return Base("any", spec, model, tiny_tokenizer(), architecture_of(model), None, "CPU", "")


OUTSIDE = [("gemma3-vision", "vision"), ("modernbert", "lm_head"), ("modernbert", "decoder")]


@pytest.mark.parametrize(("kind", "part"), OUTSIDE)
def test_what_does_not_read_text_and_what_belongs_to_the_head_lies_outside(kind: str, part: str) -> None:
    model = model_of_kind(kind, tiny_tokenizer())
    assert any(part in path and is_linear(one) for path, one in model.named_modules())
    assert not any(part in path for path in linear_layers(model))


@pytest.mark.parametrize("kind", NAMES)
def test_a_choice_of_targets_means_the_same_in_every_family(kind: str) -> None:
    architecture = architecture_of(model_of_kind(kind, tiny_tokenizer()))
    found = {targets: {layer.name for layer in targeted(architecture, targets)} for targets in NAMES[kind]}
    assert found == NAMES[kind]


@pytest.mark.parametrize("kind", SCALED)
def test_ia3_scales_keys_values_and_what_is_inside_the_feed_forward_block(kind: str) -> None:
    base = base_of(model_of_kind(kind, tiny_tokenizer()))
    assert {layer.name for layer in used_as(base.architecture, IA3_TARGETS, "ia3")} == SCALED[kind]
    config: Any = ia3_config(base, {})
    assert config.target_modules == SCALED[kind]
    inside = {layer.name for layer in base.architecture.linears if layer.role in FEED_FORWARD} & SCALED[kind]
    assert config.feedforward_modules == inside


@pytest.mark.parametrize("kind", KINDS)
def test_queries_and_values_are_those_of_peft_s_own_table(kind: str) -> None:
    model = model_of_kind(kind, tiny_tokenizer())
    known = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(model.config.model_type)
    found = {layer.name for layer in targeted(architecture_of(model), "query_value")}
    assert known is None or found == set(known) - {"fc1", "fc2"}  # Phi's table has its feed-forward block too
    assert found


@pytest.mark.parametrize("kind", KINDS)
def test_every_linear_layer_inside_the_layers_has_a_purpose(kind: str) -> None:
    found = roles(model_of_kind(kind, tiny_tokenizer()))
    outside = {kind_of(path) for path, role in found.items() if not role}
    assert outside <= {"project_in", "project_out"}  # around OPT-350m's layers


def test_a_name_that_others_have_too_is_told_to_peft_as_whole_paths() -> None:
    """As in AFMoE, whose attention has a gate of the same name as the feed-forward block's."""
    model = model_of_kind("llama", tiny_tokenizer())
    for layer in model.model.layers:
        layer.self_attn.gate_proj = nn.Linear(64, 64, bias=False)
    base = base_of(model)
    values = method("lora").complete({"targets": "mlp"})
    config: Any = lora_config(base, values)
    assert config.target_modules == {
        f"model.layers.{place}.mlp.{name}_proj" for place in (0, 1) for name in ("gate", "up", "down")
    }


class Router(nn.Linear):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).softmax(-1)


class OwnLinear(nn.Linear):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input @ self.weight.T + self.bias


@pytest.mark.parametrize(
    ("module", "expected"),
    [(nn.Linear(3, 2), True), (Conv1D(2, 3), True), (OwnLinear(3, 2), True), (Router(3, 2), False), (nn.ReLU(), False)],
    ids=lambda one: type(one).__name__,
)
def test_a_linear_layer_is_what_multiplies_with_a_matrix_and_nothing_else(module: Any, expected: bool) -> None:
    before = torch.get_rng_state()
    assert is_linear(module) == expected
    assert torch.equal(torch.get_rng_state(), before)


def test_a_conv1d_is_looked_at_as_a_linear_layer() -> None:
    layer = Conv1D(2, 3)
    assert sides(layer) == (3, 2)
    assert upright(layer, layer.weight).shape == (2, 3)
    x = torch.randn(4, 3)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, upright(layer, layer.weight), layer.bias))


def test_the_output_head_is_none_of_them() -> None:
    for kind in ("llama", "gpt2", "opt"):
        model = model_of_kind(kind, tiny_tokenizer())
        assert all(layer is not model.get_output_embeddings() for layer in linear_layers(model).values())


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("model.layers.3.self_attn.q_proj", "q_proj"),
        ("transformer.h.0.attn.c_proj", "attn.c_proj"),
        ("transformer.h.0.mlp.c_proj", "mlp.c_proj"),
        ("transformer.h.0.ffn.2", "ffn.2"),
        ("model.layers.0.self_attn.gate_proj", "self_attn.gate_proj"),
        ("model.layers.0.mlp.gate_proj", "gate_proj"),
        ("lm_head", "lm_head"),
    ],
)
def test_a_kind_says_what_a_module_is(path: str, kind: str) -> None:
    assert kind_of(path) == kind
