"""
Additive methods (Lialin et al. 2023): they put something new before, beside or behind frozen layers.
"""

from __future__ import annotations

from functools import partial

from playground.adapt import configs
from playground.adapt.method import (
    CACHE,
    PROMPT,
    Method,
    Values,
    batch_size,
    found,
    layered,
    learning_rate,
    names,
    per_layer,
    targets,
)
from playground.adapt.targets import IA3_FEEDFORWARD, IA3_TARGETS, used_as
from playground.bounds import Bound
from playground.model.architecture import Architecture, cache_entries

TOKENS = Bound("virtual_tokens", 20, 1, 100)


def count_prompt_tuning(architecture: Architecture, values: Values) -> int:
    """Virtual tokens x width (Lester et al. 2021, table 4)."""
    tokens: int = values["virtual_tokens"]
    return tokens * architecture.hidden_size


def count_ia3(architecture: Architecture, values: Values) -> int:
    """One factor per key, per value and per inner feed-forward activation (Liu et al. 2022, section 3.3)."""
    layers = used_as(architecture, IA3_TARGETS, "ia3")
    return sum(layer.count * (layer.inputs if layer.role in IA3_FEEDFORWARD else layer.outputs) for layer in layers)


def count_p_tuning(architecture: Architecture, values: Values) -> int:
    """Virtual tokens, and the network of three layers that they go through (Liu et al. 2021, section 3.2)."""
    return count_prompt_tuning(architecture, values) + encoder(architecture, values)


def encoder(architecture: Architecture, values: Values) -> int:
    """That network: what it makes of the virtual tokens is saved, it is not."""
    inner, width = values["encoder_width"], architecture.hidden_size
    found: int = (width + 1) * inner + (inner + 1) * inner + (inner + 1) * width
    return found


def count_prefix_tuning(architecture: Architecture, values: Values) -> int:
    """A key and a value in every layer for each virtual token (Li & Liang 2021, section 4.2)."""
    tokens: int = values["virtual_tokens"]
    return tokens * found(cache_entries(architecture), "prefix_tuning", architecture)


def count_adaption_prompt(architecture: Architecture, values: Values) -> int:
    """A prompt and a gate in each of the last layers (Zhang et al. 2023, section 3.1)."""
    each: int = values["adapter_length"] * architecture.hidden_size + 1
    return each * min(int(values["last_layers"]), found(architecture.layers, "adaption_prompt", architecture))


_soft = partial(  # virtual tokens, over weights of whatever form
    Method, family="additive", how="tokens", merges=False, changes_weights=False, quantized=True, starts_as_base=False
)
ADDITIVE = (
    _soft(
        id="prompt_tuning",
        paper="Lester et al. 2021, arXiv 2104.08691",
        steps=30,
        hyperparameters=(
            TOKENS,
            learning_rate(2e-2, 1.0),
            Bound("initialization", "vocabulary", choices=("random", "vocabulary", "text"), advanced=True),
            Bound("initialization_text", "", maximum=300, advanced=True),
            batch_size(4),
        ),
        count=count_prompt_tuning,
        config=configs.prompt_tuning_config,
        peft="PROMPT_TUNING",
        formula="[p₁ … pₙ ; e(x)]",
        parts=lambda architecture, values: (PROMPT,),
        front=True,
    ),
    Method(
        id="ia3",
        family="additive",
        paper="Liu et al. 2022, arXiv 2205.05638",
        steps=24,
        hyperparameters=(learning_rate(3e-2, 1.0), batch_size(4)),
        count=count_ia3,
        config=configs.ia3_config,
        peft="IA3",
        formula="l ⊙ W x",
        how="vector",
        parts=lambda architecture, values: names(used_as(architecture, IA3_TARGETS, "ia3")),
        front=True,
        mixes=True,
        quantized=True,
    ),
    _soft(
        id="p_tuning",
        paper="Liu et al. 2021, arXiv 2103.10385",
        steps=24,
        hyperparameters=(
            TOKENS,
            learning_rate(5e-3, 1.0),
            Bound("encoder_width", 64, 1, 1024, advanced=True),
            batch_size(4),
        ),
        count=count_p_tuning,
        beside=lambda architecture, values: -encoder(architecture, values),
        config=configs.p_tuning_config,
        peft="P_TUNING",
        formula="[MLP(p₁) … MLP(pₙ) ; e(x)]",
        parts=lambda architecture, values: (PROMPT,),
    ),
    _soft(
        id="prefix_tuning",
        paper="Li & Liang 2021, arXiv 2101.00190",
        steps=24,
        hyperparameters=(TOKENS, learning_rate(5e-2, 1.0), batch_size(4)),
        count=count_prefix_tuning,
        config=configs.prefix_tuning_config,
        peft="PREFIX_TUNING",
        formula="softmax(q [Pₖ ; K]ᵀ) [Pᵥ ; V]",
        parts=lambda architecture, values: (CACHE,),
    ),
    Method(
        id="adaption_prompt",
        family="additive",
        paper="Zhang et al. 2023, arXiv 2303.16199",
        steps=24,
        hyperparameters=(
            Bound("adapter_length", 10, 1, 100),
            Bound("last_layers", 30, 1, 100),
            learning_rate(1e-2, 1.0),
            batch_size(4),
        ),
        count=count_adaption_prompt,
        config=configs.adaption_prompt_config,
        peft="ADAPTION_PROMPT",
        formula="Attn(x) + g · Attn(x, P)",
        how="tokens",
        parts=lambda architecture, values: (CACHE,),
        merges=False,
        changes_weights=False,
    ),
    layered(
        id="beft",
        family="additive",
        paper="Huang et al. 2025, arXiv 2509.15974",
        steps=24,
        hyperparameters=(learning_rate(3e-2, 1.0), targets(), batch_size(4)),
        count=per_layer(lambda layer, values: layer.outputs),
        settings={},
        peft="BEFT",
        formula="W x + b",
        how="biases",
        merges=False,
        changes_weights=False,
    ),
)
