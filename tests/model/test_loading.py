"""What cannot be a base here is one sentence at loading, told from config.json where that suffices; code is never run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from playground import settings
from playground.errors import PlaygroundError
from playground.model import needed
from playground.model.bases import load
from playground.model.catalogue import BITSANDBYTES, CATALOGUE, BaseSpec
from playground.model.loading import compute_dtype
from tests.conftest import tiny_tokenizer
from tests.families import one_thread  # noqa: F401
from tests.kinds import folder_of_kind


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a tiny base that can be loaded as "local"."""
    monkeypatch.setitem(CATALOGUE, "local", BaseSpec("local", "Local one", "local", str(tmp_path), None))
    monkeypatch.setattr(settings, "DEVICE", "cpu")
    return folder_of_kind("llama", tmp_path)


def refusal(base_id: str = "local") -> PlaygroundError:
    with pytest.raises(PlaygroundError) as refused:
        load(base_id)
    assert refused.value.message("en") != refused.value.message("es")
    assert "Local one" in refused.value.message("en")
    return refused.value


def rewrite(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


SMALL = {
    "vocab_size": 258, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "pad_token_id": 1, "eos_token_id": 2, "bos_token_id": 0,
}  # fmt: skip
T5 = {"vocab_size": 258, "d_model": 64, "d_ff": 128, "num_layers": 1, "num_heads": 4, "d_kv": 16}
BART = {"vocab_size": 258, "d_model": 64, "encoder_layers": 1, "decoder_layers": 1} | {
    f"{side}_{size}": number for side in ("encoder", "decoder") for size, number in (("ffn_dim", 64), ("attention_heads", 4))
}
MAMBA2 = {"num_heads": 8, "head_dim": 16, "expand": 2, "n_groups": 1, "state_size": 16}
QWEN3_NEXT = SMALL | {
    "head_dim": 16, "num_key_value_heads": 2, "moe_intermediate_size": 64, "shared_expert_intermediate_size": 64,
    "num_experts": 4, "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}  # fmt: skip
OTHER_KINDS: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "T5": (AutoModelForSeq2SeqLM, "t5", T5, "base_encoder_decoder"),
    "BART": (AutoModelForSeq2SeqLM, "bart", BART, "base_encoder_decoder"),
    "BART's decoder": (AutoModelForCausalLM, "bart", BART, "base_counts_positions"),
    "BERT": (AutoModel, "bert", SMALL, "base_not_causal"),
    "BERT with a head": (AutoModelForCausalLM, "bert", SMALL, "base_not_causal"),
    "RoBERTa": (AutoModel, "roberta", SMALL, "base_not_causal"),
    "DistilBERT": (AutoModel, "distilbert", {"vocab_size": 258, "dim": 64, "hidden_dim": 64, "n_layers": 1, "n_heads": 4},
                   "base_not_causal"),
    "Mamba": (AutoModelForCausalLM, "mamba", SMALL | {"state_size": 8}, "base_no_attention_cache"),
    "Mamba 2": (AutoModelForCausalLM, "mamba2", SMALL | MAMBA2, "base_no_attention_cache"),
    "RWKV": (AutoModelForCausalLM, "rwkv", SMALL | {"attention_hidden_size": 64}, "base_no_attention_cache"),
    "Qwen3-Next": (AutoModelForCausalLM, "qwen3_next", QWEN3_NEXT, "base_no_attention_cache"),
    "GPT": (AutoModelForCausalLM, "openai-gpt", {"vocab_size": 258, "n_embd": 64, "n_layer": 1, "n_head": 4},
            "base_no_attention_cache"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_model_of_another_kind_is_a_sentence(local: Path, kind: str) -> None:
    make, family, sizes, key = OTHER_KINDS[kind]
    make.from_config(AutoConfig.for_model(family, **sizes)).save_pretrained(local)
    assert refusal().key == key


def test_what_config_json_tells_is_refused_before_weights_are_read(local: Path) -> None:
    (local / "model.safetensors").unlink()
    for changes, key in (
        ({"is_encoder_decoder": True}, "base_encoder_decoder"),
        ({"model_type": "bert"}, "base_not_causal"),
        ({"model_type": "mamba2"} | MAMBA2, "base_no_attention_cache"),
        ({"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine"}}, "base_own_code"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "base_quantized"),
        ({"quantization_config": None, "num_labels": 10_001}, "base_config_lies"),
    ):
        rewrite(local, is_encoder_decoder=False)
        rewrite(local, **changes)
        assert refusal().key == key


@pytest.mark.parametrize(
    "quantized",
    [
        {"quant_method": "gptq", "bits": 4, "group_size": 128},
        {"quant_method": "awq", "bits": 4},
        {"quant_method": "bitsandbytes", "load_in_4bit": True},
        {"quant_method": "fp8", "weight_block_size": [128, 128]},
        {"quant_method": "compressed-tensors", "config_groups": {}},
        {"quant_method": "a method of next year"},
        {"bits": 4},
    ],
    ids=lambda one: one.get("quant_method", "unnamed"),
)
def test_a_quantized_folder_is_a_sentence_that_names_the_method(local: Path, quantized: dict[str, Any]) -> None:
    rewrite(local, quantization_config=quantized)
    error = refusal()
    assert error.key == "base_quantized"
    assert quantized.get("quant_method", "GPTQ") in error.message("es")


def test_a_folder_of_gptq_s_early_days_is_refused_too(local: Path) -> None:
    (local / "quantize_config.json").write_text('{"bits": 4}')
    assert refusal().key == "base_quantized"


def test_code_that_comes_with_a_folder_is_neither_run_nor_asked_about(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *asked: pytest.fail("asked on the server's terminal"))
    mine = "raise SystemExit('run')"
    (local / "mine.py").write_text(mine)
    rewrite(local, auto_map={"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Mine"})
    assert load("local").model.config.model_type == "llama", "transformers' own class does"
    rewrite(local, model_type="mine")
    assert refusal().key == "base_own_code"
    rewrite(local, model_type="llama")
    told = json.loads((local / "tokenizer_config.json").read_text())
    told |= {"tokenizer_class": "MineTokenizer", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
    (local / "tokenizer_config.json").write_text(json.dumps(told))
    with pytest.raises(PlaygroundError):
        load("local")


# Weights and tokens that do not belong together


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("form", ["", *(f":{form}" for form in BITSANDBYTES)])
def test_missing_weights_are_refused_with_one_of_them_named(local: Path, form: str) -> None:
    missing = [f"model.layers.1.self_attn.{one}_proj.weight" for one in "kq"]
    change_weights(local, lambda tensors: [tensors.pop(name) for name in missing])
    error = refusal(f"local{form}")
    assert (error.key, error.values["weight"], error.values["count"]) == ("base_weights_missing", missing[0], 2)


@pytest.mark.parametrize("name", ["model.norm.weight", "model.embed_tokens.weight", "lm_head.weight"])
def test_a_missing_norm_embedding_or_head_is_refused(local: Path, name: str) -> None:
    change_weights(local, lambda tensors: tensors.pop(name))
    assert refusal().values["weight"] == name


def test_a_head_that_is_tied_to_the_embeddings_is_not_missed(local: Path) -> None:
    rewrite(local, tie_word_embeddings=True)
    change_weights(local, lambda tensors: tensors.pop("lm_head.weight"))
    model: Any = load("local").model
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_a_weight_of_another_shape_is_refused_with_both_shapes(local: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    change_weights(local, lambda tensors: tensors.update({name: torch.zeros(120, 64)}))
    error = refusal()
    assert (error.key, error.values["weight"]) == ("base_weights_shape", name)
    assert "(120, 64)" in error.message("es")
    assert "(128, 64)" in error.message("es")


def test_a_tokenizer_with_more_tokens_than_the_model_has_is_refused(local: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<one more>"])
    tokenizer.save_pretrained(local)
    error = refusal()
    assert error.key == "base_tokenizer_too_large"
    assert (error.values["last"], error.values["rows"]) == (258, 258)


def test_the_tokenizer_is_the_folder_s_own_whatever_the_family(local: Path) -> None:
    """AutoTokenizer gives a Qwen2 folder Qwen2's splitting and one more token, though its files name neither."""
    folder_of_kind("qwen2", local)
    tokenizer: Any = load("local").tokenizer
    saved: Any = tiny_tokenizer()
    assert tokenizer.get_vocab() == saved.get_vocab()
    assert str(tokenizer.backend_tokenizer.pre_tokenizer) == str(saved.backend_tokenizer.pre_tokenizer)


# What is computed in


@pytest.mark.parametrize(
    ("device", "source", "has", "expected"),
    [
        ("cpu", "hub", True, (torch.float32, "")),
        ("cuda", "hub", True, (torch.bfloat16, "")),
        ("cuda", "hub", False, (torch.float32, "no_bfloat16")),  # a T4
        ("cuda", "embedded", False, (torch.float32, "")),
    ],
)
def test_bfloat16_is_computed_in_only_where_the_gpu_has_it(
    monkeypatch: pytest.MonkeyPatch, device: str, source: str, has: bool, expected: tuple[torch.dtype, str]
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return has or including_emulation  # as torch.cuda: a T4 emulates it, slowly

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert compute_dtype(device, BaseSpec("any", "Any", source, "any/any", None)) == expected


def test_memory_is_reckoned_in_what_is_computed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = CATALOGUE["llama-3.2-1b"]
    monkeypatch.setattr(needed, "pick_device", lambda: ("cuda", "Tesla T4"))
    sizes = []
    for has in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True, has=has: has)
        sizes.append(needed.expected_bytes(spec, None))
    assert sizes == [2 * spec.parameters, 4 * spec.parameters]
