"""
Tiny random bases of each family, and adapters made with PEFT alone, to hold the project's own against.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftConfig, get_peft_model, get_peft_model_state_dict
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from playground.adapt.adapters import Adapter, Record, config_json
from playground.adapt.methods import method
from playground.model.architecture import architecture_of
from playground.model.bases import Base, checksum
from playground.model.catalogue import BaseSpec
from tests.conftest import tiny_tokenizer

# Widths are multiples of 64: on a CPU bitsandbytes 0.50.2 reads four-bit weights of other widths back wrong.
GATED = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "tie_word_embeddings": True, "initializer_range": 0.2,
}  # fmt: skip
BLOOM = {"hidden_size": 64, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}
KINDS = {
    "llama": (LlamaForCausalLM, LlamaConfig, GATED),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, GATED),
    "bloom": (BloomForCausalLM, BloomConfig, BLOOM),
}


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """For files of tests that only use tiny models: threads that wait for each other cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny_model(family: str) -> PreTrainedModel:
    """A random model whose biases, where it has any, are not zero."""
    tokenizer = tiny_tokenizer()
    model_class, config_class, sizes = KINDS[family]
    marks = {
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
    torch.manual_seed(0)
    model: PreTrainedModel = model_class(config_class(vocab_size=len(tokenizer), **marks, **sizes))
    model.eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith(".bias"):
            parameter.normal_(std=0.2)
    return model


def tiny_base(family: str, folder: Path | None = None) -> Base:
    """A base of its own for one test; with `folder` its files lie there, as those of a local base do."""
    model, tokenizer = tiny_model(family), tiny_tokenizer()
    if folder is not None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder).requires_grad_(False)
    architecture = architecture_of(model)
    spec = BaseSpec(f"tiny-{family}", f"Tiny {family}", "local", f"tests/tiny-{family}", None)
    model.config._name_or_path = spec.repository
    return Base(spec.id, spec, model, tokenizer, architecture, folder or Path("nowhere"), "CPU", checksum(model))


def peft_model(base: Base, method_id: str, values: dict) -> tuple[Any, PeftConfig]:
    """PEFT around a full copy of the base's model, so that nothing of ours takes part, and the config."""
    chosen = method(method_id)
    assert chosen.config is not None
    config = chosen.config(base, chosen.complete(values))
    torch.manual_seed(1)
    return get_peft_model(copy.deepcopy(base.model), config).eval(), config


def trained(base: Base, method_id: str, values: dict | None = None) -> tuple[Adapter, Any]:
    """An adapter whose every trainable number was moved, and PEFT's own model of it."""
    values = method(method_id).complete(values or {})
    model, config = peft_model(base, method_id, values)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                generator = torch.Generator().manual_seed(parameter.numel())
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in get_peft_model_state_dict(model).items()}
    trainable, total = model.get_nb_trainable_parameters()
    record = Record(base.id, method_id, "pirate", values, 1, 7, trainable, total, 4 * trainable)
    return Adapter(f"tiny-{method_id}", record, config_json(config, base.spec.repository), tensors), model


def logits(model: torch.nn.Module) -> torch.Tensor:
    """What a model answers to a fixed prompt: (positions, vocabulary)."""
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([[72, 101, 108, 108, 111, 33, 7]])).logits[0]
        return found
