"""
Asking about one tensor: a weight of a base, a test tensor or a visitor's own numbers, and what every format makes of it.

A base is loaded where it is asked for. What cannot be served is a PlaygroundError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playground.errors import PlaygroundError
from playground.formats.format import BLOCK, Layout
from playground.model.bases import BASES
from playground.quantize import sources, tensor
from playground.quantize.sources import Numbers
from playground.quantize.tensor import Report

MODULE, OWN = "module", "own"  # where numbers come from, beside the test tensors


@dataclass(frozen=True)
class Taken:
    """Numbers; of a base's weight also which module's, and how the base had stored it (see `sources.stored_in`)."""

    numbers: Numbers
    module: str = ""
    stored: str = ""


def take(
    source: str, base_id: str, module: str | None, text: str, file: str | None, seed: int, decimal_comma: bool
) -> Taken:
    """
    From `source`: MODULE takes a weight of a base (without a module the default one), OWN a file, or without one a text
    (whose commas may be decimal ones), and a test tensor its seed.
    """
    if source == OWN:
        return Taken(sources.own_numbers(text, file, decimal_comma))
    if source != MODULE:
        return Taken(sources.drawn(source, seed))
    base = BASES.get(base_id)
    module = module or sources.default_module(base)
    return Taken(sources.module_weight(base, module), module, sources.stored_in(base, module))


def report(
    taken: Taken, outliers: tuple[float, float, bool], formats: Sequence[str], grid: str, stop: int, zero_point: bool
) -> Report:
    """
    What `formats`, and the one whose `grid` is drawn, make of the numbers, with scales shared as `tensor.STOPS` says at
    `stop`. Before, a share of them becomes outliers: (share, size, whole columns).
    """
    numbers = sources.with_outliers(taken.numbers, *outliers)
    if not formats:
        raise PlaygroundError("no_formats")
    return tensor.report(numbers, [*formats, grid], tensor.layout_at(stop, zero_point))


def shapes(base_id: str) -> dict[str, tuple[int, ...]]:
    """The shapes of all weights of a base by the paths of their modules."""
    base = BASES.get(base_id)
    return {path: sources.shape_of(base, path) for path in sources.modules(base)}


def module_of(base_id: str, wanted: str | None = None) -> str:
    """The module that is wanted if the base has it; otherwise the default one."""
    base = BASES.get(base_id)
    return wanted if wanted and wanted in sources.modules(base) else sources.default_module(base)


def embedding_of(base_id: str) -> str | None:
    base = BASES.get(base_id)
    embedding = base.model.get_input_embeddings()
    return next((path for path in sources.modules(base) if base.model.get_submodule(path) is embedding), None)


def norm_of(base_id: str) -> str | None:
    """The norm after the last layer."""
    outside = (path for path in shapes(base_id).items() if not any(part.isdigit() for part in path[0].split(".")))
    norms = [path for path, shape in outside if len(shape) == 1]  # an output head of its own is no norm
    return norms[-1] if norms else None


def round_module(
    base_id: str, module: str, formats: Sequence[str], granularity: str, block: int, zero_point: bool
) -> list[dict[str, Any]]:
    """`tensor.rows` of a module; without a granularity in each format's own layout."""
    layout = Layout(granularity, BLOCK.check(block), zero_point)
    return tensor.rows(BASES.get(base_id), module, formats, layout if granularity else None)
