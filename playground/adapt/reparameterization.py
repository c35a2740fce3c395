"""
Reparameterization methods (Lialin et al. 2023): they train an update of frozen weights in few numbers.

Here those whose update is made of factors that are trained; `drawn` has those whose factors are drawn once, `rotations`
those that turn the weight, or write the update in another basis.
"""

from __future__ import annotations

from functools import partial

from playground.adapt.lora import factors
from playground.adapt.method import (
    Values,
    alpha,
    batch_size,
    layered,
    learning_rate,
    per_layer,
    rank,
    targets,
)
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.model.architecture import Linear


def near_square(size: int) -> tuple[int, int]:
    """The two factors of a size that lie closest together, the smaller first."""
    lower = next(one for one in range(int(size**0.5), 0, -1) if size % one == 0)
    return lower, size // lower


def kronecker(layer: Linear, values: Values) -> int:
    """W₁ ⊗ W₂, the second of which is a product itself where its rank is below half its side (PEFT's LoKrLayer)."""
    (out_1, out_2), (in_1, in_2), r = near_square(layer.outputs), near_square(layer.inputs), values["rank"]
    return out_1 * in_1 + (r * (out_2 + in_2) if r < max(out_2, in_2) / 2 else out_2 * in_2)


def generalized(layer: Linear, values: Values) -> int:
    """Factors for A and for B; where there is a bias two that make it of the weight, and two numbers (PEFT's GloraLayer)."""
    of_bias: int = values["rank"] * (layer.inputs + 1) + 2 if layer.bias else 0
    return 2 * factors(layer, values) + of_bias


def unused(layer: Linear, values: Values) -> int:
    """GLoRA's paths C, D and E, which PEFT saves as zeros where there is no bias that they could make something of."""
    return 0 if layer.bias else layer.inputs + 2 * layer.outputs


def triplets(layer: Linear, values: Values) -> int:
    """
    P and Q of the initial rank, and a singular value for each pair (Zhang et al. 2023, section 3.1). Raises PlaygroundError
    if no rank is left to be taken away.
    """
    if values["initial_rank"] <= values["rank"]:
        raise PlaygroundError("initial_rank_low", initial=values["initial_rank"], rank=values["rank"])
    found: int = values["initial_rank"] * (layer.inputs + layer.outputs + 1)
    return found


def budget(steps: int) -> dict[str, int]:
    """
    When AdaLoRA takes ranks away, in PEFT's names: not in the first sixth of the steps, when nothing is known of their
    importance, nor in the second half, when those that are left learn on (Zhang et al. 2023, equation 12). PEFT ends
    at the target from the second step on; a run of one step stays above it.
    """
    planned = max(steps, 2)
    return {"total_step": planned, "tinit": planned // 6, "tfinal": min(planned // 2, planned - 2)}


def neural(layer: Linear, values: Values) -> int:
    """Two layers from and to the outputs, and two of rank x rank for each further one (PEFT's PeanutLayer)."""
    found: int = 2 * values["rank"] * layer.outputs + 2 * values["depth"] * values["rank"] ** 2
    return found


_layered = partial(layered, family="reparameterization", steps=24)
REPARAMETERIZATION = (
    _layered(
        id="adalora",
        paper="Zhang et al. 2023, arXiv 2303.10512",
        hyperparameters=(
            rank(8),
            learning_rate(3e-2, 1.0),
            Bound("initial_rank", 12, 2, 96),
            alpha(16),
            targets(),
            batch_size(4),
        ),
        count=per_layer(triplets),
        frozen=per_layer(lambda layer, values: 1),  # how many ranks it has, by which it is scaled
        settings={"target_r": "rank", "init_r": "initial_rank", "lora_alpha": "alpha"},
        constants={"total_step": 24},  # PEFT wants some; the schedule says how many
        schedule=budget,
        peft="ADALORA",
        formula="W + α/r₀ · P Λ Q",
        how="factors",
        quantized=True,
    ),
    _layered(
        id="loha",
        paper="Hyeon-Woo et al. 2021, arXiv 2108.06098",
        hyperparameters=(rank(8), learning_rate(1e-2, 1.0), alpha(16), targets(), batch_size(4)),
        count=per_layer(lambda layer, values: 2 * factors(layer, values)),
        settings={"r": "rank", "alpha": "alpha"},
        peft="LOHA",
        formula="W + α/r · (B₁A₁) ⊙ (B₂A₂)",
        how="factors",
    ),
    _layered(
        id="lokr",
        paper="Yeh et al. 2023, arXiv 2309.14859",
        hyperparameters=(rank(8), learning_rate(1e-2, 1.0), alpha(8), targets(), batch_size(4)),
        count=per_layer(kronecker),
        settings={"r": "rank", "alpha": "alpha"},
        peft="LOKR",
        formula="W + W₁ ⊗ W₂",
        how="factors",
    ),
    _layered(
        id="hira",
        paper="Huang et al. 2025, openreview TwJrTz9cRS",
        hyperparameters=(rank(8), learning_rate(2e-2, 1.0), targets(), batch_size(4)),
        count=per_layer(factors),
        settings={"r": "rank"},
        peft="HIRA",
        formula="W + W ⊙ (B A)",
        how="factors",
    ),
    _layered(
        id="gralora",
        paper="Jung et al. 2025, arXiv 2505.20355",
        hyperparameters=(
            Bound("rank", 8, choices=(2, 4, 8, 16, 32, 64)),
            learning_rate(1e-2, 1.0),
            alpha(16),
            targets(),
            batch_size(4),
        ),
        count=per_layer(factors),
        settings={"r": "rank", "alpha": "alpha"},
        peft="GRALORA",
        formula="W + α/r · [Bᵢⱼ Aᵢⱼ]",
        how="factors",
    ),
    _layered(
        id="delora",
        paper="Bini et al. 2025, arXiv 2503.18225",
        hyperparameters=(
            rank(8),
            learning_rate(5e-4, 1.0),
            Bound("strength", 15.0, 0.1, 100.0, advanced=True),
            targets(),
            batch_size(4),
        ),
        count=per_layer(lambda layer, values: factors(layer, values) + 1),
        beside=per_layer(lambda layer, values: layer.inputs),  # the norm of each of W's columns
        settings={"r": "rank", "delora_lambda": "strength"},
        peft="DELORA",
        formula="W + λ‖W‖/r · B Ξ A",
        how="factors",
    ),
    _layered(
        id="glora",
        paper="Chavan et al. 2023, arXiv 2306.07967",
        hyperparameters=(rank(4), learning_rate(1e-2, 1.0), targets(), batch_size(4)),
        count=per_layer(generalized),
        beside=per_layer(unused),
        settings={"r": "rank"},
        peft="GLORA",
        formula="W + W A + B",
        how="factors",
    ),
    _layered(
        id="deft",
        paper="PEFT 0.21, DEFT",
        hyperparameters=(rank(8), learning_rate(1e-2, 1.0), targets(), batch_size(4)),
        count=per_layer(factors),
        settings={"r": "rank"},
        peft="DEFT",
        formula="(I − P relu(P)ᵀ) W + P R",
        how="factors",
    ),
    _layered(
        id="peanut",
        paper="Zhong et al. 2024, arXiv 2410.01870",
        hyperparameters=(
            rank(8), learning_rate(1e-2, 1.0), Bound("depth", 0, 0, 4, advanced=True), targets(), batch_size(4),
        ),
        count=per_layer(neural),
        settings={"r": "rank", "depth": "depth"},
        peft="PEANUT",
        formula="W + B relu(A W)",
        how="factors",
    ),
    _layered(
        id="miss",
        paper="Kang & Yin 2024, arXiv 2409.15371",
        hyperparameters=(rank(16), learning_rate(5e-3, 1.0), targets(), batch_size(4)),
        count=per_layer(lambda layer, values: values["rank"] * layer.outputs),
        settings={"r": "rank"},
        peft="MISS",
        formula="W + [D D … D]",
        how="factors",
    ),
)  # fmt: skip
