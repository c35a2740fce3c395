"""
Parameter arithmetic: what adapting a model costs, for published models and for any base whose layers are known.

All counting is that of the registry of methods; here is what a count means in bytes, and PEFT's own count of a loaded
base to hold beside it. Knows nothing about training or the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import WEIGHTS
from playground.adapt.attach import wrapped
from playground.adapt.library import examples
from playground.adapt.methods import DOWNLOADABLE, FRONT, METHODS, Method, Values, frozen_bytes
from playground.adapt.targets import targeted
from playground.bounds import Bound, shown
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture, Linear, entries
from playground.model.catalogue import parts_of
from playground.model.weights import held_bytes

if TYPE_CHECKING:
    from playground.model.bases import Base


MOMENT_BYTES = 8  # Adam keeps two numbers of 32 bits for everything that is trained
FOUR_BIT = "nf4_double"  # how QLoRA holds the frozen linear layers
# On paper nothing has to be trained, so these reach further than the hyperparameters of playground.adapt.methods.
RANK = Bound("rank", 8, 1, 256)
VIRTUAL_TOKENS = Bound("virtual_tokens", 20, 1, 256)
TASKS = Bound("tasks", 100, 1, 1000)
WIDTH = Bound("bytes_per_number", 2, choices=(2, 4))
# Choices of targets beyond those of playground.adapt.methods, from table 5 of Hu et al. 2021
MORE_TARGETS: dict[str, tuple[str, ...]] = {"query": ("q_proj",), "query_key": ("q_proj", "k_proj")}


def _wider(one: Method) -> Method:
    """The same method, counted the same way, with the bounds of this module."""
    bounds = {parameter.name: parameter for parameter in (RANK, VIRTUAL_TOKENS)}
    return replace(one, hyperparameters=tuple(bounds.get(own.name, own) for own in one.hyperparameters))


CALCULATED = {one.id: _wider(one) for one in FRONT.values() if one.id in DOWNLOADABLE}


@dataclass(frozen=True)
class Memory:
    """
    Bytes that training holds at least, by what they hold; activations come on top. `way` is "full_fine_tuning", the
    adapter's method, or that of the same adapter over a base in 4 bits: "qlora", or "four_bit" where it is no LoRA.
    """

    way: str
    weights: int  # the base's: trained in full fine-tuning, frozen otherwise
    adapter: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        return self.weights + self.adapter + self.gradients + self.optimizer


@dataclass(frozen=True)
class Cost:
    """
    What adapting costs: numbers trained, of how many (the base's and the adapter's), in percent; bytes of one adapter
    and of one model; memory in full fine-tuning, with the adapter, and with the adapter over 4 bits; and what `tasks`
    tasks take on disk as one base with an adapter each, and as a model each.
    """

    trainable: int
    total: int
    percent: float
    tasks: int
    width: int  # bytes per stored number
    adapter_bytes: int
    model_bytes: int
    memory: tuple[Memory, Memory, Memory]
    stored_adapters: int
    stored_models: int


def cost(
    architecture: Architecture, method_id: str, values: Values, tasks: int = TASKS.default, width: int = WIDTH.default
) -> Cost:
    """
    The cost of adapting a model with `values`, every number stored in `width` bytes (2: 16 bits, 4: 32 bits).

    Memory: what is frozen takes `width` bytes a number, under QLoRA 4.127 bits in the linear layers. What is trained
    takes `width` for its value, `width` for its gradient, and 8 for Adam's two moments, which stay in 32 bits. In 16
    bits these are 12 bytes a number, which gives the "more than 780 GB" for 65B parameters of Dettmers et al. 2023
    (section 1); in 32 bits 16, which is what training on this page holds (`methods.training_memory`). A 32-bit master
    copy beside 16-bit weights (Rajbhandari et al. 2020, section 3.1) would add 4. The 1.2 TB that Hu et al. 2021
    (section 4.2) report for full fine-tuning of GPT-3 follow a rule that the paper does not give.

    Raises PlaygroundError: unknown method or hyperparameter, a value out of range, layers that the model does not
    have, a rank above what a targeted layer can hold.
    """
    tasks, width = TASKS.check(tasks), WIDTH.check(width)
    chosen, narrowed, complete = prepared(architecture, method_id, values)
    counts = chosen.counts(narrowed, complete)
    trainable, total = counts["trainable_parameters"], counts["total_parameters"]
    everything = METHODS["full_fine_tuning"].counts(architecture, {})["trainable_parameters"]
    own = architecture.parameters + trainable - total  # numbers of the base's that an adapter trains: biases
    plain, four_bit = (frozen_bytes(architecture, form, width) - own * width for form in (None, FOUR_BIT))
    lora = method_id in ("lora", "qlora")
    return Cost(
        trainable=trainable,
        total=total,
        percent=100 * trainable / total,
        tasks=tasks,
        width=width,
        adapter_bytes=trainable * width,
        model_bytes=everything * width,
        memory=(
            Memory("full_fine_tuning", everything * width, 0, everything * width, everything * MOMENT_BYTES),
            _adapter_memory("lora" if lora else method_id, plain, trainable, width),
            _adapter_memory("qlora" if lora else "four_bit", four_bit, trainable, width),
        ),
        stored_adapters=(architecture.parameters + tasks * trainable) * width,
        stored_models=tasks * everything * width,
    )


def _adapter_memory(way: str, frozen: int, trainable: int, width: int) -> Memory:
    return Memory(way, frozen, trainable * width, trainable * width, trainable * MOMENT_BYTES)


def prepared(architecture: Architecture, method_id: str, values: Values) -> tuple[Method, Architecture, dict[str, Any]]:
    """
    The method with this module's bounds, the architecture, and all hyperparameters, checked. Besides the choices of
    `methods`, `targets` may be one of MORE_TARGETS or a list of layer names: the architecture is then narrowed
    to these layers, all of which are targeted. Raises PlaygroundError.
    """
    if method_id not in CALCULATED:
        raise PlaygroundError("unknown_method", method=shown(method_id), known=", ".join(CALCULATED))
    wanted = values.get("targets")
    if isinstance(wanted, str) and wanted in MORE_TARGETS:
        wanted = [layer.name for layer in architecture.linears if layer.role in MORE_TARGETS[wanted]] or MORE_TARGETS[wanted]
    names = None if isinstance(wanted, str) else wanted
    if isinstance(names, list | tuple) and "targets" in CALCULATED[method_id].complete({}):
        known = [layer.name for layer in architecture.linears]
        missing = [shown(name) for name in names if name not in known]
        if missing or not names:
            raise PlaygroundError("no_such_targets", targets=", ".join(missing), known=", ".join(known))
        architecture = replace(architecture, linears=tuple(one for one in architecture.linears if one.name in names))
        values = {**values, "targets": "all_linear"}
    complete = CALCULATED[method_id].complete(values)
    if "rank" in complete:
        _check_rank(targeted(architecture, complete["targets"]), complete["rank"])
    return CALCULATED[method_id], architecture, complete


def _check_rank(layers: Iterable[Linear], rank: int) -> None:
    """A matrix has no more directions than its shorter side. Raises PlaygroundError."""
    smallest = min(layers, key=lambda layer: min(layer.inputs, layer.outputs))
    most = min(smallest.inputs, smallest.outputs)
    if rank > most:
        shape = f"{smallest.outputs} × {smallest.inputs}"
        raise PlaygroundError("rank_above_layer", rank=rank, layer=smallest.name, shape=shape, most=most)


# "A 7B model's ΔW has 7B entries too"


@dataclass(frozen=True)
class LayerUpdate:
    """The update of one kind of layer: its entries written out, and the numbers in its two factors."""

    layer: Linear
    entries: int
    factors: int


@dataclass(frozen=True)
class WholeUpdate:
    """
    The update ΔW of every linear layer, written out and as two factors of `rank`. `others` are the parameters that no
    ΔW belongs to: embeddings, norms, biases, output head.
    """

    rank: int
    layers: tuple[LayerUpdate, ...]
    parameters: int

    @property
    def entries(self) -> int:
        return sum(one.entries for one in self.layers)

    @property
    def factors(self) -> int:
        return sum(one.factors for one in self.layers)

    @property
    def others(self) -> int:
        return self.parameters - self.entries

    @property
    def ratio(self) -> float:
        return self.entries / self.factors


def whole_update(architecture: Architecture, rank: int = 8) -> WholeUpdate:
    """What the update of all linear layers needs, whole and with `rank`. Raises PlaygroundError for a rank too high."""
    layers = []
    for layer in architecture.linears:
        chosen, alone, values = prepared(
            replace(architecture, linears=(layer,)), "lora", {"rank": rank, "targets": [layer.name]}
        )
        layers.append(LayerUpdate(layer, entries([layer]), chosen.count(alone, values)))
    return WholeUpdate(rank, tuple(layers), architecture.parameters)


# Measured beside predicted


@dataclass(frozen=True)
class Example:
    """A ready-made adapter: bytes of its file, and of its numbers as predicted from its hyperparameters."""

    id: str
    file_bytes: int
    predicted_bytes: int


@dataclass(frozen=True)
class Measured:
    """
    What PEFT counts after wrapping a loaded base, and the bytes that the base's weights take in memory with what was
    predicted for them; a ready-made adapter of the method, if there is one for this base.
    """

    trainable: int
    total: int
    frozen_bytes: int
    predicted_frozen_bytes: int
    example: Example | None


def measured(base: Base, method_id: str, values: Values) -> Measured:
    """
    Wrap a view of the base as training would, and count. Only what can be trained here is wrapped: the bounds are those
    of playground.adapt.methods. Draws random numbers, so it belongs where jobs run. Raises PlaygroundError.
    """
    chosen, narrowed, complete = prepared(base.architecture, method_id, values)
    complete = METHODS[method_id].complete(complete)
    assert chosen.config is not None
    trainable, total = wrapped(
        base, chosen.config(replace(base, architecture=narrowed), complete)
    ).get_nb_trainable_parameters()
    predicted = frozen_bytes(base.architecture, form_of(base.id), base.model.dtype.itemsize)
    return Measured(trainable, total, held_bytes(base.model), predicted, _example(base, method_id))


def form_of(base_id: str) -> str | None:
    """The quantization that a base's id ends in."""
    return parts_of(base_id)[2]


def _example(base: Base, method_id: str) -> Example | None:
    for adapter in examples().values():
        record = adapter.record
        if adapter.folder and record.method == method_id and record.base.partition(":")[0] == base.spec.id:
            size = (adapter.folder / WEIGHTS).stat().st_size
            return Example(adapter.id, size, METHODS[method_id].counts(base.architecture, record.hyperparameters)["bytes"])
    return None
