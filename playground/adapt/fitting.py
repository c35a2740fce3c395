"""
Which methods a base cannot have, and why: known from its layers and its size, before anything is trained.

What only PEFT finds out when it wraps a model is said when a training starts. Knows nothing about training or the page.
"""

from __future__ import annotations

from playground import settings
from playground.adapt.methods import METHODS, Method
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture

FULL = "full_fine_tuning"


def check_fits(chosen: Method, base_id: str, architecture: Architecture) -> None:
    """
    Raises PlaygroundError if a base cannot have a method with any hyperparameters: full fine-tuning where it is too large
    or has fewer bits, other methods where none of the layers that they adapt is there.
    """
    if chosen.id == FULL:
        maximum = settings.MAX_FULL_FINE_TUNING_PARAMETERS
        if ":" in base_id:
            raise PlaygroundError("full_quantized")
        if architecture.parameters > maximum:
            raise PlaygroundError("full_too_large", parameters=architecture.parameters, maximum=maximum)
        return
    targets = next((bound.choices for bound in chosen.hyperparameters if bound.name == "targets"), ())
    if not any(_has_layers(chosen, architecture, values) for values in [{"targets": one} for one in targets] or [{}]):
        raise PlaygroundError("method_no_layers", method=chosen.id)


def _has_layers(chosen: Method, architecture: Architecture, values: dict[str, str]) -> bool:
    try:
        return chosen.trainable(architecture, values) >= 0
    except PlaygroundError:
        return False


def misfits(base_id: str, architecture: Architecture) -> dict[str, PlaygroundError]:
    """The methods that a base cannot have, by id, each with the reason."""
    found = {}
    for one in METHODS.values():
        try:
            check_fits(one, base_id, architecture)
        except PlaygroundError as error:
            found[one.id] = error
    return found
