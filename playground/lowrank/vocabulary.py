"""
A base's vocabulary as directions: which tokens' embeddings lie nearest to a vector, and how near chance would bring one.

What is measured of a base is remembered as long as it lives. Knows nothing about adapters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import normalize

from playground import settings
from playground.bounds import Bound
from playground.model.bases import Base

BLOCK = 16_384  # rows of the vocabulary that are compared at a time
QUANTILES = (0.05, 0.5, 0.95)
DIRECTIONS = 32  # random ones, to know what chance gives
COUNT = Bound("count", 3, 1, settings.MAX_NEAREST_TOKENS)


@dataclass(frozen=True)
class Near:
    """A vocabulary token, as the tokenizer decodes it, and its cosine with a virtual token."""

    id: int
    token: str
    cosine: float


@dataclass(frozen=True)
class Vocabulary:
    """The embeddings of the tokens that the tokenizer knows, (tokens, width), and their norms, (tokens,), float32."""

    embeddings: torch.Tensor
    norms: torch.Tensor
    quantiles: tuple[float, float, float]

    def cosines(self, vectors: torch.Tensor) -> Iterator[torch.Tensor]:
        """With each row of `vectors`, (rows, width): block after block, (rows, block), so that no copy of it all is made."""
        unit = normalize(vectors.to(self.norms.device, torch.float32), dim=1)
        for embeddings, norms in zip(self.embeddings.split(BLOCK), self.norms.split(BLOCK), strict=True):
            yield unit @ embeddings.float().T / norms.clamp_min(torch.finfo(torch.float32).tiny)


_VOCABULARIES: WeakKeyDictionary[Base, Vocabulary] = WeakKeyDictionary()


@torch.no_grad()
def vocabulary(base: Base) -> Vocabulary:
    """Measured once per base. Some models have more rows than tokens; those rows are nobody's."""
    if base not in _VOCABULARIES:
        embeddings = input_embeddings(base)[: len(base.tokenizer)]
        norms = torch.cat([block.float().norm(dim=1) for block in embeddings.split(BLOCK)])
        low, middle, high = norms.quantile(torch.tensor(QUANTILES, device=norms.device)).tolist()
        _VOCABULARIES[base] = Vocabulary(embeddings, norms, (low, middle, high))
    return _VOCABULARIES[base]


@torch.no_grad()
def nearest(base: Base, vectors: torch.Tensor, count: int = COUNT.default) -> list[tuple[Near, ...]]:
    """For each row of `vectors`, (rows, width), the vocabulary tokens of the largest cosine, largest first."""
    count, start = COUNT.check(count), 0
    cosines, ids = [], []
    for found in vocabulary(base).cosines(vectors):
        best = found.topk(min(count, found.shape[1]), dim=1)
        cosines.append(best.values)
        ids.append(best.indices + start)
        start += found.shape[1]
    best = torch.cat(cosines, dim=1).topk(count, dim=1)
    chosen = torch.cat(ids, dim=1).gather(1, best.indices).tolist()
    values = best.values.clamp(-1.0, 1.0).tolist()
    return [
        tuple(Near(token, word(base, token), value) for token, value in zip(*row, strict=True))
        for row in zip(chosen, values, strict=True)
    ]


_CHANCES: WeakKeyDictionary[Base, float] = WeakKeyDictionary()


@torch.no_grad()
def chance(base: Base) -> float:
    """How near the nearest vocabulary token is to a random direction: the mean cosine of a few seeded ones."""
    if base not in _CHANCES:
        directions = torch.randn(DIRECTIONS, base.architecture.hidden_size, generator=torch.Generator().manual_seed(0))
        largest = [found.max(dim=1).values for found in vocabulary(base).cosines(directions)]
        _CHANCES[base] = float(torch.stack(largest).max(dim=0).values.mean())
    return _CHANCES[base]


def word(base: Base, token: int) -> str:
    return str(base.tokenizer.decode([token]))


def input_embeddings(base: Base) -> torch.Tensor:
    """The base's own, (rows, width): never written to."""
    model: Any = base.model
    weight: torch.Tensor = model.get_input_embeddings().weight
    return weight.detach()
