"""
The three families (Lialin et al. 2023), and which parts of a decoder's block the methods of the lesson train.

All of it is what the registry of methods says of the embedded base. BitFit stands for the selective family.
"""

from __future__ import annotations

from playground.adapt.method import FAMILIES as FAMILIES
from playground.adapt.method import Trained
from playground.adapt.methods import FRONT, METHODS
from playground.learn.figures import Bar, Figure, Figures
from playground.model.architecture import Architecture
from playground.model.catalogue import CATALOGUE


def model() -> Architecture:
    found = CATALOGUE["smollm2-135m"].architecture
    assert found is not None
    return found


def trained() -> tuple[Trained, ...]:
    """One for each method in front that trains anything, and BitFit (Ben Zaken et al. 2021, arXiv 2106.10199)."""
    found = [one.trained(model()) for one in (*FRONT.values(), METHODS["bitfit"]) if one.how]
    return tuple(sorted(found, key=lambda one: FAMILIES.index(one.family)))


def families() -> Figures:
    """What each method trains of the embedded base with its defaults, and the family of IA3."""
    counted = {name: METHODS[name].trainable(model(), {}) for name in ("prompt_tuning", "ia3", "lora")}
    bars = tuple(Bar(name, Figure(count), name) for name, count in counted.items())
    return Figures(FAMILIES.index(METHODS["ia3"].family), bars, {"parameters": Figure(model().parameters)}, origin="settled")
