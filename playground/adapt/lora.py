"""
LoRA and QLoRA: their records, and what two factors have in numbers.
"""

from __future__ import annotations

from functools import partial

from playground.adapt import configs, initialization, ranks
from playground.adapt.method import Method, Values, adapted, batch_size, learning_rate, targets
from playground.adapt.targets import targeted
from playground.bounds import Bound
from playground.model.architecture import Architecture, Linear

LORA = (ranks.RANK, learning_rate(1e-2, 1e-1))
LORA_ADVANCED = (
    ranks.ALPHA,
    ranks.RANKS,
    targets(),
    Bound("dropout", 0.0, 0.0, 0.5, advanced=True),
    Bound("rslora", False, advanced=True),
)


def factors(layer: Linear, values: Values) -> int:
    """r x (in + out): what two factors have (Hu et al. 2021, section 4.1)."""
    found: int = values["rank"] * (layer.inputs + layer.outputs)
    return found


def count_lora(architecture: Architecture, values: Values) -> int:
    """
    r x (in + out) a layer (Hu et al. 2021, section 4.1), r being its own where it has one, plus a magnitude per output row
    for DoRA (Liu et al. 2024). Raises PlaygroundError for settings that exclude each other.
    """
    initialization.check_together(values)
    layers = targeted(architecture, values["targets"])
    own = {module: {"rank": rule.rank} for module, rule in ranks.own(layers, values).items()}
    found = sum(factors(layer, own.get((layer.name, place), values)) for layer in layers for place in layer.places)
    magnitudes = sum(layer.count * layer.outputs for layer in layers) if values.get("dora") else 0
    return found + magnitudes + count_biases(architecture, values)


def count_biases(architecture: Architecture, values: Values) -> int:
    """The base's own biases that LoRA's `bias="lora_only"` trains: those of the adapted layers."""
    if values.get("bias") != "lora_only":
        return 0
    return sum(layer.count * layer.outputs for layer in targeted(architecture, values["targets"]) if layer.bias)


_lora = partial(
    Method, family="reparameterization", parts=adapted, peft="LORA", how="factors", front=True, mixes=True, quantized=True
)
LORAS = (
    _lora(
        id="lora",
        steps=24,
        paper="Hu et al. 2021, arXiv 2106.09685",
        hyperparameters=(
            *LORA,
            *LORA_ADVANCED,
            Bound("dora", False, advanced=True),
            Bound("bias", "none", choices=("none", "lora_only"), advanced=True),
            Bound("rate_ratio", 1.0, 1.0, 32.0, advanced=True),
            Bound("initialization", initialization.RANDOM, choices=initialization.LORA, advanced=True),
            batch_size(4),
        ),
        count=count_lora,
        config=configs.lora_config,
        own=count_biases,
        formula="W + α/r · B A",
    ),
    _lora(
        id="qlora",
        paper="Dettmers et al. 2023, arXiv 2305.14314",
        hyperparameters=(
            *LORA,
            *LORA_ADVANCED,
            Bound("double_quantization", True, advanced=True),
            Bound("initialization", initialization.RANDOM, choices=initialization.QLORA, advanced=True),
            batch_size(4),
        ),
        count=count_lora,
        config=configs.lora_config,
        quantization=lambda values: "nf4_double" if values.get("double_quantization", True) else "nf4",
        formula="NF4(W) + α/r · B A",
        steps=16,
    ),
)
