"""
What counting needs to know of a model: its width, its linear layers, its total; from a formula or from the loaded model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.model.modules import linear_layers

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

    @property
    def linear_parameters(self) -> int:
        """Weights of the linear layers, biases left out."""
        return sum(layer.count * layer.inputs * layer.outputs for layer in self.linears)


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


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The same description read from a loaded model (linear layers inside the decoder, not the output head)."""
    kinds: dict[tuple[str, int, int, bool], int] = {}
    for path, layer in linear_layers(model).items():
        kind = (path.rsplit(".", 1)[-1], layer.in_features, layer.out_features, layer.bias is not None)
        kinds[kind] = kinds.get(kind, 0) + 1
    linears = tuple(Linear(name, inputs, outputs, n, bias) for (name, inputs, outputs, bias), n in kinds.items())
    embeddings: Any = model.get_input_embeddings()
    width = embeddings.weight.shape[1]
    packed = {id(p) for p in model.parameters() if type(p).__name__ == "Params4bit"}  # bitsandbytes: two weights a byte
    return Architecture(width, linears, sum(p.numel() * (2 if id(p) in packed else 1) for p in model.parameters()))


def _count(linears: tuple[Linear, ...]) -> int:
    return sum(layer.count * (layer.inputs * layer.outputs + layer.bias * layer.outputs) for layer in linears)
