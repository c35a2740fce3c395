"""A batch in one row has the losses and gradients of a row for every example, in every family that can be asked so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from playground.adapt.tasks import IGNORE
from playground.train import packing
from playground.train.batches import Encoded
from playground.train.evaluation import padded_logits, response_logits
from tests.conftest import tiny_tokenizer
from tests.kinds import KINDS, model_of_kind

OPENING = [7, 8, 9, 10, 11, 12]
APART = {"bloom", "mpt"}


def example(prompt: list[int], response: list[int]) -> Encoded:
    return prompt + response, [IGNORE] * len(prompt) + response


BATCH = [
    example([*OPENING, 20, 21, 22], [30, 31, 32]),
    example([*OPENING, 23], [33]),
    example([*OPENING, 24, 25], [34, 35, 36, 37, 38]),
]


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_are_those_of_padded_rows(kind: str) -> None:
    model: Any = model_of_kind(kind, tiny_tokenizer()).requires_grad_(True)
    found = []
    for read in (padded_logits, response_logits):
        model.zero_grad()
        logits, targets = read(model, BATCH, 0)
        loss = functional.cross_entropy(logits, targets)
        loss.backward()
        found.append(
            (logits.detach(), targets, {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
        )
    (logits, targets, gradients), (ours, same, own) = found
    assert torch.equal(targets, same)
    torch.testing.assert_close(ours, logits, rtol=1e-5, atol=1e-5 * float(logits.abs().amax()))
    assert gradients.keys() == own.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(own[name], gradient, rtol=1e-4, atol=1e-5 * max(1.0, float(gradient.abs().amax())))


def test_a_family_reads_so_if_it_can_be_told_positions_and_a_mask() -> None:
    apart = {kind for kind in KINDS if not packing.longest(model_of_kind(kind, tiny_tokenizer()))}
    assert apart == APART


@pytest.mark.parametrize("kind", ["mistral", "gpt-neo", "gemma3-vision"])
def test_a_row_is_no_longer_than_a_layer_sees_back(kind: str) -> None:
    model: Any = model_of_kind(kind, tiny_tokenizer())
    window = 8
    short, long = [example([1, 2], [3])] * 2, [example([1, 2, 3], [4, 5])] * 2
    assert packing.longest(model) == window
    assert packing.packs(model, short)
    assert not packing.packs(model, long)


def test_what_drops_at_random_is_read_row_by_row_in_training_alone() -> None:
    model: Any = model_of_kind("gpt2", tiny_tokenizer())
    assert packing.packs(model, BATCH)
    assert not packing.packs(model.train(), BATCH)
    assert packing.packs(model_of_kind("llama", tiny_tokenizer()).train(), BATCH)


def test_an_opening_is_read_once_and_nothing_is_padded() -> None:
    packed = packing.pack(BATCH, torch.device("cpu"))
    assert packed.ids.tolist() == [[*OPENING, 20, 21, 22, 30, 31, 32, 23, 33, 24, 25, 34, 35, 36, 37, 38]]
    assert packed.positions.tolist() == [[*range(12), 6, 7, *range(6, 13)]]
    assert packed.sources.tolist() == [8, 9, 10, 12, 15, 16, 17, 18, 19]


@pytest.mark.parametrize(
    "batch",
    [
        [example([1, 2, 3], [4, 5])] * 3,  # the same ones
        [example([1, 2, 3], [4, 5]), example([1, 2, 3], [4, 6, 7])],  # the opening goes on into the responses
        [example([1], [2]), example([1, 2, 3], [4])],  # one begins the other
        [example([1, 2], [3]), example([5, 6], [7])],  # nothing in common
        [example([9], [8, 7]), example([9], [6])],
    ],
)
def test_examples_may_have_everything_in_common_or_nothing(batch: list[Encoded]) -> None:
    model: Any = model_of_kind("llama", tiny_tokenizer())
    (expected, targets), (found, same) = padded_logits(model, batch, 0), response_logits(model, batch, 0)
    assert packing.packs(model, batch)
    assert torch.equal(targets, same)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
