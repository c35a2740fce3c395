"""
The registry of methods: what each one trains, its hyperparameters, its count, and who makes its PEFT config.

The page, the API, the README and the tests walk `METHODS`; a new method is one more record. PEFT does the adapting;
what lies here is which of PEFT's settings a visitor may move, how far, and how many parameters that will train.
Knows nothing about data, training loops or the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.adapt import initialization
from playground.adapt.configs import ia3_config, lora_config, prompt_tuning_config
from playground.adapt.targets import IA3_FEEDFORWARD, IA3_TARGETS, TARGETS, targeted, used_as
from playground.bounds import Bound, shown
from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.model.architecture import Architecture, entries
from playground.model.catalogue import BITSANDBYTES

if TYPE_CHECKING:
    from peft import PeftConfig

    from playground.model.bases import Base


Values = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """
    One way of adapting.

    `family` is that of Lialin et al. 2023 (additive, selective, reparameterization) or "reference" for what is no
    adapter; `count` gives trainable parameters from an architecture, `config` the PEFT config, None where PEFT has none.
    """

    id: str
    family: str
    paper: str
    steps: int
    hyperparameters: tuple[Bound, ...]
    count: Callable[[Architecture, Values], int]
    config: Callable[[Base, Values], PeftConfig] | None = None
    quantization: Callable[[Values], str | None] = lambda values: None
    own: Callable[[Architecture, Values], int] = lambda architecture, values: 0  # trained parameters that the base has

    def complete(self, values: Values) -> dict[str, Any]:
        """All hyperparameters, checked, with defaults for what is left out. Raises PlaygroundError."""
        known = {parameter.name: parameter for parameter in self.hyperparameters}
        unknown = sorted(set(values) - set(known))
        if unknown:
            names, listed = shown(", ".join(unknown)), ", ".join(known)
            raise PlaygroundError("unknown_hyperparameter", names=names, method=self.id, known=listed)
        return {name: parameter.check(values.get(name, parameter.default)) for name, parameter in known.items()}

    def trainable(self, architecture: Architecture, values: Values) -> int:
        """How many parameters would be trained: what PEFT counts after wrapping. Raises PlaygroundError."""
        return self.count(architecture, self.complete(values))

    def counts(self, architecture: Architecture, values: Values) -> dict[str, Any]:
        """
        Trainable and total parameters as PEFT's `get_nb_trainable_parameters` gives them, and the bytes of what the
        adapter holds in float32. What is the base's own among the trained (biases, or everything) is in its total already.
        """
        complete = self.complete(values)
        trainable = self.count(architecture, complete)
        total = architecture.parameters + trainable - self.own(architecture, complete)
        copies = initialization.copies(complete)
        return {"trainable_parameters": trainable, "total_parameters": total, "bytes": 4 * trainable * copies}

    def base_id(self, base_id: str, values: Values) -> str:
        """The base whose frozen weights this method adapts: QLoRA's is the 4-bit form of the one asked for."""
        quantization = self.quantization(values)
        return f"{base_id.partition(':')[0]}:{quantization}" if quantization else base_id


def bits(form: str | None) -> float:
    """Held per weight of a linear layer, scales included; a simulated form is held in float32 as the plain one."""
    return format_of(form).bits_per_parameter() if form in BITSANDBYTES else 32


def frozen_bytes(architecture: Architecture, form: str | None, width: int) -> int:
    """
    What a frozen base takes: its linear layers in `form` (Dettmers et al. 2023, section 3; None: as the rest), everything
    else in `width` bytes a number.
    """
    linear = entries(architecture.linears) if form else 0
    return round(linear * bits(form) / 8) + (architecture.parameters - linear) * width


def training_memory(architecture: Architecture, trainable: int, form: str | None = None) -> int:
    """
    Bytes that training on a CPU holds at least: the frozen weights, and for everything trained a value, a gradient and
    AdamW's two moments, all in float32 but for linear layers in `form`. Activations come on top.
    """
    frozen = frozen_bytes(architecture, form, 4) if trainable < architecture.parameters else 0
    return frozen + trainable * 4 * 4


def count_lora(architecture: Architecture, values: Values) -> int:
    """r x (in + out) a layer (Hu et al. 2021, section 4.1), plus a magnitude per output row for DoRA (Liu et al. 2024)."""
    layers = targeted(architecture, values["targets"])
    rank: int = values["rank"]
    factors = sum(layer.count * rank * (layer.inputs + layer.outputs) for layer in layers)
    magnitudes = sum(layer.count * layer.outputs for layer in layers) if values.get("dora") else 0
    return factors + magnitudes + count_biases(architecture, values)


def count_biases(architecture: Architecture, values: Values) -> int:
    """The base's own biases that LoRA's `bias="lora_only"` trains: those of the adapted layers."""
    if values.get("bias") != "lora_only":
        return 0
    return sum(layer.count * layer.outputs for layer in targeted(architecture, values["targets"]) if layer.bias)


def count_prompt_tuning(architecture: Architecture, values: Values) -> int:
    """Virtual tokens x width (Lester et al. 2021, table 4)."""
    tokens: int = values["virtual_tokens"]
    return tokens * architecture.hidden_size


def count_ia3(architecture: Architecture, values: Values) -> int:
    """One factor per key, per value and per inner feed-forward activation (Liu et al. 2022, section 3.3)."""
    layers = used_as(architecture, IA3_TARGETS, "ia3")
    return sum(layer.count * (layer.inputs if layer.role in IA3_FEEDFORWARD else layer.outputs) for layer in layers)


def learning_rate(default: float, maximum: float) -> Bound:
    return Bound("learning_rate", default, 1e-6, maximum)


def batch_size(default: int) -> Bound:
    return Bound("batch_size", default, 1, 32, advanced=True)


LORA = (Bound("rank", 8, 1, 64), learning_rate(1e-2, 1e-1))
LORA_ADVANCED = (
    Bound("alpha", 16, 1, 256, advanced=True),
    Bound("targets", "query_value", choices=(*TARGETS, "all_linear"), advanced=True),
    Bound("dropout", 0.0, 0.0, 0.5, advanced=True),
    Bound("rslora", False, advanced=True),
)
METHODS: dict[str, Method] = {
    method.id: method
    for method in (
        Method(
            id="prompt_tuning",
            family="additive",
            paper="Lester et al. 2021, arXiv 2104.08691",
            steps=30,
            hyperparameters=(
                Bound("virtual_tokens", 20, 1, 100),
                learning_rate(2e-2, 1.0),
                Bound("initialization", "vocabulary", choices=("random", "vocabulary", "text"), advanced=True),
                Bound("initialization_text", "", maximum=300, advanced=True),
                batch_size(4),
            ),
            count=count_prompt_tuning,
            config=prompt_tuning_config,
        ),
        Method(
            id="lora",
            family="reparameterization",
            paper="Hu et al. 2021, arXiv 2106.09685",
            steps=24,
            hyperparameters=(
                *LORA,
                *LORA_ADVANCED,
                Bound("dora", False, advanced=True),
                Bound("bias", "none", choices=("none", "lora_only"), advanced=True),
                Bound("initialization", initialization.RANDOM, choices=initialization.LORA, advanced=True),
                batch_size(4),
            ),
            count=count_lora,
            config=lora_config,
            own=count_biases,
        ),
        Method(
            id="ia3",
            family="additive",
            paper="Liu et al. 2022, arXiv 2205.05638",
            steps=24,
            hyperparameters=(learning_rate(3e-2, 1.0), batch_size(4)),
            count=count_ia3,
            config=ia3_config,
        ),
        Method(
            id="qlora",
            family="reparameterization",
            paper="Dettmers et al. 2023, arXiv 2305.14314",
            steps=16,
            hyperparameters=(
                *LORA,
                *LORA_ADVANCED,
                Bound("double_quantization", True, advanced=True),
                Bound("initialization", initialization.RANDOM, choices=initialization.QLORA, advanced=True),
                batch_size(4),
            ),
            count=count_lora,
            config=lora_config,
            quantization=lambda values: "nf4_double" if values.get("double_quantization", True) else "nf4",
        ),
        Method(
            id="few_shot",
            family="reference",
            paper="Brown et al. 2020, arXiv 2005.14165",
            steps=0,
            hyperparameters=(Bound("examples", 4, 1, 12),),
            count=lambda architecture, values: 0,
        ),
        Method(
            id="full_fine_tuning",
            family="reference",
            paper="Howard & Ruder 2018, arXiv 1801.06146",
            steps=12,
            hyperparameters=(learning_rate(1e-4, 1e-2), batch_size(4)),
            count=lambda architecture, values: architecture.parameters,
            own=lambda architecture, values: architecture.parameters,
        ),
    )
}


def method(method_id: str) -> Method:
    """Raises PlaygroundError for an id that does not exist."""
    if method_id not in METHODS:
        raise PlaygroundError("unknown_method", method=shown(method_id), known=", ".join(METHODS))
    return METHODS[method_id]
