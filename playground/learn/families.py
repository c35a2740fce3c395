"""
The three families (Lialin et al. 2023), and which parts of a decoder's block each method trains.

The parts are what the registry of methods counts on the embedded base. BitFit stands for the selective family, which the
registry has no method of its own for.
"""

from __future__ import annotations

from dataclasses import dataclass

from playground.adapt.methods import METHODS
from playground.adapt.targets import IA3_TARGETS, targeted, used_as
from playground.learn.figures import Bar, Figure, Figures
from playground.model.architecture import Architecture
from playground.model.catalogue import CATALOGUE

FAMILIES = ("additive", "selective", "reparameterization", "reference")  # in the order of the lesson's choices
PROMPT = "prompt"  # the part before the tokens


@dataclass(frozen=True)
class Trained:
    """
    What a method trains of a block: `parts` by the names of its linear layers, and `how`: "whole" weights, their
    "biases", two thin "factors" beside them, one "vector" that scales, or "tokens" before the input.
    """

    method: str
    family: str
    how: str
    parts: tuple[str, ...]


def model() -> Architecture:
    found = CATALOGUE["smollm2-135m"].architecture
    assert found is not None
    return found


def trained() -> tuple[Trained, ...]:
    """One for each method that trains anything, and BitFit (Ben Zaken et al. 2021, arXiv 2106.10199: all biases)."""
    architecture = model()
    every = tuple(layer.name for layer in architecture.linears)
    lora = tuple(layer.name for layer in targeted(architecture, METHODS["lora"].complete({})["targets"]))
    ia3 = tuple(layer.name for layer in used_as(architecture, IA3_TARGETS, "ia3"))
    found = {
        "prompt_tuning": ("tokens", (PROMPT,)),
        "ia3": ("vector", ia3),
        "lora": ("factors", lora),
        "qlora": ("factors", lora),
        "full_fine_tuning": ("whole", every),
    }
    methods = [Trained(name, METHODS[name].family, how, parts) for name, (how, parts) in found.items()]
    methods.append(Trained("bitfit", "selective", "biases", every))
    return tuple(sorted(methods, key=lambda one: FAMILIES.index(one.family)))


def families() -> Figures:
    """What each method trains of the embedded base with its defaults, and the family of IA3."""
    counted = {name: METHODS[name].trainable(model(), {}) for name in ("prompt_tuning", "ia3", "lora")}
    bars = tuple(Bar(name, Figure(count), name) for name, count in counted.items())
    return Figures(FAMILIES.index(METHODS["ia3"].family), bars, {"parameters": Figure(model().parameters)}, origin="settled")
