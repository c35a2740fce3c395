"""
Selective methods (Lialin et al. 2023): they train some of the parameters that the base has already.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from playground.adapt import configs
from playground.adapt.method import (
    NORM,
    PROMPT,
    Method,
    Values,
    batch_size,
    found,
    layered,
    learning_rate,
    names,
    per_layer,
    rank,
    targets,
)
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture, Linear, described
from playground.model.modules import layer_of

if TYPE_CHECKING:
    from playground.model.bases import Base


def count_biases(architecture: Architecture, values: Values) -> int:
    """The biases of all linear layers (Ben Zaken et al. 2021). Raises PlaygroundError where there are none."""
    count = sum(layer.count * layer.outputs for layer in architecture.linears if layer.bias)
    if not count:
        raise PlaygroundError("no_biases")
    return count


def chosen_biases(base: Base, values: Values) -> Collection[str]:
    return [f"{path}.bias" for path, layer in described(base.model).items() if layer.bias]


def count_last_layers(architecture: Architecture, values: Values) -> int:
    """The linear layers, biases included, of the last blocks."""
    first = first_of(architecture, values)
    return sum(
        (layer.inputs + layer.bias) * layer.outputs
        for layer in architecture.linears
        for place in layer.places
        if place is not None and place >= first
    )


def first_of(architecture: Architecture, values: Values) -> int:
    """The number of the first of the last blocks. Raises PlaygroundError where there are none."""
    places = [place for layer in architecture.linears for place in layer.places if place is not None]
    blocks: int = found(max(places, default=-1) + 1, "last_layers", architecture) - values["last_layers"]
    return blocks


def chosen_last_layers(base: Base, values: Values) -> Collection[str]:
    first = first_of(base.architecture, values)
    linear = {
        path: one for path, one in described(base.model).items() if (layer := layer_of(path)) is not None and layer >= first
    }
    return [f"{path}.{leaf}" for path, one in linear.items() for leaf in ("weight", *(["bias"] if one.bias else []))]


def count_norms(architecture: Architecture, values: Values) -> int:
    if not architecture.norms:
        raise PlaygroundError("no_norms")
    return architecture.norms


def scattered(layer: Linear, values: Values) -> int:
    """As many numbers as LoRA of this rank would have (Bhardwaj et al. 2024, section 4)."""
    count: int = values["rank"] * (layer.inputs + layer.outputs)
    return count


count_scattered = per_layer(scattered)
count_largest = per_layer(lambda layer, values: int(layer.inputs * layer.outputs * (1 - values["sparsity"])))


def count_tokens(architecture: Architecture, values: Values) -> int:
    tokens: int = values["trained_tokens"]
    return tokens * architecture.hidden_size


_method = partial(Method, family="selective", steps=24)
_layered = partial(layered, family="selective", steps=24)
SELECTIVE = (
    _method(
        id="bitfit",
        paper="Ben Zaken et al. 2021, arXiv 2106.10199",
        hyperparameters=(learning_rate(1e-2, 1.0), batch_size(4)),
        count=count_biases,
        own=count_biases,
        chosen=chosen_biases,
        formula="W x + b",
        how="biases",
        parts=lambda architecture, values: names(architecture.linears),
        merges=False,
        changes_weights=False,
    ),
    _method(
        id="ln_tuning",
        paper="Zhao et al. 2023, arXiv 2312.11420",
        hyperparameters=(learning_rate(2e-2, 1.0), batch_size(4)),
        count=count_norms,
        config=configs.ln_tuning_config,
        peft="LN_TUNING",
        formula="γ ⊙ x / rms(x)",
        how="whole",
        parts=lambda architecture, values: (NORM,),
        changes_weights=False,
        quantized=True,
    ),
    _method(
        id="last_layers",
        paper="Lee et al. 2019, arXiv 1911.03090",
        hyperparameters=(Bound("last_layers", 2, 1, 100), learning_rate(3e-4, 1e-1), batch_size(4)),
        count=count_last_layers,
        own=count_last_layers,
        chosen=chosen_last_layers,
        formula="Wₖ … W_L",
        how="whole",
        parts=lambda architecture, values: names(architecture.linears),
        merges=False,
    ),
    _method(
        id="trainable_tokens",
        paper="PEFT 0.21, TrainableTokens",
        hyperparameters=(Bound("trained_tokens", 8, 1, 16), learning_rate(2e-2, 1.0), batch_size(4)),
        count=count_tokens,
        beside=lambda architecture, values: architecture.tied * count_tokens(architecture, values),  # once more for the head
        config=configs.trainable_tokens_config,
        peft="TRAINABLE_TOKENS",
        formula="E[t₁ … tₙ]",
        how="whole",
        parts=lambda architecture, values: (PROMPT,),
        changes_weights=False,
    ),
    _layered(
        id="shira",
        paper="Bhardwaj et al. 2024, arXiv 2406.13175",
        hyperparameters=(rank(8), learning_rate(1e-2, 1.0), targets(), batch_size(4)),
        count=count_scattered,
        beside=lambda architecture, values: 2 * count_scattered(architecture, values),  # the row and the column of each
        settings={"r": "rank"},
        constants={"random_seed": 0},
        peft="SHIRA",
        formula="W + M ⊙ S",
        how="some",
    ),
    _layered(
        id="supertuning",
        paper="arXiv 2607.09287",
        hyperparameters=(Bound("sparsity", 0.99, 0.5, 0.9999), learning_rate(3e-2, 1.0), targets(), batch_size(4)),
        count=count_largest,
        beside=count_largest,  # the place of each
        settings={"sparsity": "sparsity"},
        peft="SUPERTUNING",
        formula="W + [|W| ≥ τ] ⊙ S",
        how="some",
    ),
)
