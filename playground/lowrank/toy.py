"""
Low rank on a toy: a d × k target, the best product of two thin matrices for it, and the one that training finds.

One convention, PEFT's: A is r × k (r × in), B is d × r (out × r), the update BA is d × k. Targets have a root mean
square of 1, so errors can be compared. Matrices are numpy arrays; only `fit` needs torch. Knows nothing about models
or the page.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from playground import settings
from playground.adapt.adapters import CONFIG, WEIGHTS
from playground.bounds import SEED, Bound
from playground.errors import PlaygroundError
from playground.lowrank.pictures import PICTURE, read_picture
from playground.lowrank.svd import Svd

D, K = (Bound(side, 50, *settings.TOY_SIDES) for side in "dk")
R = Bound("r", 2, 1, settings.TOY_SIDES[1])
STEPS = Bound("steps", settings.TOY_STEPS, 1, settings.TOY_STEPS)
LOW_RANK = 4
TRAINED_ADAPTER, TRAINED_LAYER = "pirate-lora", 10
TRAINED = f"base_model.model.model.layers.{TRAINED_LAYER}.self_attn.q_proj.lora_{{factor}}.weight"
LEARNING_RATE = 0.1  # falls linearly to 0; within 1 % of the best error for every target at 50 × 50 (tests)
MANY = 128  # ranks above it need smaller steps: all of them move at once, and BA overshoots
FRAMES = 20  # that a fit yields after step 0, dense at the start, where most happens
Make = Callable[[int, int, np.random.Generator, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Parameters:
    """Numbers that a full update holds, numbers that its factors hold, and the percent saved (negative: it costs more)."""

    full: int
    factors: int

    @property
    def saved(self) -> float:
        return 100 * (1 - self.factors / self.full)


@dataclass(frozen=True)
class Approximation:
    """Factors B (d, r) and A (r, k), float64, the relative error ‖T − BA‖/‖T‖ (Frobenius), the share of energy kept."""

    b: np.ndarray
    a: np.ndarray
    error: float
    energy: float


@dataclass(frozen=True)
class Fitted:
    """Trained factors B (d, r) and A (r, k), float32, after `step` of `steps`, the last if `ended`, and their error."""

    step: int
    steps: int
    ended: bool
    error: float
    b: np.ndarray
    a: np.ndarray


class Decomposition(Svd[np.ndarray]):
    """Of a toy's matrix, (d, k)."""

    @property
    def energies(self) -> np.ndarray:
        """Each direction's share of the matrix's energy, its sum of squares; they add up to 1."""
        squares = self.s**2
        return squares / (squares.sum() or 1.0)

    def best(self, rank: int) -> Approximation:
        """The best approximation of at most this rank. Raises PlaygroundError if the matrix has no such rank."""
        _, _, rank = checked(len(self.u), len(self.v), rank)
        lost = float(self.energies[rank:].sum())
        return Approximation(*self.cut(rank).split(), lost**0.5, 1 - lost)


def checked(rows: int, columns: int, rank: int = 1) -> tuple[int, int, int]:
    """The same. Raises PlaygroundError for sides beyond the limits and for a rank that no such matrix has."""
    rows, columns, rank = D.check(rows), K.check(columns), R.check(rank)
    if rank > min(rows, columns):
        raise PlaygroundError("toy_rank", rank=rank, rows=rows, columns=columns, maximum=min(rows, columns))
    return rows, columns, rank


def parameters(rows: int, columns: int, rank: int) -> Parameters:
    """d·k numbers against r·(d + k) (Hu et al. 2021, section 4.1)."""
    return Parameters(rows * columns, rank * (rows + columns))


# Targets: what an update could be asked to be


def random(rows: int, columns: int, generator: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    return generator.standard_normal((rows, columns))


def low_rank(rows: int, columns: int, generator: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The product of two Gaussian factors of rank 4, or of full rank where that is less."""
    rank = min(LOW_RANK, rows, columns)
    return generator.standard_normal((rows, rank)) @ generator.standard_normal((rank, columns))


def diagonal(rows: int, columns: int, generator: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Like the identity, but each entry between 0.5 and 1.5."""
    matrix = np.zeros((rows, columns))
    np.fill_diagonal(matrix, generator.uniform(0.5, 1.5, min(rows, columns)))
    return matrix


def from_picture(rows: int, columns: int, generator: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The picture, resized, around its mean."""
    resized = np.asarray(Image.fromarray(picture).resize((columns, rows), Image.Resampling.BILINEAR))
    centred: np.ndarray = resized - resized.mean()
    return centred


def trained(rows: int, columns: int, generator: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The top-left corner of a trained (alpha/r)·BA: true entries, hence of its rank at most."""
    return trained_update()[:rows, :columns]


@lru_cache(maxsize=1)
def trained_update() -> np.ndarray:
    """What the ready-made adapter adds to one query projection, (576, 576); needs no base."""
    from safetensors import safe_open

    folder = settings.EXAMPLES / "adapters" / TRAINED_ADAPTER
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    with safe_open(folder / WEIGHTS, framework="np") as file:
        a, b = (file.get_tensor(TRAINED.format(factor=factor)) for factor in "AB")
    update: np.ndarray = config["lora_alpha"] / config["r"] * (b @ a)
    return update


TARGETS: dict[str, Make] = {
    "random": random,
    "low_rank": low_rank,
    "diagonal": diagonal,
    "picture": from_picture,
    "trained": trained,
}
KIND = Bound("kind", "random", choices=tuple(TARGETS))


def target(kind: str, rows: int, columns: int, seed: int = 0, picture: Path = PICTURE) -> np.ndarray:
    """
    The update of this kind, (rows, columns) float32 with a root mean square of 1 (0 only if all of it is 0).

    Raises PlaygroundError for an unknown kind, sides or a seed out of range, or a picture that is none.
    """
    make, generator = TARGETS[KIND.check(kind)], np.random.default_rng(SEED.check(seed))
    rows, columns, _ = checked(rows, columns)
    pixels = read_picture(picture if kind == "picture" else PICTURE)
    matrix = make(rows, columns, generator, pixels).astype(np.float64)
    return (matrix / (np.sqrt((matrix**2).mean()) or 1.0)).astype(np.float32)


def base_weight(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """A frozen W to add the update to: Gaussian, (rows, columns) float32, independent of the target."""
    rows, columns, _ = checked(rows, columns)
    return np.random.default_rng((SEED.check(seed), 1)).standard_normal((rows, columns)).astype(np.float32)


def decompose(matrix: np.ndarray) -> Decomposition:
    u, s, vh = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    return Decomposition(u, s, vh.T)


def fit(target: np.ndarray, rank: int, steps: int = STEPS.default, seed: int = 0) -> Iterator[Fitted]:
    """
    Train the factors of a target (d, k) from LoRA's own start: A Gaussian, B = 0, so that BA = 0 (Hu et al. 2021,
    section 4.1). Adam on the squared error. Yields at step 0 and then about FRAMES times.

    Large matrices get fewer steps, see `affordable`; where the cores are busy it ends after MAX_TOY_SECONDS, at a step
    below `steps`. Raises PlaygroundError at the first `next`.
    """
    import torch

    rows, columns = target.shape
    rows, columns, rank = checked(rows, columns, rank)
    steps = min(STEPS.check(steps), affordable(rows, columns, rank))
    shown = {round(steps * (frame / FRAMES) ** 2) for frame in range(FRAMES + 1)}
    wanted = torch.from_numpy(target)
    start = torch.randn(rank, columns, generator=torch.Generator().manual_seed(SEED.check(seed)))
    a = (start / columns**0.5).requires_grad_()  # (r, k), rows of length about 1
    b = torch.zeros(rows, rank, requires_grad=True)
    rate = LEARNING_RATE / max(1.0, rank / MANY) ** 0.5
    optimizer = torch.optim.Adam([a, b], lr=rate)
    scale = float(wanted.norm()) or 1.0
    deadline = time.monotonic() + settings.MAX_TOY_SECONDS
    for step in range(steps + 1):
        missing = wanted - b @ a  # (d, k)
        ended = step == steps or time.monotonic() > deadline
        if ended or step in shown:
            paused = time.monotonic()
            error = float(missing.detach().norm()) / scale
            yield Fitted(step, steps, ended, error, b.detach().numpy().copy(), a.detach().numpy().copy())
            deadline += time.monotonic() - paused  # what the caller does in between is not counted
        if ended:
            return
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimizer.zero_grad()
        missing.square().sum().backward()
        optimizer.step()


def affordable(rows: int, columns: int, rank: int) -> int:
    """Steps that a fit of this size may take: all of TOY_STEPS, or as many as MAX_TOY_MULTIPLICATIONS buys."""
    return min(settings.TOY_STEPS, settings.MAX_TOY_MULTIPLICATIONS // (rows * columns * rank))


@lru_cache(maxsize=8)
def _decomposed(kind: str, rows: int, columns: int, seed: int, picture: Path) -> tuple[np.ndarray, Decomposition]:
    matrix = target(kind, rows, columns, seed, picture)
    return matrix, decompose(matrix)


def decomposed(
    kind: str, rows: int, columns: int, seed: int = 0, picture: Path = PICTURE
) -> tuple[np.ndarray, Decomposition]:
    """`target` and its decomposition; the latest few are remembered, for a rank that moves. Raises PlaygroundError."""
    rows, columns, _ = checked(rows, columns)
    return _decomposed(KIND.check(kind), rows, columns, SEED.check(seed), picture if kind == "picture" else PICTURE)


@lru_cache(maxsize=8)
def decomposed_picture(path: Path = PICTURE) -> tuple[np.ndarray, Decomposition]:
    """A picture and its decomposition, remembered by its path. Raises PlaygroundError."""
    pixels = read_picture(path)
    return pixels, decompose(pixels)
