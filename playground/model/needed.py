"""
The memory that a base will need, and whether there is so much. Loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground import settings
from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.model import memory
from playground.model.architecture import entries
from playground.model.catalogue import is_simulated, parts_of
from playground.model.loading import compute_dtype
from playground.model.memory import STORE

if TYPE_CHECKING:
    from playground.model.architecture import Architecture
    from playground.model.catalogue import BaseSpec

SPARE = 1.2  # of the memory that a base needs, while it is loaded


def pick_device() -> tuple[str, str]:
    """The device that models run on, and its name for the page."""
    import torch

    if settings.DEVICE != "cpu" and torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    return "cpu", "CPU"


def expected_bytes(spec: BaseSpec, form: str | None, architecture: Architecture | None = None) -> int:
    """
    Bytes that loading a base adds, a simulated form beyond the plain base; 0 where the architecture is not known yet.
    """
    architecture = architecture or spec.architecture
    if architecture is None:
        return 0
    width = compute_dtype(pick_device()[0], spec)[0].itemsize
    linear, every = entries(architecture.linears), architecture.parameters
    if is_simulated(form):
        return linear * width
    held = linear * format_of(form).bits_per_parameter() / 8 if form else linear * width
    return round(held) + (every - linear) * width


def added_bytes(base_id: str, spec: BaseSpec, architecture: Architecture) -> int:
    """About what a form of a base, or what is left of it, adds to the plain one of this `spec` and `architecture`."""
    _, pruning, form = parts_of(base_id)
    if form is None and pruning is None:
        return 0
    floats = "bfloat16" if pruning else None  # each of its layers may be another one, in floats as of a simulated form
    return expected_bytes(spec, form or floats, architecture)


def check_machine(spec: BaseSpec, form: str | None = None) -> None:
    """Raises PlaygroundError for a base that is too large for the machine even if everything else gives way to it."""
    import torch

    device, _ = pick_device()
    free = torch.cuda.mem_get_info()[1] if device == "cuda" else memory.available() + STORE.held()
    _check_free(spec.name, expected_bytes(spec, form), free)


def check_memory(name: str, needed: int, device: str) -> None:
    """Raises PlaygroundError if there is less memory than is `needed`; what could be let go for it has been already."""
    import torch

    _check_free(name, needed, torch.cuda.mem_get_info()[0] if device == "cuda" else memory.available())


def _check_free(name: str, needed: int, free: int) -> None:
    needed = int(SPARE * needed)
    if needed > free:
        raise PlaygroundError("too_little_memory", base=name, needed=round(needed / 1e9, 1), free=round(free / 1e9, 1))
