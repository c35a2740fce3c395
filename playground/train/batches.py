"""
Examples in batches: like lengths together where they are measured, shuffled where they are trained on, in parts where a
batch is too long. Knows nothing about models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from playground import settings
from playground.adapt.tasks import IGNORE

BATCH = 8  # examples that are measured together
Encoded = tuple[list[int], list[int]]  # (input ids, labels) as `tasks.encode` gives them


def by_length(encoded: Sequence[Encoded], size: int = BATCH) -> list[list[Encoded]]:
    """
    All of them, like lengths together (less padding): at most `size` in one, and with its padding at most
    `settings.MAX_BATCH_TOKENS` tokens, unless a single example has more.
    """
    found: list[list[Encoded]] = []
    for example in sorted(encoded, key=lambda example: len(example[0])):
        if found and len(found[-1]) < size and (len(found[-1]) + 1) * len(example[0]) <= settings.MAX_BATCH_TOKENS:
            found[-1].append(example)
        else:
            found.append([example])
    return found


def shares(batch: list[Encoded]) -> list[tuple[list[Encoded], float]]:
    """
    A batch in parts of at most `settings.MAX_BATCH_TOKENS` tokens with their padding, each with its share of the response
    tokens: the gradients of share times mean loss add up to that of the whole batch's mean loss.
    """
    longest = max(len(ids) for ids, _ in batch)
    return weighed([batch] if longest * len(batch) <= settings.MAX_BATCH_TOKENS else by_length(batch, len(batch)))


def weighed(parts: Sequence[list[Encoded]]) -> list[tuple[list[Encoded], float]]:
    """Each with its share of the response tokens of all."""
    heard = [sum(label != IGNORE for _, labels in part for label in labels) for part in parts]
    return [(part, count / sum(heard)) for part, count in zip(parts, heard, strict=True)]


def shuffled(examples: Sequence[Encoded], size: int, seed: int) -> Iterator[list[Encoded]]:
    """Endless batches; every example once per pass, in an order that the seed decides."""
    order, shuffle = list(examples), random.Random(seed).shuffle
    while True:
        shuffle(order)
        for start in range(0, len(order), size):
            yield order[start : start + size]
