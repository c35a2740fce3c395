"""
What a method is: its hyperparameters, its count, who makes its PEFT config, what of a block it trains, and what it can.

The records themselves are in `additive`, `selective`, `reparameterization`, `rotations`; `methods` has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playground.adapt import initialization
from playground.adapt.configs import layered_config
from playground.adapt.targets import TARGETS, targeted
from playground.bounds import Bound, shown
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture, Linear
from playground.model.catalogue import held_in

if TYPE_CHECKING:
    from peft import PeftConfig

    from playground.model.bases import Base

Values = Mapping[str, Any]

FAMILIES = ("additive", "selective", "reparameterization", "reference")
PROMPT, CACHE, NORM = "prompt", "cache", "norm"  # parts of a block's drawing that are no linear layer


@dataclass(frozen=True)
class Trained:
    """
    What a method trains of a block: `parts` by the names of its linear layers (or PROMPT, CACHE, NORM), and `how`: "whole"
    weights, "some" of their numbers, their "biases", the "weakest" of their own directions, two thin "factors" beside them,
    a "core" between fixed factors (a rotation: "turned_core"; a diagonal and a few numbers more: "sparse_core"), one
    "vector" that scales or shifts, a "rotation" of them, a "spectrum" of their update, or "tokens" before the input.
    """

    method: str
    family: str
    how: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Method:
    """
    One way of adapting.

    `family` is that of Lialin et al. 2023 (additive, selective, reparameterization) or "reference" for what is no
    adapter; `count` gives trainable parameters from an architecture, `config` the PEFT config, None where PEFT has none:
    then `chosen` says which of the base's own parameters are trained.
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
    beside: Callable[[Architecture, Values], int] = lambda architecture, values: 0  # see counts
    frozen: Callable[[Architecture, Values], int] = lambda architecture, values: 0  # that PEFT counts in the total
    chosen: Callable[[Base, Values], Collection[str]] | None = None
    schedule: Callable[[int], Mapping[str, Any]] = lambda steps: {}  # fields of PEFT's config by the planned steps
    peft: str = ""  # PEFT's type
    settings: Mapping[str, str] = field(default_factory=dict)  # fields of PEFT's config to hyperparameters
    constants: Mapping[str, Any] = field(default_factory=dict)  # what else it always says
    formula: str = ""
    how: str = ""  # see Trained
    parts: Callable[[Architecture, Values], tuple[str, ...]] = lambda architecture, values: ()
    front: bool = False  # among the few that everything else is measured with
    merges: bool = True  # PEFT writes it into the weights
    mixes: bool = False  # PEFT adds several up with weights
    changes_weights: bool = True  # so there is an update ΔW of linear layers to look at
    quantized: bool = False  # also over weights in 4 and 8 bits
    starts_as_base: bool = True  # step 0 answers as the base does

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
        Trainable and total parameters as PEFT's `get_nb_trainable_parameters` gives them, and the bytes of the numbers in an
        adapter's file, as `get_peft_model_state_dict` gives them: four for each that is trained and for each that lies
        `beside` them, drawn or found once; fewer than none where some of the trained are left out. What is the base's own
        among the trained (biases, or everything) is in its total already.
        """
        complete = self.complete(values)
        trainable = self.count(architecture, complete)
        own = self.own(architecture, complete)
        total = architecture.parameters + trainable - own + self.frozen(architecture, complete)
        held = (trainable - own) * initialization.copies(complete) + own + self.beside(architecture, complete)
        return {"trainable_parameters": trainable, "total_parameters": total, "bytes": 4 * held}

    def planned(self, base: Base, values: Values, steps: int) -> PeftConfig:
        """PEFT's config for a training of so many steps; of a method that has one."""
        assert self.config is not None
        config = self.config(base, values)
        for name, value in self.schedule(steps).items():
            setattr(config, name, value)
        return config

    def base_id(self, base_id: str, values: Values) -> str:
        """The base whose frozen weights this method adapts: QLoRA's is the 4-bit form of the one asked for."""
        quantization = self.quantization(values)
        return held_in(base_id, quantization) if quantization else base_id

    def trained(self, architecture: Architecture) -> Trained:
        """What it trains of a block with its defaults. Raises PlaygroundError if it does not fit the architecture."""
        return Trained(self.id, self.family, self.how, self.parts(architecture, self.complete({})))


# What the hyperparameters of several methods are


def learning_rate(default: float, maximum: float) -> Bound:
    return Bound("learning_rate", default, 1e-6, maximum)


def batch_size(default: int) -> Bound:
    return Bound("batch_size", default, 1, 32, advanced=True)


def rank(default: int, minimum: int = 1, maximum: int = 64) -> Bound:
    return Bound("rank", default, minimum, maximum)


def alpha(default: int) -> Bound:
    return Bound("alpha", default, 1, 256, advanced=True)


def targets(default: str = "query_value") -> Bound:
    return Bound("targets", default, choices=(*TARGETS, "all_linear"), advanced=True)


# What most of them share: linear layers, each with numbers of its own


def names(layers: Collection[Linear]) -> tuple[str, ...]:
    return tuple(layer.name for layer in layers)


def adapted(architecture: Architecture, values: Values) -> tuple[str, ...]:
    """The names of the targeted layers."""
    return names(targeted(architecture, values["targets"]))


def found(count: int, asked: str, architecture: Architecture) -> int:
    """A count of something that a base may lack. Raises PlaygroundError, which names what was `asked`, if there is none."""
    if not count:
        known = ", ".join(names(architecture.linears))
        raise PlaygroundError("no_such_targets", targets=asked, known=known or "–")
    return count


def per_layer(
    numbers: Callable[[Linear, Values], int], shared: Callable[[Values], int] = lambda values: 0
) -> Callable[[Architecture, Values], int]:
    """The count of a method that has so many `numbers` in each targeted layer, and some that all of them share."""

    def count(architecture: Architecture, values: Values) -> int:
        layers = targeted(architecture, values["targets"])
        return shared(values) + sum(layer.count * numbers(layer, values) for layer in layers)

    return count


def layered(*, peft: str, settings: Mapping[str, str], constants: Mapping[str, Any] | None = None, **others: Any) -> Method:
    """The record of a method that PEFT puts around each targeted layer, with these fields of its config."""
    always = constants or {}
    config = layered_config(peft, settings, always)
    return Method(peft=peft, settings=settings, constants=always, config=config, parts=adapted, **others)
