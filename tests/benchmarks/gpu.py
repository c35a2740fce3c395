"""
On a GPU: eight panes against the base alone and against `generate`, a token of each, with a model of SmolLM2-135M's shape
and random weights, as no weights can be fetched everywhere.
"""

from __future__ import annotations

import copy
import statistics
import time
from typing import Any

import torch
from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from playground.compare.decoding import Row
from playground.compare.job import Decoding
from playground.compare.pool import Pool
from playground.model.weights import tensors_of
from tests.benchmarks.table import write
from tests.conftest import tiny_tokenizer

TOKENS, ROUNDS = 48, 5
ATTENTION = ["q_proj", "v_proj"]
CONFIGS: list[Any] = [
    *(LoraConfig(r=rank, target_modules=ATTENTION, init_lora_weights=False) for rank in (4, 8, 8, 16)),
    LoraConfig(r=8, target_modules=ATTENTION, use_dora=True, init_lora_weights=False),
    IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], init_ia3_weights=False),
    PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20, token_dim=576),
]


def study() -> None:
    if not torch.cuda.is_available():
        print("no GPU here: nothing is measured")
        return
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        models = models_of(dtype)
        spent = {"base alone": models[:1], "8 panes": models, "generate": models[0]}
        found: dict[str, list[float]] = {name: [] for name in spent}
        for _ in range(ROUNDS + 1):
            for name, one in spent.items():
                found[name].append(_generate(one) if name == "generate" else _together(one))
        times = {name: statistics.median(seconds[1:]) for name, seconds in found.items()}
        for name, seconds in times.items():
            rows.append([str(dtype)[6:], name, f"{1000 * seconds:.2f} ms", f"{seconds / times['base alone']:.2f}×"])
    write("gpu", "A token on a GPU", ["in", "", "a token of each row", "against the base alone"], rows)


def models_of(dtype: torch.dtype) -> list[Any]:
    """The base, four LoRA adapters, a DoRA, an IA3 and a soft prompt, over one set of weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True, max_position_embeddings=8192,
    )  # fmt: skip
    base: Any = LlamaForCausalLM(config).to("cuda", dtype).eval().requires_grad_(False)
    shared = {id(tensor): tensor for tensor in tensors_of(base)}
    views = [copy.deepcopy(base, dict(shared)) for _ in CONFIGS]
    adapted: list[Any] = [get_peft_model(view, one) for view, one in zip(views, CONFIGS, strict=True)]
    return [base, *(model.to("cuda", dtype).eval().requires_grad_(False) for model in adapted)]


def _together(models: list[Any]) -> float:
    """Seconds of a step of the pool."""
    rows = [Row(model, tiny_tokenizer(), list(range(40)), Decoding(TOKENS + 8)) for model in models]
    for row in rows:
        row._ends = set()
        row.prefill()
    pool = Pool()
    pool.join(rows)
    for _ in range(4):
        pool.step()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(TOKENS):
        pool.step()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / TOKENS


def _generate(model: Any) -> float:
    """Seconds of a token of transformers' own."""
    ids = torch.arange(40, device="cuda")[None]
    options: dict[str, Any] = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    seconds = []
    for count in (4, 4 + TOKENS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, **options
        )
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return (seconds[1] - seconds[0]) / TOKENS
