"""
The modules of a decoder by their paths: which are linear layers, what kind they are, which layer they lie in, and what
each is for, so that a choice of targets means the same in every family.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from playground.model.randomness import drawn_apart

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

SHARED_NAMES = ("c_proj", "linear", "layer")  # GPT-2 calls the way out of both of its blocks so; Moshi all layers
# What a linear layer is for, in the names that Llama and BLOOM have for it
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "query_key_value", "dense")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj", "dense_h_to_4h", "dense_4h_to_h")
FUSED, OTHER_ATTENTION, ROUTER = "query_key_value", "attention", "router"


def linear_layers(model: PreTrainedModel) -> dict[str, Any]:
    """
    The linear layers of the decoder by their paths, GPT-2's Conv1D among them: without the output head, and without what
    reads pictures or sound. A class of its own that computes something else (a router) is none.
    """
    decoder, head = model.get_decoder(), model.get_output_embeddings()
    decoder = model.base_model if decoder is head else decoder  # ModernBERT's head is called decoder
    start = next(path for path, one in model.named_modules() if one is decoder)
    inside = decoder.named_modules(prefix=start)
    return {path: one for path, one in inside if is_linear(one) and one is not head}


def norms(model: PreTrainedModel) -> dict[str, Any]:
    """The norms that have a weight, by their paths: LayerNorm, RMSNorm, whatever a family calls them."""
    return {
        path: module
        for path, module in model.named_modules()
        if "norm" in type(module).__name__.lower() and not module._modules and module._parameters.get("weight") is not None
    }


def is_linear(module: Any) -> bool:
    """Whether it multiplies with a matrix and does nothing else: nn.Linear, Conv1D, bitsandbytes' own, Falcon's."""
    from torch import nn

    if is_transposed(module) or type(module) is nn.Linear:
        return True
    kind: Any = type(module)
    return isinstance(module, nn.Linear) and (type(module).__module__.startswith("bitsandbytes.nn") or _plain(kind))


@cache
def _plain(kind: type[nn.Linear]) -> bool:
    """Whether a class derived from nn.Linear still computes what that does (Falcon's does, a router does not)."""
    import torch

    with drawn_apart(torch.device("cpu")):
        try:
            layer, x = kind(3, 2), torch.ones(1, 3)
            return torch.allclose(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
        except (TypeError, AttributeError, ValueError, RuntimeError, LookupError):  # it wants to be made in another way
            return False


def is_transposed(layer: Any) -> bool:
    """Whether its weight lies as (inputs, outputs), as that of transformers' Conv1D does."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(layer, Conv1D)


def sides(layer: Any) -> tuple[int, int]:
    """(inputs, outputs) of a linear layer, however it holds its weight."""
    inputs, outputs = layer.weight.shape if is_transposed(layer) else (layer.in_features, layer.out_features)
    return inputs, outputs


def upright(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    """A weight that lies as the layer's own does, as (outputs, inputs); and back."""
    return weight.T if is_transposed(layer) else weight


def kind_of(module: str) -> str:
    """A module's own name; with the one before it where that alone does not say what it is."""
    parent, _, name = module.rpartition(".")
    unclear = name.isdigit() or name in SHARED_NAMES or (name in FEED_FORWARD and "attn" in parent.rpartition(".")[2])
    return ".".join(module.split(".")[-2:]) if unclear else name


def layer_of(module: str) -> int | None:
    """The number of the layer that a module lies in; None outside of the layers."""
    found = re.search(r"\.(\d+)\.", module)
    return int(found[1]) if found else None


def roles(model: PreTrainedModel) -> dict[str, str]:
    """
    What each linear layer is for, by its path: one of ATTENTION or FEED_FORWARD, OTHER_ATTENTION, ROUTER, or "" for what
    lies in no layer. Read from the block that it lies in, its name and its shape; PEFT's table of what LoRA adapts helps
    where an attention block's names say nothing.
    """
    blocks: dict[str, dict[str, Any]] = defaultdict(dict)
    found: dict[str, str] = {}
    for path, layer in linear_layers(model).items():
        if _in_attention(model, path):
            found[path] = _attention_role(kind_of(path))
        elif layer_of(path) is None:
            found[path] = ""
        else:
            blocks[path.rpartition(".")[0]][path] = layer
    for block in _joined(blocks):
        found |= _feed_forward_roles(block, width_of(model))
    return found | _fused(model, found)


def _joined(blocks: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks; what BERT keeps in modules of its own, one for each of its layers, is one."""
    joined: dict[str, dict[str, Any]] = defaultdict(dict)
    for path, block in blocks.items():
        joined[path.rpartition(".")[0] if len(block) == 1 else path] |= block
    return list(joined.values())


def width_of(model: PreTrainedModel) -> int:
    """Of what the layers hand on; the embeddings may be narrower."""
    embeddings: Any = model.get_input_embeddings()
    width: int = getattr(model.config.get_text_config(), "hidden_size", embeddings.weight.shape[1])
    return width


def _in_attention(model: PreTrainedModel, path: str) -> bool:
    above = accumulate(path.split(".")[:-1], "{}.{}".format)
    return any(_is_attention(model, one) for one in above)


def _is_attention(model: PreTrainedModel, path: str) -> bool:
    kind = type(model.get_submodule(path)).__name__
    return ("Attention" in kind and not kind.endswith("Layer")) or path.endswith("attn")


def _attention_role(name: str) -> str:
    """By the letters q, k and v in its name (`Wqkv`, `query`, `kv_b_proj`); MLA's first, narrowing step is no query yet."""
    if name in ATTENTION:
        return name
    words = re.split(r"[^a-z]+", name.lower())
    letters = {"query": "q", "key": "k", "value": "v"}
    plain = [letters.get(word) or word.removeprefix("w") for word in words]
    held = {letter for word in plain if word and set(word) <= set("qkv") for letter in word}
    if "a" in words or not held:
        return OTHER_ATTENTION
    return FUSED if held == set("qkv") else "v_proj" if "v" in held else "q_proj" if "q" in held else "k_proj"


def _feed_forward_roles(block: dict[str, Any], width: int) -> dict[str, str]:
    """
    One feed-forward block's: the last layer as wide as the model is the way out, and what makes its inputs (once, or twice
    where the gate is fused) the way in. Anything else routes.
    """
    named = {path: kind_of(path) for path in block}
    if all(name in FEED_FORWARD for name in named.values()):
        return named
    last = next((path for path, layer in reversed(block.items()) if sides(layer)[1] == width), None)
    inner = sides(block[last])[0] if last else 0
    inside = {path: sides(layer)[1] in (inner, 2 * inner) for path, layer in block.items()}
    return {path: "down_proj" if path == last else "up_proj" if inside[path] else ROUTER for path in block}


def _fused(model: PreTrainedModel, found: dict[str, str]) -> dict[str, str]:
    """Attention blocks without queries, keys and values of their own: the widest layer holds all three, or PEFT knows."""
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    layers, unknown = linear_layers(model), defaultdict[str, list[str]](list)
    for path, role in found.items():
        if role == OTHER_ATTENTION:
            unknown[path.rpartition(".")[0]].append(path)
    fused: dict[str, str] = {}
    for block, paths in unknown.items():
        told = any(path.startswith(f"{block}.") and role in ATTENTION for path, role in found.items())
        if told or not _is_attention(model, block):
            continue
        named = [path for path in paths if path.rpartition(".")[2] in KNOWN.get(model.config.model_type, ())]
        widest = max(paths, key=lambda path: sides(layers[path])[1] - sides(layers[path])[0])
        fused |= dict.fromkeys(named or [widest], FUSED)
    return fused
