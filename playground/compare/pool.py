"""
Rows that write together, whoever asked for them: one token each a step. Rows join between two steps and leave when they
have ended; what raises is that row's own affair. Knows neither panes nor adapters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache

from playground.compare import masks  # noqa: F401  it puts its own in transformers' place
from playground.compare.decoding import Row
from playground.compare.layout import Layout
from playground.compare.overflow import norms_of, overflowing, watched
from playground.compare.reading import cache_name, counts, is_plain
from playground.compare.routing import mixed, scaled_from
from playground.compare.shared import ApartError


def write(rows: Sequence[Row], pool: AnyPool | None = None) -> Iterator[None]:
    """
    Continue prefilled rows together, one token each per step, until all are finished: in a pool of their own, or in one
    that somebody else steps. Raises what a row raised.
    """
    own = pool or Pool()
    own.join(rows)
    try:
        while not all(row.finished for row in rows):
            if pool is None:
                own.step()
            yield
    finally:
        own.leave(rows)
    for row in rows:
        if row.error:
            raise row.error


class Pool:
    """
    Prefilled rows that are being written: in one batch where their models can share a tree and their caches can be joined,
    else in several, which have equal time: rows of a slow form of the base do not hold up the others.
    """

    def __init__(self) -> None:
        self._batches: list[_Batch] = []
        self._waiting: list[Row] = []

    def join(self, rows: Sequence[Row]) -> None:
        """Write these as well, from the next step on."""
        self._waiting += [row for row in rows if not row.finished]

    def leave(self, rows: Sequence[Row]) -> None:
        """Write these no further."""
        self._waiting = [row for row in self._waiting if row not in rows]
        for batch in self._batches:
            batch.drop(rows)
        self._batches = [batch for batch in self._batches if batch.rows]

    def forked(self) -> None:
        """In a process that was forked: the rows are written in the other one."""
        self._batches, self._waiting = [], []

    def step(self) -> None:
        """One more token for every row of a batch: of that which has had the least time."""
        self._admit()
        if not self._batches:
            return
        batch = min(self._batches, key=lambda one: one.spent)
        place = self._batches.index(batch)
        self._batches[place : place + 1] = batch.step()

    def _admit(self) -> None:
        """Every waiting row goes to the first batch that can take it, or begins one."""
        coming: dict[_Batch, list[Row]] = {batch: [] for batch in self._batches}
        for row in self._waiting:
            own = next((batch for batch in coming if batch.takes(row)), None)
            if own is None:
                coming[_Batch(row, min((batch.spent for batch in coming), default=0.0))] = []
            else:
                coming[own].append(row)
        self._waiting = []
        self._batches = [left for batch, rows in coming.items() for left in batch.admit(rows)]


class Part:
    """The rows in a pool that one sort of work waits for: who steps it steps the whole pool, as long as one is written."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._rows: list[Row] = []

    def join(self, rows: Sequence[Row]) -> None:
        self._rows += rows
        self._pool.join(rows)

    def leave(self, rows: Sequence[Row]) -> None:
        self._rows = [row for row in self._rows if row not in rows]
        self._pool.leave(rows)

    def step(self, seconds: float = 0.0) -> None:
        """A token of the pool, and more until so much time is over; none once all of these have ended."""
        end = time.perf_counter() + seconds
        while not all(row.finished for row in self._rows):
            self._pool.step()
            if time.perf_counter() >= end:
                return


AnyPool = Pool | Part
SHARED = Pool()  # of the comparisons of all visitors
LOOKS = Part(SHARED)  # what trainings answer as they go


class _Batch:
    """
    Rows that write together: one tree of modules for all of their models, which row is of which, one cache, and the mask
    (rows, positions) over it, unless a row has always been alone.
    """

    def __init__(self, row: Row, spent: float = 0.0, joins: bool = True) -> None:
        self.spent = spent  # seconds of its steps, and what the others had had when it began
        self.rows, self.layout = [row], Layout([0])
        self._read_by([row.tree], row.tree)
        self.joins = joins and _joinable(row)
        self.cache: Any = row.cache
        self.mask: torch.Tensor | None = None
        row.cache = None

    def _read_by(self, trees: list[Any], tree: Any) -> None:
        """What stays the same from token to token while `tree` reads for the rows of all `trees`."""
        self.trees, self.tree, self.norms = trees, tree, norms_of(tree)
        self.cache_name = cache_name(tree)
        self.counts = counts(tree)

    @torch.inference_mode()
    def takes(self, row: Row) -> bool:
        """Whether a row could write along."""
        if not (self.joins and _joinable(row)) or row.tree.dtype != self.trees[0].dtype:
            return False
        if any(row.tree is tree for tree in self.trees):
            return True
        try:
            mixed([self.trees[0], row.tree])
        except ApartError:
            return False
        return True

    def admit(self, rows: Sequence[Row]) -> list[_Batch]:
        """Take these in. What goes on: as `step`."""
        return self._whole_or_apart([*self.rows, *rows], lambda: self._join(rows)) if rows else [self]

    def step(self) -> list[_Batch]:
        """One more token a row. What goes on: this batch, each row alone where they turn out to be apart, or nothing."""
        return self._whole_or_apart(self.rows, self._advance)

    def _whole_or_apart(self, rows: Sequence[Row], work: Callable[[], None]) -> list[_Batch]:
        """Whatever the work raises that is done for all of the rows, only those that raise it alone are ended by it."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  raised for whoever asked for the row
            if len(rows) > 1:
                return [left for row in rows if not row.finished for left in _alone(row, self.spent)]
            rows[0].error = error
            return []
        return [self] if self.rows else []

    def _join(self, rows: Sequence[Row]) -> None:
        own = self.mask if self.mask is not None else _seen(self.rows[0])
        self.cache, self.mask = _joined([(self.cache, own), *((row.cache, _seen(row)) for row in rows)])
        for row in rows:
            row.cache = None
        self.rows = [*self.rows, *rows]
        self._arrange()

    def _advance(self) -> None:
        start = time.perf_counter()
        column, likeliest, overflows = self._column()
        spent = time.perf_counter() - start
        self.spent += spent
        for row, logits, token, over in zip(self.rows, column, likeliest, overflows, strict=True):
            row.length, row.steps, row.seconds = row.length + 1, row.steps + 1, row.seconds + spent
            row.choose(logits, over, token)
        self.drop([row for row in self.rows if row.finished])

    def drop(self, rows: Sequence[Row]) -> None:
        """Go on without these."""
        left = [place for place, row in enumerate(self.rows) if row not in rows]
        if len(left) == len(self.rows):
            return
        self.rows = [self.rows[place] for place in left]
        if self.rows:
            assert self.mask is not None  # there was company
            self.cache, self.mask = _select(self.cache, self.mask, left)
            self._arrange()

    @torch.inference_mode()  # a model may be in training
    def _arrange(self) -> None:
        """A tree for the models that there are now, and which row is of which."""
        trees = list({id(row.tree): row.tree for row in self.rows}.values())
        places = {id(tree): place for place, tree in enumerate(trees)}
        self.layout.set([places[id(row.tree)] for row in self.rows])
        if list(map(id, trees)) != list(map(id, self.trees)):
            self._read_by(trees, mixed(trees, self.layout))

    @torch.inference_mode()
    def _column(self) -> tuple[torch.Tensor, list[int], list[bool]]:
        """(rows, vocabulary) logits, the likeliest token of each, and which overflow."""
        device = self.rows[0].tree.device
        told = torch.tensor([[row.tokens[-1] for row in self.rows], [row.length for row in self.rows]], device=device)
        inputs: dict[str, Any] = {"input_ids": told[0, :, None]}
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.rows), 1)], dim=1)
            inputs["attention_mask"] = self.mask
        if self.counts:
            inputs["position_ids"] = told[1, :, None]
        with watched(self.norms) as seen:
            output = self.tree(**inputs, **{self.cache_name: self.cache}, use_cache=True)
        logits: torch.Tensor = output.logits[:, -1].float()
        limits = 0.0 * torch.stack(logits.aminmax(dim=-1), dim=1)  # NaN where one is not finite
        return logits, logits.argmax(-1).tolist(), overflowing([*seen, limits], len(self.rows)).tolist()


def _joinable(row: Row) -> bool:
    """Whether a row's cache is keys and values alone, and its positions mean the same in longer company."""
    return is_plain(row.cache) and row.length + row.decoding.max_new_tokens <= scaled_from(row.tree)


def _alone(row: Row, spent: float) -> list[_Batch]:
    """A batch of one row, whose cache is read again, one step further; none where that raises."""
    try:
        row.go_on(row.reading())
    except Exception as error:  # noqa: BLE001  as above
        row.error = error
        return []
    return _Batch(row, spent, joins=False).step()


def _seen(row: Row) -> torch.Tensor:
    return torch.ones(1, row.length, dtype=torch.long, device=row.tree.device)


@torch.inference_mode()
def _joined(parts: Sequence[tuple[Any, torch.Tensor]]) -> tuple[DynamicCache, torch.Tensor]:
    """Caches, each with the mask (rows, positions) over it, as one: shorter ones are padded on the left."""
    longest = max(mask.shape[1] for _, mask in parts)
    layers = []
    for layer in zip(*(cache.layers for cache, _ in parts), strict=True):
        # (rows, heads, positions, head size) each
        keys = [pad(one.keys, (0, 0, longest - one.keys.shape[2], 0)) for one in layer]
        values = [pad(one.values, (0, 0, longest - one.values.shape[2], 0)) for one in layer]
        layers.append((torch.cat(keys), torch.cat(values)))
    return DynamicCache(layers), torch.cat([pad(mask, (longest - mask.shape[1], 0)) for _, mask in parts])


@torch.inference_mode()
def _select(cache: Any, mask: torch.Tensor, rows: Sequence[int]) -> tuple[DynamicCache, torch.Tensor]:
    """Some rows of a cache and of the mask over it, without what only others had read."""
    mask = mask[rows]
    first = int(mask.any(0).nonzero()[0])
    layers = [(layer.keys[rows, :, first:], layer.values[rows, :, first:]) for layer in cache.layers]
    return DynamicCache(layers), mask[:, first:]
