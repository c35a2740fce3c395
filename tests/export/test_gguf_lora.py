"""A GGUF-LoRA, read back: base + alpha / r · B A in llama.cpp's order of rows is what PEFT merges, in that order too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest
import torch

from playground.adapt.attach import attach
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.export import gguf_lora
from tests.families import one_thread, tiny_base, trained  # noqa: F401

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "self_attention.query_key_value": "attn_qkv", "self_attention.dense": "attn_output",
    "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
}  # fmt: skip


def in_llama_cpp(family: str, kind: str, weight: torch.Tensor, config: Any) -> torch.Tensor:
    """The rows of a weight as llama.cpp has them, written out row by row."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": getattr(config, "num_key_value_heads", 0)}.get(kind)
    if family == "llama" and heads:  # (head, half, place) becomes (head, place, half)
        half = weight.shape[0] // heads // 2
        order = [head * 2 * half + part * half + place for head in range(heads) for place in range(half) for part in (0, 1)]
        return weight[order]
    if family == "bloom" and kind == "attn_qkv":  # (head, q k v, place) becomes (q k v, head, place)
        size = weight.shape[0] // config.n_head // 3
        order = [
            head * 3 * size + part * size + place
            for part in range(3)
            for head in range(config.n_head)
            for place in range(size)
        ]
        return weight[order]
    return weight


@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("llama", {"rank": 3, "alpha": 7, "targets": "all_linear"}),
        ("llama", {"rslora": True, "targets": "attention"}),
        ("llama", {"ranks": "q_proj 0: 2/6; 1: 5", "targets": "attention"}),
        ("qwen2", {"targets": "all_linear"}),
        ("bloom", {"targets": "all_linear"}),
    ],
    ids=str,
)
def test_base_and_gguf_are_what_peft_merges(family: str, values: dict[str, Any], tmp_path: Path) -> None:
    base = tiny_base(family)
    adapter = trained(base, "lora", values)[0]
    gguf_lora.write(adapter, base, path := tmp_path / "a.gguf")
    reader = gguf.GGUFReader(path)
    told = {name: field.contents() for name, field in reader.fields.items()}
    assert (told["general.type"], told["adapter.type"]) == ("adapter", "lora")
    assert told["general.architecture"] == family
    assert told["adapter.lora.alpha"] == (adapter.config or {})["lora_alpha"]
    factors = {one.name: torch.tensor(one.data) for one in reader.tensors}
    merged = dict(attach(base, Variant(base.id, adapter, merged=True)).model.named_parameters())
    touched = 0
    for name, weight in base.model.named_parameters():
        layer = next((part for part in name.split(".") if part.isdigit()), "")
        kind = NAMES.get(name.partition(f".{layer}.")[2].removesuffix(".weight"), "")
        place = f"blk.{layer}.{kind}.weight"
        if name.endswith(".weight") and f"{place}.lora_a" in factors:
            a, b = factors.pop(f"{place}.lora_a"), factors.pop(f"{place}.lora_b")
            assert a.shape[1] == weight.shape[1]
            found = in_llama_cpp(family, kind, weight, base.model.config) + told["adapter.lora.alpha"] / a.shape[0] * (b @ a)
            expected = in_llama_cpp(family, kind, merged[name], base.model.config)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
            assert not torch.equal(expected, in_llama_cpp(family, kind, weight, base.model.config))
            touched += 1
    assert touched
    assert factors == {}


@pytest.mark.parametrize(
    ("method_id", "values", "key"),
    [
        ("ia3", {}, "gguf_only_lora"),
        ("prompt_tuning", {"virtual_tokens": 3}, "gguf_only_lora"),
        ("lora", {"dora": True}, "gguf_only_factors"),
    ],
)
def test_what_has_no_place_in_it_is_refused_by_name(
    method_id: str, values: dict[str, Any], key: str, tmp_path: Path
) -> None:
    base = tiny_base("qwen2")
    with pytest.raises(PlaygroundError) as error:
        gguf_lora.write(trained(base, method_id, values)[0], base, tmp_path / "a.gguf")
    assert error.value.key == key
    assert not list(tmp_path.iterdir())


def test_a_family_whose_order_of_rows_nobody_knows_is_refused(tmp_path: Path) -> None:
    base = tiny_base("qwen2")
    adapter = trained(base, "lora", {})[0]
    object.__setattr__(base.model.config, "model_type", "mamba")
    with pytest.raises(PlaygroundError, match="mamba"):
        gguf_lora.write(adapter, base, tmp_path / "a.gguf")
