"""
What counting needs to know of a model: its width, its linear layers, its total; from a formula or from the loaded model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.model.modules import kind_of, linear_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Linear:
    """`count` linear layers of the same name and shape; the weight is (outputs, inputs)."""

    name: str
    inputs: int
    outputs: int
    count: int
    bias: bool = False


@dataclass(frozen=True)
class Architecture:
    """What counting parameters needs to know of a model: its width, its linear layers, its total."""

    hidden_size: int
    linears: tuple[Linear, ...]
    parameters: int


def llama(
    hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, vocabulary: int,
    head_size: int = 0, tied: bool = True, qkv_bias: bool = False,
) -> Architecture:  # fmt: skip
    """A decoder of the Llama family (SmolLM2, Llama 3.2, Qwen2.5 with `qkv_bias`): grouped-query attention, gated MLP."""
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
    norms = (2 * layers + 1) * hidden
    embeddings = vocabulary * hidden * (1 if tied else 2)
    return Architecture(hidden, linears, embeddings + norms + _count(linears))


def bloom(hidden: int, layers: int, vocabulary: int) -> Architecture:
    """BLOOM: fused query_key_value, biases everywhere, LayerNorms with bias, one more norm after the embedding."""
    linears = (
        Linear("query_key_value", hidden, 3 * hidden, layers, True),
        Linear("dense", hidden, hidden, layers, True),
        Linear("dense_h_to_4h", hidden, 4 * hidden, layers, True),
        Linear("dense_4h_to_h", 4 * hidden, hidden, layers, True),
    )
    norms = (2 * layers + 2) * 2 * hidden
    return Architecture(hidden, linears, vocabulary * hidden + norms + _count(linears))


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
    return Architecture(hidden, linears, _count(linears) + 2 * vocabulary * hidden + norms + 2 * 32 * heads)


def roberta(hidden: int, layers: int) -> Architecture:
    """Words, positions, one segment and their norm before the blocks, a pooler after them (transformers.RobertaModel)."""
    return transformer(hidden, layers, (50265 + 514 + 1 + 2) * hidden + hidden * hidden + hidden)


def deberta(hidden: int, layers: int) -> Architecture:
    """Words, relative positions, three norms and a convolution over three words (transformers.DebertaV2Model)."""
    return transformer(hidden, layers, (128100 + 512 + 3 * 2) * hidden + 3 * hidden * hidden + hidden)


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The same description read from a loaded model (linear layers inside the decoder, not the output head)."""
    kinds: Counter[tuple[str, int, int, bool]] = Counter()
    for path, layer in linear_layers(model).items():
        kinds[kind_of(path), layer.in_features, layer.out_features, layer.bias is not None] += 1
    linears = tuple(Linear(name, inputs, outputs, n, bias) for (name, inputs, outputs, bias), n in kinds.items())
    embeddings: Any = model.get_input_embeddings()
    width = embeddings.weight.shape[1]
    packed = {id(p) for p in model.parameters() if type(p).__name__ == "Params4bit"}  # bitsandbytes: two weights a byte
    return Architecture(width, linears, sum(p.numel() * (2 if id(p) in packed else 1) for p in model.parameters()))


def entries(linears: Iterable[Linear]) -> int:
    """Numbers in the weight matrices, biases left out."""
    return sum(layer.count * layer.inputs * layer.outputs for layer in linears)


def _count(linears: tuple[Linear, ...]) -> int:
    """All their parameters."""
    return entries(linears) + sum(layer.count * layer.outputs for layer in linears if layer.bias)
