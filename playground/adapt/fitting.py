"""
Which methods a base cannot have, and why: known from its layers and its size, before anything is trained.

What only PEFT finds out when it wraps a model is said when a training starts. Knows nothing about training or the page.
"""

from __future__ import annotations

from playground import settings
from playground.adapt.methods import METHODS, Method
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture
from playground.model.catalogue import BITSANDBYTES, parts_of

FULL = "full_fine_tuning"


def check_fits(chosen: Method, base_id: str, architecture: Architecture) -> None:
    """
    Raises PlaygroundError if a base cannot have a method with any hyperparameters: full fine-tuning where it is too large
    or has fewer bits, as `check_form` says, others where nothing of what they adapt is there.
    """
    if chosen.id == FULL:
        maximum = settings.MAX_FULL_FINE_TUNING_PARAMETERS
        if parts_of(base_id)[2]:
            raise PlaygroundError("full_quantized")
        if architecture.parameters > maximum:
            raise PlaygroundError("full_too_large", parameters=architecture.parameters, maximum=maximum)
        return
    check_form(chosen, base_id)
    targets = next((bound.choices for bound in chosen.hyperparameters if bound.name == "targets"), ())
    lacking = [_lacking(chosen, architecture, values) for values in [{"targets": one} for one in targets] or [{}]]
    if all(lacking):
        raise next(one for one in lacking if one)


def check_form(chosen: Method, base_id: str) -> None:
    """Raises PlaygroundError for a method that reads the weights, and a base in which bitsandbytes has packed them."""
    if parts_of(base_id)[2] in BITSANDBYTES and not chosen.quantized:
        raise PlaygroundError("method_not_quantized", method=chosen.id)


def _lacking(chosen: Method, architecture: Architecture, values: dict[str, str]) -> PlaygroundError | None:
    """What a base does not have of what a method adapts."""
    try:
        chosen.trainable(architecture, values)
    except PlaygroundError as error:
        return error if error.key != "no_such_targets" else PlaygroundError("method_no_layers", method=chosen.id)
    return None


def misfits(base_id: str, architecture: Architecture) -> dict[str, PlaygroundError]:
    """The methods that a base cannot have, by id, each with the reason."""
    found = {}
    for one in METHODS.values():
        try:
            check_fits(one, base_id, architecture)
        except PlaygroundError as error:
            found[one.id] = error
    return found
