"""
A LoRA as a GGUF file, as llama.cpp reads it: the names, shapes and alpha that its convert_lora_to_gguf.py writes.

    general.type "adapter" · adapter.type "lora" · adapter.lora.alpha · blk.0.attn_q.weight.lora_a (r, in), .lora_b (out, r)

llama.cpp adds alpha / r · B A, with the r of each tensor. Where PEFT scales a module otherwise (rsLoRA, an alpha of its
own), the rest of it is in that module's B. The rows of B follow those of the weight, which llama.cpp keeps in another order
for some families: rotary pairs beside each other, q, k and v one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import PREFIX, Adapter, peft_config, scaling
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base

A, B = ".lora_A.weight", ".lora_B.weight"


def pairs(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows (heads · 2 · n, r) from transformers' halves to neighbours: LlamaModel.permute of convert_hf_to_gguf.py."""
    return rows.reshape(heads, 2, -1, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def as_paired(rows: torch.Tensor, module: str, config: Any) -> torch.Tensor:
    """Llama's: queries and keys in rotary pairs."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": getattr(config, "num_key_value_heads", None)}
    count = heads.get(module.rpartition(".")[2])
    return pairs(rows, count or config.num_attention_heads) if module.endswith(tuple(heads)) else rows


def as_parted(rows: torch.Tensor, module: str, config: Any) -> torch.Tensor:
    """BLOOM's: each head's q, k, v become all heads' q, then all k, then all v."""
    if not module.endswith("query_key_value"):
        return rows
    return rows.reshape(config.n_head, 3, -1, rows.shape[-1]).swapaxes(0, 1).reshape(rows.shape)


def as_it_is(rows: torch.Tensor, module: str, config: Any) -> torch.Tensor:
    return rows


@dataclass(frozen=True)
class Family:
    """What llama.cpp calls a type of transformers, and how it orders the rows of its weights."""

    name: str
    order: Callable[[torch.Tensor, str, Any], torch.Tensor] = as_it_is


FAMILIES = {
    "llama": Family("LLAMA", as_paired),
    "mistral": Family("LLAMA", as_paired),
    "smollm3": Family("SMOLLM3", as_paired),
    "qwen2": Family("QWEN2"),
    "qwen3": Family("QWEN3"),
    "gemma3_text": Family("GEMMA3"),
    "bloom": Family("BLOOM", as_parted),
}


def check(adapter: Adapter, base: Base) -> Family:
    """Raises PlaygroundError for what a GGUF-LoRA cannot hold, and for bases whose order of rows is not known here."""
    config = adapter.config or {}
    if config.get("peft_type") != "LORA":
        raise PlaygroundError("gguf_only_lora", method=adapter.record.method)
    if config.get("use_dora") or any(not name.endswith((A, B)) for name in adapter.tensors):
        raise PlaygroundError("gguf_only_factors")
    kind = base.model.config.model_type
    if kind not in FAMILIES:
        raise PlaygroundError("gguf_family", kind=kind, known=", ".join(FAMILIES))
    return FAMILIES[kind]


def write(adapter: Adapter, base: Base, path: Path) -> None:
    """Raises PlaygroundError (`check`), and for a module that llama.cpp has no name for."""
    import gguf

    family, config = check(adapter, base), base.model.config
    arch = gguf.MODEL_ARCH[family.name]
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    peft = peft_config(adapter.config or {})
    alpha = float(peft.lora_alpha) or 1.0  # 0 would mean 1 there
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    writer.add_name(adapter.name or adapter.id)
    for module in sorted({name.removeprefix(PREFIX).removesuffix(A).removesuffix(B) for name in adapter.tensors}):
        name = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if name is None:
            raise PlaygroundError("gguf_module", module=module)
        a, b = (adapter.tensors[f"{PREFIX}{module}{part}"].float() for part in (A, B))
        rank = a.shape[0]
        b = b * (scaling(peft, module, rank) * rank / alpha)
        writer.add_tensor(f"{name}.lora_a", a.contiguous().numpy())
        writer.add_tensor(f"{name}.lora_b", family.order(b, module, config).contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
