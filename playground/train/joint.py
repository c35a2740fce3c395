"""
One module tree through which several runs over one base are trained: row i of a pass is run i.

What they share is computed once for all rows. A linear layer that somebody adapts multiplies all of them with the weight,
and each run adds, on its own row, what its own PEFT layer would; so gradients reach its own parameters alone. Knows
neither examples nor optimizers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from torch.nn.functional import dropout, pad

from playground.compare.routing import alike, hands_out_tokens, same
from playground.compare.shared import ApartError, Own, multiplier, share, stacked


class Dice:
    """A run's own stream of random numbers, as `torch.manual_seed` begins it; drawn from while it lasts (`thrown`)."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._state = torch.Generator(device).manual_seed(seed).get_state()
        cuda = torch.cuda.default_generators
        self._shared = cuda[device.index or 0] if device.type == "cuda" else torch.default_generator

    @contextmanager
    def thrown(self) -> Iterator[None]:
        before = self._shared.get_state()
        self._shared.set_state(self._state)
        try:
            yield
        finally:
            self._state = self._shared.get_state()
            self._shared.set_state(before)


@dataclass
class Rows:
    """
    What a pass reads, set anew for each: so many rows of `width` tokens. In row i, `shapes[i]` = (n, L) says that n examples
    of L tokens lie side by side, which drop with `dice[i]`. Logits are wanted at `sources`, all rows one behind the other.
    """

    width: int = 0
    shapes: Sequence[tuple[int, int]] = ()
    dice: Sequence[Dice] = ()
    sources: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def of(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, width, features) of what a layer is handed. Raises ApartError if it has no such rows."""
        rows, *rest = x.shape[:-1]
        if (rows, math.prod(rest)) not in ((len(self.shapes), self.width), (len(self.shapes) * self.width, 1)):
            raise ApartError(f"an input of shape {tuple(x.shape)} for {len(self.shapes)} rows of {self.width}")
        return x.reshape(len(self.shapes), self.width, -1)


def joined(base: Any, trees: Sequence[nn.Module], rows: Rows) -> Any:
    """
    The tree in which row i runs as through `trees[i]`, all of them views of `base` with PEFT's layers in it; its logits are
    (1, sources, vocabulary). Raises ApartError where more than linear layers differ.
    """
    head, whole = base.get_output_embeddings(), _joined([base, *trees], rows)
    path = next((name for name, module in base.named_modules() if module is head), "")
    if not path:
        raise ApartError(f"{type(base).__name__} has no output layer of its own")
    return _replaced(whole, path, lambda module: _Gathered(module, rows))


def _joined(trees: Sequence[Any], rows: Rows) -> Any:
    first = trees[0]
    if all(same(first, tree) for tree in trees):
        return first
    if all(share(first, tree) for tree in trees):
        return JointLinear(trees[1:], rows)
    if hands_out_tokens(trees) or not all(alike(first, tree) for tree in trees):
        raise ApartError(f"{type(first).__name__} differs")
    tree = copy.copy(first)
    tree._modules = {
        name: None if child is None else _joined([one._modules[name] for one in trees], rows)
        for name, child in first._modules.items()
    }
    return tree


def _replaced(tree: Any, path: str, make: Callable[[Any], nn.Module]) -> Any:
    """A copy of a tree with another module at a path."""
    name, _, rest = path.partition(".")
    child = tree._modules[name]
    tree = copy.copy(tree)
    tree._modules = tree._modules | {name: _replaced(child, rest, make) if rest else make(child)}
    return tree


class _Gathered(nn.Module):
    """An output layer that is asked only where somebody listens."""

    def __init__(self, module: nn.Module, rows: Rows) -> None:
        super().__init__()
        self.module, self.rows = module, rows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, width, hidden) to (1, sources, vocabulary)."""
        logits: torch.Tensor = self.module(self.rows.of(x).flatten(0, 1)[self.rows.sources][None])
        return logits


class JointLinear(nn.Module):
    """Stands for linear layers over one weight, the i-th of which is that of row i: adapted by PEFT, or not."""

    def __init__(self, variants: Sequence[Any], rows: Rows) -> None:
        super().__init__()
        self.base, self.rows, self.runs = multiplier(variants[0]), rows, tuple(map(_Run.of, variants))
        self.scaling = torch.tensor([[[run.scaling]] for run in self.runs], device=self.base.weight.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, width, in), or (rows · width, in), to the same with (…, out), in the dtype that the layer gives."""
        own = [run.own or Own.of(run.layer) for run in self.runs]
        before, after, offset = (
            stacked([getattr(one, name) for one in own], neutral)
            for name, neutral in (("before", 1.0), ("after", 1.0), ("offset", 0.0))
        )
        rows = self.rows.of(x)
        product = self.base(rows if before is None else (rows * before).to(x.dtype))
        y = product + self._low_ranks(rows, own) if any(one.down is not None for one in own) else product
        y = y if after is None else y * after
        y = (y if offset is None else y + offset).to(product.dtype)
        if any(run.alone for run in self.runs):
            y = self._with_those_alone(rows, y)
        whole: torch.Tensor = y.reshape(*x.shape[:-1], -1)
        return whole

    def _low_ranks(self, x: torch.Tensor, own: Sequence[Own]) -> torch.Tensor:
        """scaling · up(down(x)) in every row, of the highest rank: a lower one, or none, is filled with zeros."""
        down, up = _filled([one.down for one in own], 0), _filled([one.up for one in own], 1)
        x = x.to(down.dtype)
        dropped = self._dropped(x)
        inner = torch.bmm(x if dropped is None else x * dropped, down.transpose(1, 2)) * self.scaling.to(down.dtype)
        return torch.bmm(inner, up.transpose(1, 2))

    def _dropped(self, x: torch.Tensor) -> torch.Tensor | None:
        """What PEFT's dropout multiplies x with, drawn by each run as it would be alone; None where nothing is dropped."""
        if not any(run.drops for run in self.runs):
            return None
        mask = torch.ones_like(x, requires_grad=False)
        for row, (run, (count, length), dice) in enumerate(zip(self.runs, self.rows.shapes, self.rows.dice, strict=True)):
            if run.drops:
                with dice.thrown():
                    own = dropout(x.new_ones(count, length, x.shape[-1]), run.dropout)
                mask[row, : count * length] = own.flatten(0, 1)
        return mask

    def _with_those_alone(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The same, with what PEFT's own layers make of the rows of those whose part no formula tells."""
        parts = list(y.unbind())
        for row, run in enumerate(self.runs):
            if run.alone:
                count, length = self.rows.shapes[row]
                with self.rows.dice[row].thrown():
                    found = run.layer(x[row, : count * length].reshape(count, length, -1)).flatten(0, 1)
                parts[row] = pad(found, (0, 0, 0, len(y[row]) - len(found)))
        return torch.stack(parts)


@dataclass(frozen=True)
class _Run:
    """A run's layer: what it does, if that is the same tensors at every step; what it drops; whether it goes `alone`."""

    layer: Any
    own: Own | None
    scaling: float = 1.0
    dropout: float = 0.0
    alone: bool = False

    @property
    def drops(self) -> bool:
        """Whether something is dropped now, by whoever stands for the layer."""
        return self.dropout > 0 and not self.alone and self.layer.training

    @classmethod
    def of(cls, layer: Any) -> _Run:
        if not isinstance(layer, LoraLayer):
            return cls(layer, None if isinstance(layer, BaseTunerLayer) else Own())
        dropout = max(getattr(one, "p", 0.0) for one in layer.lora_dropout.values())
        varied = bool(layer.lora_variant)  # DoRA: with dropout it multiplies what is dropped with the weight, too
        alone = varied and dropout > 0
        own = Own() if alone else None if varied else Own.of(layer)
        return cls(layer, own, next(iter(layer.scaling.values())), dropout, alone)


def _filled(parts: Sequence[torch.Tensor | None], rank_at: int) -> torch.Tensor:
    """All of them stacked, filled with zeros to the highest rank."""
    there = [one for one in parts if one is not None]
    highest = max(one.shape[rank_at] for one in there)
    shape = list(there[0].shape)
    shape[rank_at] = highest
    nothing = there[0].new_zeros(shape)

    def full(one: torch.Tensor | None) -> torch.Tensor:
        missing = highest - one.shape[rank_at] if one is not None else 0
        return nothing if one is None else pad(one, (0, missing) if rank_at else (0, 0, 0, missing)) if missing else one

    return torch.stack([full(one) for one in parts])
