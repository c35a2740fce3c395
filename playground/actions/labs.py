"""
Which sections of the labs a base cannot have, and why: known from its layers and its size, before it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from playground import settings
from playground.errors import PlaygroundError
from playground.model import embedded
from playground.model.pruning import Pruning

if TYPE_CHECKING:
    from playground.model.candidate import Candidate

PRUNINGS = (Pruning("width", 0.2, "max_min"), Pruning("depth", 0.2, "last"), Pruning("bypass", 0.2, "last"))


def lab_misfits(found: Candidate) -> dict[str, PlaygroundError]:
    """The sections that a base cannot have, by their addresses, each with the reason."""
    told = {}
    for section, check in CHECKS.items():
        try:
            check(found)
        except PlaygroundError as error:
            told[section] = error.alone()
    return told


def _linear(found: Candidate) -> None:
    assert found.spec.architecture is not None
    if not found.spec.architecture.linears:
        raise PlaygroundError("no_linear_layers", base=found.spec.name)


def _narrow(found: Candidate) -> None:
    _linear(found)
    assert found.spec.architecture is not None
    least = min(one.inputs for one in found.spec.architecture.linears)
    if least > settings.MAX_LADDER_INPUTS:
        raise PlaygroundError("ladder_too_wide", found=least, maximum=settings.MAX_LADDER_INPUTS)


def _small(found: Candidate) -> None:
    _linear(found)
    if (found.spec.parameters or 0) > settings.MAX_ROUNDED_PARAMETERS:
        raise PlaygroundError("ladder_too_large", base=found.spec.name, maximum=settings.MAX_ROUNDED_PARAMETERS)


def _stored(found: Candidate) -> None:
    """What another base has no GGUF file for."""
    if found.spec.id != embedded.ID:
        raise PlaygroundError("not_stored")


def _pruned(found: Candidate) -> None:
    """Raises only where there is no kind of pruning that it can have."""
    wrong = [error for error in map(_prune_error(found), PRUNINGS) if error]
    if len(wrong) == len(PRUNINGS):
        raise wrong[0]


def _healed(found: Candidate) -> None:
    """It prunes by width."""
    wrong = _prune_error(found)(PRUNINGS[0])
    if wrong:
        raise wrong


def _prune_error(found: Candidate) -> Callable[[Pruning], PlaygroundError | None]:
    from playground.prune.prune import prune

    def error(pruning: Pruning) -> PlaygroundError | None:
        try:
            prune(found.skeleton, pruning)
        except PlaygroundError as wrong:
            return wrong
        return None

    return error


# By the sections' addresses (ui/kit/links.py); what is not here, every causal language model has
CHECKS: dict[str, Callable[[Candidate], None]] = {
    "activations": _linear,
    "wholemodel": _linear,
    "map": _linear,
    "blocks": _stored,
    "ladder": _narrow,
    "rungs": _small,
    "prune": _pruned,
    "healing": _healed,
}
