"""
A pruned base as a base: what `bases.Bases` makes of an id such as "smollm2-135m:width-20-max_min", and rounds afterwards
for "…:width-20-max_min:nf4".
"""

from __future__ import annotations

from dataclasses import replace

import torch

from playground import settings
from playground.adapt import tasks
from playground.model import kernels
from playground.model.architecture import architecture_of
from playground.model.bases import Base
from playground.model.checksum import checksum
from playground.model.modules import linear_layers
from playground.model.neutral import WINDOW
from playground.model.pruning import Pruning
from playground.prune.prune import Pruned, prune

TASK = "summary"  # its training examples are the calibration text: prose about everything, none of the neutral text
WINDOWS = 4  # of it are read


def pruned(plain: Base, pruning: Pruning) -> Base:
    """A base with less of it, as a base of its own over the same tensors."""
    made = prune(plain.model, pruning, calibration_of(plain) if pruning.reads else ())
    return base_of(plain, made)


def base_of(plain: Base, made: Pruned) -> Base:
    """What was made of a base, as a base."""
    layers = list(linear_layers(made.model).values())
    kernels.plain(layers)  # a layer's shape may have changed, and with it which product is the faster one
    kernels.install(layers, settings.CACHE / "kernels.json")
    return replace(
        plain,
        id=f"{plain.id}:{made.pruning}",
        model=made.model,
        architecture=architecture_of(made.model),
        loaded_checksum=checksum(made.model),
        products=kernels.measured(made.model),
    )


def calibration_of(base: Base) -> list[torch.Tensor]:
    """Up to WINDOWS windows of ids of the shipped calibration text, as many tokens each as a base can read."""
    read = tasks.task(TASK).train
    text = "\n".join(f"{one.prompt}\n{one.response}\n" for one in read)
    ids: torch.Tensor = base.tokenizer(text, return_tensors="pt")["input_ids"][0]
    return list(ids.split(min(WINDOW, base.context or WINDOW))[:WINDOWS])
