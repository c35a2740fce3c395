"""
The counts that a config.json claims, before transformers makes something for each: labels, layers, experts.

Three million labels are a short line, two gigabytes and a minute. Knows nothing about what a model is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from playground.bounds import shown
from playground.errors import PlaygroundError

LAYERS = re.compile(r"(n|num|num_hidden|num_mtp|num_residual|(num_)?encoder|(num_)?decoder)_layers?|first_k_dense_replace")
LIMITS = {  # what families call it, and more than any model has
    LAYERS: 1_000,
    re.compile(r"_?num_labels"): 10_000,
    re.compile(r"(moe_)?(n|num)_((local|routed|shared)_)?experts"): 1_000,
}


def check_claims(written: Any, name: str, tensors: int | None = None) -> None:
    """Raises PlaygroundError for more than a model has, in whatever part; for more layers than its files hold `tensors`."""
    for field, value in _whole_numbers(written):
        for pattern, maximum in LIMITS.items():
            if tensors is not None and pattern is LAYERS:
                maximum = min(maximum, tensors)
            if value > maximum and pattern.fullmatch(field):
                raise PlaygroundError("base_config_lies", base=name, field=field, found=shown(value), maximum=maximum)


def _whole_numbers(written: Any) -> Iterator[tuple[str, int]]:
    """Every whole number of a config with its name, also of its parts."""
    named = written.items() if isinstance(written, dict) else ()
    yield from ((field, value) for field, value in named if isinstance(value, int))
    for part in written.values() if isinstance(written, dict) else written if isinstance(written, list) else ():
        yield from _whole_numbers(part)
