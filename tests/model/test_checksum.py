"""The fingerprint of weights: every value and its place count, in any type, counted either way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from playground.model import checksum as module
from playground.model.checksum import checksum, summed


class Held(nn.Module):
    """Two matrices alike, a vector with an odd number of entries, one number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        for name, shape in {"one": (6, 8), "other": (6, 8), "square": (6, 6), "bias": (7,), "number": ()}.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape), requires_grad=False))


def swapped(model: Any) -> None:
    model.one, model.other = model.other, model.one


TWIN = {torch.float32: torch.int32, torch.bfloat16: torch.float16, torch.float64: torch.int64}
CHANGES: dict[str, Callable[[Any], Any]] = {
    "one value": lambda m: m.one[2, 3].mul_(1.01),
    "the last value": lambda m: m.bias[-1].neg_(),
    "the only value": lambda m: m.number.add_(1),
    "two rows swapped": lambda m: m.one.copy_(m.one[[1, 0, 2, 3, 4, 5]]),
    "rows turned around": lambda m: m.one.copy_(m.one.flip(0)),
    "two columns swapped": lambda m: m.one.copy_(m.one[:, [0, 1, 2, 3, 5, 4, 6, 7]]),
    "columns turned around": lambda m: m.one.copy_(m.one.flip(1)),
    "all turned around": lambda m: m.one.copy_(m.one.flip(0, 1)),
    "transposed": lambda m: m.square.copy_(m.square.T.clone()),
    "rows rolled": lambda m: m.one.copy_(m.one.roll(2, 0)),
    "two values swapped": lambda m: m.one.view(-1).index_copy_(0, torch.tensor([9, 30]), m.one.view(-1)[[30, 9]]),
    "two tensors swapped": swapped,
    "negated": lambda m: m.one.neg_(),
    "a column negated": lambda m: m.one[:, 3].neg_(),
    "every second column negated": lambda m: m.one[:, 1::2].neg_(),
    "one value twice": lambda m: m.one[1].copy_(m.one[0]),
    "another shape": lambda m: setattr(m, "one", nn.Parameter(m.one.view(8, 6), requires_grad=False)),
    "another type": lambda m: setattr(m, "one", nn.Parameter(m.one.view(TWIN[m.one.dtype]), requires_grad=False)),
}
TYPES = {
    "float32": lambda m: m,
    "bfloat16": lambda m: m.bfloat16(),
    "float64": lambda m: m.double(),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("way", ["crc32", "summed"])
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen_and_a_copy_is_none(change: str, way: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "summed":  # as on a GPU, and in several chunks
        monkeypatch.setattr(module, "CHUNK", 5)
        monkeypatch.setattr(module, "_counted", lambda tensor: summed(tensor.contiguous().flatten().view(torch.uint8)))
    model = TYPES[kind](Held())
    before = checksum(model)
    assert checksum(copy.deepcopy(model)) == before
    CHANGES[change](model)
    assert checksum(model) != before


def test_what_is_no_multiple_of_a_word_counts_to_its_last_byte() -> None:
    flat = torch.arange(23, dtype=torch.uint8)
    seen = {summed(flat)}
    for place in range(23):
        other = flat.clone()
        other[place] += 1
        seen.add(summed(other))
    assert len(seen) == 24
    assert summed(torch.cat([flat[:1], flat])[1:]) == summed(flat)  # wherever it begins
