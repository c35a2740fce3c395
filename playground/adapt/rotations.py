"""
Reparameterization methods that turn a frozen weight, train some of its own directions, or write its update in another basis.
"""

from __future__ import annotations

from functools import partial

from playground.adapt.method import Values, alpha, batch_size, layered, learning_rate, per_layer, rank, targets
from playground.adapt.targets import targeted
from playground.bounds import Bound
from playground.model.architecture import Architecture, Linear

FREQUENCIES = Bound("frequencies", 1000, 1, 20000)


def divisor(size: int, wanted: int) -> int:
    """What PEFT's OFT takes for blocks of a `wanted` side: the next divisor of the size, the lower one of two."""
    if wanted >= size:
        return size
    higher = next(one for one in range(wanted, size + 1) if size % one == 0)
    lower = next(one for one in range(wanted, 0, -1) if size % one == 0)
    return lower if wanted - lower <= higher - wanted else higher


def rotated_blocks(layer: Linear, values: Values) -> int:
    """A skew-symmetric matrix for each block of the inputs (Qiu et al. 2023, section 3.2)."""
    block = divisor(layer.inputs, values["block_size"])
    return layer.inputs // block * (block * (block - 1) // 2)


def weakest(layer: Linear, values: Values) -> int:
    """The singular values and vectors of the weakest directions (Nayak et al. 2025, section 3)."""
    shorter = min(layer.inputs, layer.outputs)
    kept = int(shorter * values["kept_share"])
    return (shorter - kept) * (layer.inputs + layer.outputs + 1)


def sparse_rotation(layer: Linear, values: Values) -> int:
    """A number for each output direction, and some off the diagonal (PEFT's FrodLayer)."""
    return layer.inputs + off_diagonal(layer, values)


def off_diagonal(layer: Linear, values: Values) -> int:
    return max(1, int(layer.inputs * layer.inputs * values["sparse_rate"]))


def found_together(architecture: Architecture, values: Values) -> int:
    """
    FRoD's V for all layers of one name, and the places off its diagonal: a row and a column each, and two sides, in eight
    bytes (PEFT's FrodModel).
    """
    layers = targeted(architecture, values["targets"])
    return sum(layer.inputs**2 + 2 * (2 * off_diagonal(layer, values) + 2) for layer in layers)


_layered = partial(layered, family="reparameterization", steps=24)
ROTATIONS = (
    _layered(
        id="oft",
        paper="Qiu et al. 2023, arXiv 2306.07280",
        hyperparameters=(
            Bound("block_size", 32, choices=(8, 16, 32, 64)), learning_rate(5e-3, 1.0), targets(), batch_size(4),
        ),
        count=per_layer(rotated_blocks),
        settings={"oft_block_size": "block_size"},
        constants={"r": 0},
        peft="OFT",
        formula="W R, R = diag(R₁ … Rₙ), RᵀR = I",
        how="rotation",
    ),
    _layered(
        id="boft",
        paper="Liu et al. 2023, arXiv 2311.06243",
        hyperparameters=(
            Bound("block_size", 8, choices=(2, 4, 8, 16)), learning_rate(1e-2, 1.0), targets(), batch_size(4),
        ),
        count=per_layer(lambda layer, values: layer.inputs * values["block_size"] + layer.outputs),
        settings={"boft_block_size": "block_size"},
        peft="BOFT",
        formula="s ⊙ W R, RᵀR = I",
        how="rotation",
    ),
    _layered(
        id="hra",
        paper="Yuan et al. 2024, arXiv 2405.17484",
        hyperparameters=(
            Bound("rank", 8, choices=(2, 4, 8, 16, 32)), learning_rate(1e-2, 1.0), targets(), batch_size(4),
        ),
        count=per_layer(lambda layer, values: values["rank"] * layer.inputs),
        settings={"r": "rank"},
        peft="HRA",
        formula="W H₁ … H_r, Hᵢ = I − 2uᵢuᵢᵀ",
        how="rotation",
    ),
    _layered(
        id="road",
        paper="Liao & Monz 2024, arXiv 2409.00119",
        hyperparameters=(
            Bound("group_size", 64, choices=(16, 32, 64), advanced=True), learning_rate(3e-2, 1.0), targets("all_linear"),
            batch_size(4),
        ),
        count=per_layer(lambda layer, values: layer.outputs // 2 * 2),
        settings={"group_size": "group_size"},
        constants={"variant": "road_1"},
        peft="ROAD",
        formula="R(θ, α) W x",
        how="rotation",
    ),
    _layered(
        id="psoft",
        paper="openreview FSHrinMArK",
        hyperparameters=(rank(32, 2, 64), learning_rate(1e-2, 1.0), alpha(32), targets(), batch_size(4)),
        count=per_layer(lambda layer, values: values["rank"] * (values["rank"] - 1) // 2 + 2 * values["rank"]),
        settings={"r": "rank", "psoft_alpha": "alpha"},
        peft="PSOFT",
        formula="W + B (diag(a) R diag(b) − I) A",
        how="turned_core",
    ),
    _layered(
        id="osf",
        paper="Nayak et al. 2025, arXiv 2504.07097",
        hyperparameters=(
            Bound("kept_share", 0.95, 0.1, 0.99), learning_rate(2e-3, 1.0), targets(), batch_size(4),
        ),
        count=per_layer(weakest),
        settings={"effective_rank": "kept_share"},
        peft="OSF",
        formula="U₁Σ₁V₁ᵀ + U₂Σ₂V₂ᵀ",
        how="weakest",
    ),
    _layered(
        id="frod",
        paper="AAAI 2026, doi 10.1609/aaai.v40i31.39813",
        hyperparameters=(
            Bound("sparse_rate", 0.01, 1e-4, 0.1), learning_rate(2e-3, 1.0), targets(), batch_size(4),
        ),
        count=per_layer(sparse_rotation),
        beside=found_together,
        settings={"sparse_rate": "sparse_rate"},
        constants={"progressbar": False},
        peft="FROD",
        formula="U (Λ + S) Vᵀ",
        how="sparse_core",
    ),
    _layered(
        id="fourierft",
        paper="Gao et al. 2024, arXiv 2405.03003",
        hyperparameters=(
            FREQUENCIES, learning_rate(5e-2, 1.0), Bound("scaling", 150.0, 1.0, 1000.0, advanced=True), targets(),
            batch_size(4),
        ),
        count=per_layer(lambda layer, values: values["frequencies"]),
        settings={"n_frequency": "frequencies", "scaling": "scaling"},
        constants={"init_weights": True},
        peft="FOURIERFT",
        formula="W + α · Re IDFT₂(F)",
        how="spectrum",
    ),
    _layered(
        id="waveft",
        paper="Bilican et al. 2025, arXiv 2505.12532",
        hyperparameters=(
            FREQUENCIES, learning_rate(5e-3, 1.0), Bound("scaling", 25.0, 1.0, 1000.0, advanced=True), targets(),
            batch_size(4),
        ),
        count=per_layer(lambda layer, values: values["frequencies"]),
        settings={"n_frequency": "frequencies", "scaling": "scaling"},
        peft="WAVEFT",
        formula="W + α · IDWT(C)",
        how="spectrum",
    ),
    _layered(
        id="c3a",
        paper="Chen et al. 2024, arXiv 2407.19342",
        hyperparameters=(
            Bound("block_size", 64, choices=(16, 32, 64)), learning_rate(2e-1, 1.0), targets(), batch_size(4),
        ),
        count=per_layer(lambda layer, values: layer.inputs * layer.outputs // values["block_size"]),
        settings={"block_size": "block_size"},
        constants={"init_weights": True},
        peft="C3A",
        formula="W + [circ(cᵢⱼ)]",
        how="spectrum",
    ),
)  # fmt: skip
