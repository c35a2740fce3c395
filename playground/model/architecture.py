"""
What counting needs to know of a model: its width, its linear layers, its total; from a formula or from the loaded model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from playground.model.modules import FUSED, kind_of, layer_of, linear_layers, norms, roles, sides

if TYPE_CHECKING:
    from transformers import PreTrainedModel


EXPERTS = "experts"  # what PEFT cannot adapt as a layer: see `beyond_peft`
OUTSIDE = "outside"  # of the layers, such as the projections around OPT-350m's


@dataclass(frozen=True)
class Linear:
    """
    `count` linear layers of the same name and shape; the weight is (outputs, inputs). `used_as` is what they are for, in
    the names that Llama and BLOOM have for it (see `modules.roles`), where they have another name. `layers` are the numbers
    of the layers that they lie in, None outside of them, where these are not 0, 1, … as many as there are.
    """

    name: str
    inputs: int
    outputs: int
    count: int
    bias: bool = False
    used_as: str = ""
    layers: tuple[int | None, ...] = ()

    @property
    def role(self) -> str:
        return self.used_as or self.name

    @property
    def places(self) -> tuple[int | None, ...]:
        """The number of the layer that each of them lies in."""
        return self.layers or tuple(range(self.count))


@dataclass(frozen=True)
class Architecture:
    """
    What counting parameters needs to know of a model: its width, its linear layers, its total, its norms' numbers, whether
    the head is `tied` to the embedding, and what a position leaves in the `cache` where the layers do not tell (0: they do).
    """

    hidden_size: int
    linears: tuple[Linear, ...]
    parameters: int
    norms: int = 0
    tied: bool = True
    cache: int = 0

    @property
    def layers(self) -> int:
        """How many blocks there are: each asks its queries once."""
        return sum(one.count for one in self.linears if one.role in ("q_proj", FUSED))


def cache_entries(architecture: Architecture) -> int:
    """Numbers that a position leaves in the cache of keys and values: the outputs of what makes these."""
    if architecture.cache:
        return architecture.cache
    plain = sum(one.outputs * one.count for one in architecture.linears if one.role in ("k_proj", "v_proj"))
    fused = sum(2 * one.outputs // 3 * one.count for one in architecture.linears if one.role == "query_key_value")
    return plain + fused


def llama(
    hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, vocabulary: int,
    head_size: int = 0, tied: bool = True, qkv_bias: bool = False, head_norms: bool = False, block_norms: int = 2,
) -> Architecture:  # fmt: skip
    """
    A decoder of the Llama family (SmolLM, Llama 3.2, Qwen2.5 with `qkv_bias`, Qwen3 with `head_norms`, Gemma 3 with four
    `block_norms` besides): grouped-query attention, gated MLP.
    """
    head_size = head_size or hidden // heads
    query, key_value = heads * head_size, kv_heads * head_size
    linears = (
        Linear("q_proj", hidden, query, layers, qkv_bias),
        Linear("k_proj", hidden, key_value, layers, qkv_bias),
        Linear("v_proj", hidden, key_value, layers, qkv_bias),
        Linear("o_proj", query, hidden, layers),
        Linear("gate_proj", hidden, intermediate, layers),
        Linear("up_proj", hidden, intermediate, layers),
        Linear("down_proj", intermediate, hidden, layers),
    )
    scales = (block_norms * layers + 1) * hidden + (2 * head_size * layers if head_norms else 0)
    embeddings = vocabulary * hidden * (1 if tied else 2)
    return Architecture(hidden, linears, embeddings + scales + _count(linears), scales, tied)


def bloom(hidden: int, layers: int, vocabulary: int) -> Architecture:
    """BLOOM: fused query_key_value, biases everywhere, LayerNorms with bias, one more norm after the embedding."""
    linears = (
        Linear("query_key_value", hidden, 3 * hidden, layers, True),
        Linear("dense", hidden, hidden, layers, True),
        Linear("dense_h_to_4h", hidden, 4 * hidden, layers, True),
        Linear("dense_4h_to_h", 4 * hidden, hidden, layers, True),
    )
    scales = (2 * layers + 2) * 2 * hidden
    return Architecture(hidden, linears, vocabulary * hidden + scales + _count(linears), scales)


def transformer(hidden: int, layers: int, others: int) -> Architecture:
    """
    The classic block (GPT-3, RoBERTa, DeBERTa): four square matrices of attention, a feed-forward block four times as
    wide, biases everywhere, two LayerNorms. `others` are the parameters outside the blocks. The layers are named as
    Llama names them, so that a choice of targets means the same everywhere.
    """
    attention = tuple(Linear(name, hidden, hidden, layers, True) for name in ("q_proj", "k_proj", "v_proj", "o_proj"))
    linears = (
        *attention,
        Linear("up_proj", hidden, 4 * hidden, layers, True),
        Linear("down_proj", 4 * hidden, hidden, layers, True),
    )
    return Architecture(hidden, linears, _count(linears) + 4 * hidden * layers + others)


def t5(hidden: int, heads: int, feedforward: int, layers: int, vocabulary: int = 32128) -> Architecture:
    """
    T5 v1.1, under Llama's names: `layers` encoder blocks with one attention, as many decoder blocks with two (the second
    reads the encoder), gated feed-forward blocks, heads of 64, no biases, an output head of its own, and 32 relative
    positions a head in the first encoder and the first decoder block.
    """
    inner, attentions, blocks = 64 * heads, 3 * layers, 2 * layers
    linears = (
        *(Linear(name, hidden, inner, attentions) for name in ("q_proj", "k_proj", "v_proj")),
        Linear("o_proj", inner, hidden, attentions),
        Linear("gate_proj", hidden, feedforward, blocks),
        Linear("up_proj", hidden, feedforward, blocks),
        Linear("down_proj", feedforward, hidden, blocks),
    )
    norms = (attentions + blocks + 2) * hidden
    total = _count(linears) + 2 * vocabulary * hidden + norms + 2 * 32 * heads
    return Architecture(hidden, linears, total, tied=False)


def roberta(hidden: int, layers: int) -> Architecture:
    """Words, positions, one segment and their norm before the blocks, a pooler after them (transformers.RobertaModel)."""
    return transformer(hidden, layers, (50265 + 514 + 1 + 2) * hidden + hidden * hidden + hidden)


def deberta(hidden: int, layers: int) -> Architecture:
    """Words, relative positions, three norms and a convolution over three words (transformers.DebertaV2Model)."""
    return transformer(hidden, layers, (128100 + 512 + 3 * 2) * hidden + 3 * hidden * hidden + hidden)


def described(model: PreTrainedModel) -> dict[str, Linear]:
    """Each linear layer inside the decoder, not the output head, by its path: one of its kind."""
    used, beyond = roles(model), beyond_peft(model)
    found = {}
    for path, layer in linear_layers(model).items():
        name = kind_of(path)
        role = EXPERTS if name in beyond else used[path] or OUTSIDE
        found[path] = Linear(name, *sides(layer), 1, layer.bias is not None, "" if role == name else role)
    return found


def beyond_peft(model: PreTrainedModel) -> set[str]:
    """
    Names of linear layers that PEFT's LoRA takes for those of experts, which transformers 5 holds as one block of numbers
    (peft.utils.transformers_weight_conversion): shared experts, and the dense layers of such a model.
    """
    from peft import LoraConfig
    from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers

    taken = set()
    for name in {kind_of(path) for path in linear_layers(model)}:
        config = LoraConfig(target_modules=[name])
        try:
            convert_peft_config_for_transformers(config, model, None)
        except ValueError:  # half of what is fused
            taken.add(name)
        if name not in (config.target_modules or ()):
            taken.add(name)
    return taken


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The same description read from a loaded model (linear layers inside the decoder, not the output head)."""
    kinds: dict[Linear, list[int | None]] = {}
    for path, one in described(model).items():
        kinds.setdefault(one, []).append(layer_of(path))
    linears = tuple(
        replace(one, count=len(places), layers=() if places == [*range(len(places))] else tuple(places))
        for one, places in kinds.items()
    )
    embeddings: Any = model.get_input_embeddings()
    width = embeddings.weight.shape[1]
    packed = {id(p) for p in model.parameters() if type(p).__name__ == "Params4bit"}  # bitsandbytes: two weights a byte
    scales = sum(p.numel() for norm in norms(model).values() for p in norm.parameters())
    total = sum(p.numel() * (2 if id(p) in packed else 1) for p in model.parameters())
    config = model.config.get_text_config()
    found = Architecture(width, linears, total, scales, bool(config.tie_word_embeddings))
    fused = any(one.role == FUSED for one in linears)
    return replace(found, cache=2 * found.layers * _key_width(config)) if fused else found


def _key_width(config: Any) -> int:
    """The numbers of all keys of a position where one layer makes queries, keys and values, as the config has them."""
    heads: int = config.num_attention_heads
    alone = getattr(config, "multi_query", False) and not getattr(config, "new_decoder_architecture", False)
    keys: int = getattr(config, "num_key_value_heads", None) or (1 if alone else heads)
    width: int = getattr(config, "head_dim", None) or config.hidden_size // heads
    return keys * width


def holds_experts(model: PreTrainedModel) -> bool:
    """Whether linear layers of several experts lie in one parameter: full fine-tuning trains it, PEFT adapts around it."""
    from torch import nn

    owners = (module for module in model.modules() if not isinstance(module, nn.Conv1d))
    return any(parameter.dim() == 3 for owner in owners for parameter in owner.parameters(recurse=False))


def entries(linears: Iterable[Linear]) -> int:
    """Numbers in the weight matrices, biases left out."""
    return sum(layer.count * layer.inputs * layer.outputs for layer in linears)


def _count(linears: tuple[Linear, ...]) -> int:
    """All their parameters."""
    return entries(linears) + sum(layer.count * layer.outputs for layer in linears if layer.bias)
