"""
Reparameterization methods whose factors are drawn once, or filled from a few numbers that all layers share: what is trained
is little, what is saved may be more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from playground.adapt.lora import factors
from playground.adapt.method import Values, alpha, batch_size, layered, learning_rate, per_layer, rank, targets
from playground.adapt.targets import targeted
from playground.bounds import Bound
from playground.model.architecture import Architecture, Linear


def random_bases(layer: Linear, values: Values) -> int:
    """Two diagonals for each of as many random bases as a full rank needs (Albert et al. 2025, section 4)."""
    shorter, r = min(layer.inputs, layer.outputs), int(values["rank"])
    return -(-shorter // r) * (r + shorter)


def drawn_once(width: int) -> Callable[[Architecture, Values], int]:
    """
    VeRA's fixed factors, which all layers share: (width x rank, widest input) and (widest output, rank); `width` is 2 where
    a mean and a variance are read (PEFT's VeraModel, PveraModel).
    """

    def beside(architecture: Architecture, values: Values) -> int:
        outputs, inputs = widest(architecture, values)
        found: int = values["rank"] * (width * inputs + outputs)
        return found

    return beside


def drawn_in_each(architecture: Architecture, values: Values) -> int:
    """RandLoRA's bases, which PEFT saves once for the model and once more with each layer (PEFT's RandLoraModel)."""
    sides, r = widest(architecture, values), int(values["rank"])
    bases = r * (min(sides) + max(sides) * -(-min(sides) // r))
    return bases * (1 + sum(layer.count for layer in targeted(architecture, values["targets"])))


def widest(architecture: Architecture, values: Values) -> tuple[int, int]:
    """The most outputs and the most inputs that a targeted layer has."""
    layers = targeted(architecture, values["targets"])
    return max(layer.outputs for layer in layers), max(layer.inputs for layer in layers)


def vector_bank(layer: Linear, values: Values) -> int:
    """A logit for every vector of the bank at every place (Li et al. 2024, section 3.2)."""
    places = layer.inputs // values["vector_length"] + layer.outputs // values["vector_length"]
    found: int = values["rank"] * places * values["vectors"]
    return found


_layered = partial(layered, family="reparameterization", steps=24)
DRAWN = (
    _layered(
        id="vera",
        paper="Kopiczko et al. 2023, arXiv 2310.11454",
        hyperparameters=(rank(256, 1, 1024), learning_rate(5e-2, 1.0), targets(), batch_size(4)),
        count=per_layer(lambda layer, values: values["rank"] + layer.outputs),
        beside=drawn_once(1),
        settings={"r": "rank"},
        peft="VERA",
        formula="W + Λ_b B Λ_d A",
        how="core",
    ),
    _layered(
        id="pvera",
        paper="arXiv 2512.07703",
        hyperparameters=(rank(512, 1, 1024), learning_rate(1e-1, 1.0), targets(), batch_size(4)),
        count=per_layer(lambda layer, values: 2 * values["rank"] + layer.outputs),
        beside=drawn_once(2),
        settings={"r": "rank"},
        peft="PVERA",
        formula="W + Λ_b B z, z ~ N(μ(A x), σ²(A x))",
        how="core",
    ),
    _layered(
        id="randlora",
        paper="Albert et al. 2025, arXiv 2502.00987",
        hyperparameters=(rank(32), learning_rate(5e-3, 1.0), alpha(64), targets(), batch_size(4)),
        count=per_layer(random_bases),
        beside=drawn_in_each,
        settings={"r": "rank", "randlora_alpha": "alpha"},
        peft="RANDLORA",
        formula="W + Σⱼ Bⱼ Λⱼ A Γⱼ",
        how="core",
    ),
    _layered(
        id="vblora",
        paper="Li et al. 2024, arXiv 2405.15179",
        hyperparameters=(
            rank(4),
            learning_rate(2e-2, 1.0),
            Bound("vectors", 64, 2, 512, advanced=True),
            Bound("vector_length", 64, choices=(16, 32, 64), advanced=True),
            targets(),
            batch_size(4),
        ),
        count=per_layer(vector_bank, lambda values: values["vectors"] * values["vector_length"]),
        settings={"r": "rank", "num_vectors": "vectors", "vector_length": "vector_length"},
        peft="VBLORA",
        formula="W + B A, [B, A] = [Σᵢ wᵢ vᵢ …]",
        how="factors",
        starts_as_base=False,
    ),
    _layered(
        id="unilora",
        paper="Li et al. 2025, arXiv 2506.00799",
        hyperparameters=(
            rank(4), learning_rate(2e-1, 1.0), Bound("shared_numbers", 2048, 1, 65536), targets(), batch_size(4),
        ),
        count=per_layer(lambda layer, values: 0, lambda values: values["shared_numbers"]),
        settings={"r": "rank", "theta_d_length": "shared_numbers"},
        peft="UNILORA",
        formula="W + B A, [B, A] = P θ",
        how="core",
        starts_as_base=False,
    ),
    _layered(
        id="tinylora",
        paper="arXiv 2602.04118",
        hyperparameters=(
            rank(16, 1, 32), learning_rate(1e-2, 1.0), Bound("core_numbers", 64, 1, 1024), targets(), batch_size(4),
        ),
        count=per_layer(lambda layer, values: values["core_numbers"]),
        beside=per_layer(lambda layer, values: factors(layer, values) + values["core_numbers"] * values["rank"] ** 2),
        settings={"r": "rank", "u": "core_numbers"},
        peft="TINYLORA",
        formula="W + U Σ (Σᵢ vᵢ Pᵢ) Vᵀ",
        how="core",
    ),
)  # fmt: skip
