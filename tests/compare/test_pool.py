"""Rows join a pool and leave it at any step; each writes what its own model generates, whoever writes beside it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.compare.pool import Pool, write
from playground.model.bases import Base
from tests.compare.test_routing import (
    GREEDY,
    LENGTH,
    PROMPTS,
    TOKENIZER,
    Noted,
    assert_own,
    lora,
    tiny,
    variants_of,
    view,
)  # fmt: skip


def rows_of(models: list[Any], how: Decoding = GREEDY) -> list[Noted]:
    return [Noted(model, TOKENIZER, PROMPTS[place % len(PROMPTS)], how) for place, model in enumerate(models)]


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "bloom", "mixtral", "gpt_oss"])
def test_a_row_writes_the_same_whenever_it_joins_and_whoever_leaves(family: str) -> None:
    named = variants_of(tiny(family))
    names = [*named, *reversed(named)]  # each model twice, with another prompt
    models = [named[name] for name in names]
    rows, pool = rows_of(models), Pool()
    for step in range(3 * len(rows) + LENGTH):
        if step % 2 == 0 and step // 2 < len(rows):
            rows[step // 2].prefill()
            pool.join([rows[step // 2]])
        if step == 7:
            pool.leave([rows[1]])
        pool.step()
    left = rows.pop(1)
    names.pop(1)
    models.pop(1)
    assert 0 < len(left.tokens) < LENGTH
    assert all(row.finished for row in rows)
    assert_own(names, models, rows)


def test_nothing_of_rows_that_have_ended_is_held(one_thread: None) -> None:
    model = tiny("llama")
    models = [model, lora(model), model]
    rows, pool = rows_of(models), Pool()
    for row, length in zip(rows, (3, 5, 9), strict=True):
        row.decoding = Decoding(length)
        row.prefill()
    pool.join(rows)
    seen = []
    for _ in range(9):
        pool.step()
        seen += [(len(batch.rows), len(batch.trees), batch.cache.layers[0].keys.shape[0]) for batch in pool._batches]
    assert seen == [(3, 2, 3), (2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)]
    assert not pool._batches


def breaking(model: Any, calls: int) -> Any:
    """A view whose first block raises at a later call, as where memory has run out."""
    broken, block = view(model), None
    block = broken.model.layers[0].mlp

    class Breaking(type(block)):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return super().forward(x)  # type: ignore[no-any-return]

    block.__class__, block.left = Breaking, calls
    return broken


def stepped(pool: Pool, writers: list[Iterator[None]], most: int = 4 * LENGTH) -> None:
    """Step a pool, and let the writers look, until all of them have ended. Raises what one of them raises."""
    for _ in range(most):
        writers = [one for one in writers if next(one, "ended") is None]
        if not writers:
            return
        pool.step()
    raise AssertionError("they do not end")


def test_a_row_that_raises_ends_alone() -> None:
    model = tiny("llama")
    models = [model, breaking(model, 5), lora(model)]
    rows, pool = rows_of(models), Pool()
    for row in rows:
        row.prefill()
    writers = [write([row], pool) for row in rows]
    with pytest.raises(RuntimeError, match="allocate"):
        stepped(pool, writers)
    assert 0 < len(rows[1].tokens) < LENGTH
    stepped(pool, [writers[0], writers[2]])
    assert_own(["base", "lora"], [models[0], models[2]], [rows[0], rows[2]])


@pytest.mark.parametrize("first", [0, 1])
def test_rows_that_cannot_be_joined_after_all_write_alone(first: int) -> None:
    model = tiny("llama")
    rows, pool = rows_of([model, lora(model)]), Pool()
    for row in rows:
        row.prefill()
    for layer in rows[first].cache.layers:
        layer.keys = layer.keys[..., :-1]  # nothing that the other's could be laid beside
    stepped(pool, [write([row], pool) for row in rows])
    assert_own(["base", "lora"], [model, lora(model)], rows)


@pytest.mark.parametrize(("factor", "reason"), [(1e30, "length"), (torch.inf, "overflow"), (-torch.inf, "overflow")])
def test_logits_end_a_row_where_they_are_infinite_and_not_where_they_are_large(factor: float, reason: str) -> None:
    model = tiny("llama")
    other = view(model)
    rows, pool = rows_of([model, other, lora(model)]), Pool()
    for row in rows:
        row.prefill()
    other.lm_head.weight = torch.nn.Parameter(model.lm_head.weight * factor, requires_grad=False)
    pool.join(rows)
    for _ in range(LENGTH):
        pool.step()
    assert [row.finish_reason for row in rows] == ["length", reason, "length"]
    assert_own(["base", "lora"], [model, lora(model)], [rows[0], rows[2]])


def test_whoever_goes_away_takes_his_rows_along() -> None:
    model = tiny("llama")
    rows, pool = rows_of([model, lora(model)]), Pool()
    for row in rows:
        row.prefill()
    first, second = (write([row], pool) for row in rows)
    next(first)
    next(second)
    pool.step()
    first.close()  # type: ignore[attr-defined]  # it is a generator
    stepped(pool, [second])
    assert len(rows[0].tokens) == 2
    assert_own(["lora"], [lora(model)], [rows[1]])


def test_comparisons_in_one_pool_show_what_they_show_alone(tiny: Base, get_tiny: Any) -> None:
    jobs = [
        CompareJob("tiny", prompt, (Variant("tiny"),) * 2, Decoding(6)) for prompt in ("Hello", "A longer question?", "x")
    ]
    alone = [list(compare(job, get_tiny))[-1] for job in jobs]
    pool = Pool()
    going = [compare(copy.copy(job), get_tiny, pool) for job in jobs]
    last: list[Any] = [None] * len(jobs)
    for _ in range(40):
        for place, one in enumerate(going):
            last[place] = next(one, last[place])
        pool.step()
    for frame, expected in zip(last, alone, strict=True):
        assert [(pane.text, pane.finish_reason, pane.top_tokens) for pane in frame.panes] == [
            (pane.text, pane.finish_reason, pane.top_tokens) for pane in expected.panes
        ]
