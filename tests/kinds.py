"""
Tiny random models of the families that people bring, each in a folder of its own with a tokenizer, as a local base has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerBase

from tests.conftest import tiny_tokenizer

# Widths are multiples of 64: on a CPU bitsandbytes 0.50.2 reads four-bit weights of other widths back wrong.
PLAIN = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "initializer_range": 0.2}
GATED = PLAIN | {"intermediate_size": 128, "num_key_value_heads": 2}
HEADS = GATED | {"head_dim": 16}
SLIDING = HEADS | {"sliding_window": 8}  # shorter than the prompts
UNTIED = {"tie_word_embeddings": False}  # such large embeddings answer with what they read
GPT = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, "initializer_range": 0.2}
OPT = {"num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 128, "init_std": 0.2}
MOE = GATED | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
MLA = {"q_lora_rank": 64, "kv_lora_rank": 64, "qk_rope_head_dim": 16, "qk_nope_head_dim": 16, "v_head_dim": 16}
VISION = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16,
    "patch_size": 8,
}  # fmt: skip
ATTENTION_ALONE = {"attn_layer_indices": [0, 1]}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", GATED),
    "mistral": ("mistral", SLIDING),
    "qwen2": ("qwen2", GATED),
    "qwen3": ("qwen3", HEADS),
    "gemma": ("gemma", HEADS | UNTIED),
    "gemma2": ("gemma2", SLIDING | UNTIED),
    "gemma3": ("gemma3_text", SLIDING | UNTIED),
    "gemma3-vision": ("gemma3", UNTIED | {
        "text_config": SLIDING | UNTIED, "vision_config": VISION, "mm_tokens_per_image": 4,
    }),
    "bert": ("bert-generation", PLAIN | {"intermediate_size": 128, "is_decoder": True}),
    "phi": ("phi", GATED),
    "phi3": ("phi3", GATED),
    "gpt2": ("gpt2", GPT),
    "gpt-bigcode": ("gpt_bigcode", GPT),
    "gpt-neo": ("gpt_neo", {
        "hidden_size": 64, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8,
        "initializer_range": 0.2,
    }),
    "gptj": ("gptj", GPT | {"rotary_dim": 8}),
    "codegen": ("codegen", GPT | {"rotary_dim": 8}),
    "gpt-neox": ("gpt_neox", PLAIN | {"intermediate_size": 128}),
    "opt": ("opt", OPT | {"hidden_size": 64, "word_embed_proj_dim": 64}),
    "opt-350m": ("opt", OPT | {"hidden_size": 128, "word_embed_proj_dim": 64, "do_layer_norm_before": False}),
    "bloom": ("bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}),
    "mpt": ("mpt", {"d_model": 64, "n_layers": 2, "n_heads": 4, "initializer_range": 0.2}),
    "falcon": ("falcon", PLAIN | {"multi_query": True}),
    "falcon-40b": ("falcon", PLAIN | {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "persimmon": ("persimmon", PLAIN | {"intermediate_size": 128}),
    "olmo": ("olmo", GATED),
    "olmo2": ("olmo2", GATED),
    "granite": ("granite", GATED),
    "smollm3": ("smollm3", GATED),
    "stablelm": ("stablelm", GATED),
    "starcoder2": ("starcoder2", GATED),
    "cohere": ("cohere", GATED),
    "nemotron": ("nemotron", GATED),
    "glm": ("glm", HEADS),
    "mixtral": ("mixtral", GATED | {"num_local_experts": 4}),
    "qwen2-moe": ("qwen2_moe", MOE | {"shared_expert_intermediate_size": 64}),
    "qwen3-moe": ("qwen3_moe", MOE | {"head_dim": 16}),
    "deepseek-v3": ("deepseek_v3", PLAIN | MLA | {
        "intermediate_size": 128, "moe_intermediate_size": 64, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1,
        "topk_group": 1, "first_k_dense_replace": 1, "num_key_value_heads": 4,
    }),
}  # fmt: skip


# For what is special about them alone
LESS_SEEN: dict[str, tuple[str, dict[str, Any]]] = {
    "jamba": ("jamba", GATED | {"attn_layer_period": 1, "attn_layer_offset": 0, "use_mamba_kernels": False}),
    "jamba-hybrid": (
        "jamba",
        GATED
        | {
            "num_hidden_layers": 4,
            "attn_layer_period": 4,
            "attn_layer_offset": 1,
            "use_mamba_kernels": False,
        },
    ),
    "modernbert": ("modernbert-decoder", PLAIN | {"intermediate_size": 128}),
    "bamba": ("bamba", GATED | ATTENTION_ALONE),
}


def model_of_kind(name: str, tokenizer: PreTrainedTokenizerBase) -> Any:
    """A random model, not trained, whose biases are not zero."""
    family, sizes = {**KINDS, **LESS_SEEN}[name]
    marks = {one: getattr(tokenizer, one) for one in ("eos_token_id", "pad_token_id", "bos_token_id")}
    torch.manual_seed(0)
    told = {"vocab_size": len(tokenizer), **marks}
    sizes = {name: one | told if name == "text_config" else one for name, one in sizes.items()}
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **told, **sizes))
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if path.endswith("bias"):
                parameter.normal_(std=0.2)
    return model.eval().requires_grad_(False)


def folder_of_kind(name: str, folder: Path, tokenizer: PreTrainedTokenizerBase | None = None) -> Path:
    """The folder, with such a model and its tokenizer."""
    tokenizer = tokenizer or tiny_tokenizer()
    model_of_kind(name, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
