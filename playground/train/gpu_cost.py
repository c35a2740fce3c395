"""
What a training would take on a GPU that is rented by the minute, before it is asked for: seconds, memory, dollars.

Derived from the recipe and the base's size; what is assumed or published stands here, by name, and is said with every
estimate. Imports no torch. Knows nothing about the hub.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

from playground.adapt.methods import METHODS, frozen_bytes
from playground.adapt.tasks import Task
from playground.bounds import shown
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture
from playground.model.catalogue import split_id
from playground.train.effort import tokens

PUBLISHED = "https://huggingface.co/docs/hub/jobs-pricing"  # where the dollars below stand
READ = "2026-11-27"  # on which day

# Operations that a token takes for each parameter: forward 2 (Kaplan et al. 2020, section 2.1), and as many on the way back
# through frozen weights, whose own gradients nobody asks for
OPERATIONS = 4
SHARE = 0.3  # of a card's peak that a training reaches: assumed
LAYER = 0.1383 / 30  # seconds of a layer in a step, however few tokens: tests/benchmarks/results/gpu_training.md, H200
BEGIN = 120.0  # seconds until the packages are there: assumed
BYTES_A_SECOND = 100e6  # of the base's weights on their way to the job: assumed
SPARE = 1.2  # of the memory that is needed without activations
WIDTH = 2  # bytes of a frozen number: bfloat16
TRAINED = 16  # bytes of a trained one: value, gradient and AdamW's two moments in float32
LIMIT, LEAST = 3, 10  # a job is stopped after so many times as long as estimated, and not before so many minutes


@dataclass(frozen=True)
class Flavor:
    """
    A machine with one GPU that computes in bfloat16: dollars an hour as published, GB of the card, and its peak in dense
    bfloat16 as NVIDIA's data sheet has it (operations a second).
    """

    id: str
    name: str
    memory: float
    dollars: float
    peak: float


# T4s are left out: they have no bfloat16
FLAVORS = {
    one.id: one
    for one in (
        Flavor("l4x1", "L4", 24, 0.80, 121e12),
        Flavor("a10g-small", "A10G", 24, 1.00, 70e12),
        Flavor("l40sx1", "L40S", 48, 1.80, 362e12),
        Flavor("a100-large", "A100", 80, 2.50, 312e12),
        Flavor("rtx-pro-6000", "RTX PRO 6000", 96, 2.75, 504e12),
        Flavor("h200", "H200", 141, 5.00, 989e12),
    )
}


def flavor(name: str) -> Flavor:
    """Raises PlaygroundError for a name that is none of them."""
    if name not in FLAVORS:
        raise PlaygroundError("gpu_flavor", found=shown(name), known=", ".join(FLAVORS))
    return FLAVORS[name]


@dataclass(frozen=True)
class Estimate:
    """Seconds, bytes, and `dollars` an hour; what a run costs is billed by the minute."""

    flavor: Flavor
    steps: int
    tokens: float  # of a step
    parameters: int
    layers: int
    fetched: int  # bytes of the base's weights
    memory: int  # at least; activations come on top
    dollars: float

    @property
    def step(self) -> float:
        work = OPERATIONS * self.parameters * self.tokens / (SHARE * self.flavor.peak)
        return LAYER * self.layers + work

    @property
    def begin(self) -> float:
        """Until the first step."""
        return BEGIN + self.fetched / BYTES_A_SECOND

    @property
    def seconds(self) -> float:
        return self.begin + self.steps * self.step

    @property
    def minutes(self) -> int:
        return math.ceil(self.seconds / 60)

    @property
    def limit(self) -> int:
        """Minutes after which it is stopped, whatever it does."""
        return max(LEAST, LIMIT * self.minutes)

    @property
    def total(self) -> float:
        """Dollars."""
        return self.minutes * self.dollars / 60

    @property
    def most(self) -> float:
        """Dollars that it can cost."""
        return self.limit * self.dollars / 60


def estimate(
    base_id: str, architecture: Architecture, method_id: str, values: Mapping[str, Any], task: Task, steps: int,
    chosen: Flavor, dollars: float | None = None,
) -> Estimate:  # fmt: skip
    """
    Of so many steps of a recipe on a base of this `architecture`; `dollars` an hour, as published if nobody says otherwise.
    Raises PlaygroundError if the method does not fit the base, or the base the card.
    """
    one = METHODS[method_id]
    form = split_id(one.base_id(base_id, values))[1]
    trainable = one.trainable(architecture, values)
    memory = round(SPARE * (frozen_bytes(architecture, form, WIDTH) + TRAINED * trainable))
    if memory > chosen.memory * 1e9:
        raise PlaygroundError("gpu_memory", gpu=chosen.name, memory=chosen.memory, needed=round(memory / 1e9, 1))
    read = mean(tokens(one.prompt + one.response) for one in task.train) + values.get("virtual_tokens", 0)
    return Estimate(
        chosen, steps, values["batch_size"] * read, architecture.parameters, architecture.layers,
        WIDTH * architecture.parameters, memory, chosen.dollars if dollars is None else dollars,
    )  # fmt: skip
