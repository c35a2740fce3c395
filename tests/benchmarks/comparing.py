"""
Panes that write together, against the base alone, and against transformers' and PEFT's own `generate` in the same run.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from playground import settings
from playground.adapt import tasks
from playground.adapt.attach import attached
from playground.adapt.library import examples
from playground.adapt.variant import Variant
from playground.compare.decoding import Row
from playground.compare.job import CompareJob, Decoding
from playground.compare.pool import Pool
from playground.model.bases import BASES
from playground.model.weights import tensors_of
from tests.benchmarks.table import write

ROUNDS, TOKENS = 5, 48
FOUR = (None, "pirate-prompt_tuning", "pirate-ia3", "pirate-lora")
SIX = (None, "pirate-prompt_tuning", "pirate-lora", "sentiment-lora", "json-lora", "pirate-dora")
QUESTION = "Tell me about the sea."


def study() -> None:
    base = BASES.get(settings.DEFAULT_BASE)
    panes = {name: Variant.of(base.id, examples()[name] if name else None) for name in (*FOUR, *SIX)}
    ids = torch.tensor([tasks.prompt_ids(base.tokenizer, QUESTION)])
    stock = [_stock(base, panes[name]) for name in FOUR]

    def together(names: tuple[str | None, ...]) -> float:
        """Seconds of a token of every pane."""
        job = CompareJob(base.id, QUESTION, tuple(panes[name] for name in names), Decoding(TOKENS + 8))
        rows = [Row.of(base, one, job) for one in job.variants]
        base.pack()
        for row in rows:
            row._ends = set()
            row.prefill()
        pool = Pool()
        pool.join(rows)
        pool.step()
        begin = time.perf_counter()
        for _ in range(TOKENS):
            pool.step()
        return (time.perf_counter() - begin) / TOKENS

    def in_turn(models: list[Any]) -> float:
        """The same with `generate`, model after model, without reading the prompt."""
        spent = [_generated(model, ids, count) for model in models for count in (TOKENS + 1, 1)]
        return (sum(spent[::2]) - sum(spent[1::2])) / TOKENS

    ways: dict[str, Callable[[], float]] = {
        "the base alone": lambda: together((None,)),
        "four panes: base, prompt tuning, IA3, LoRA": lambda: together(FOUR),
        "six panes: base, prompt tuning, three LoRA, DoRA": lambda: together(SIX),
        "transformers' `generate`, the base, torch's own products": lambda: in_turn(stock[:1]),
        "PEFT's `generate`, the four panes in turn, torch's own products": lambda: in_turn(stock),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            spent = way()
            if round_:  # the first one warms up
                found[name].append(spent)
    alone = found["the base alone"]
    rows = []
    for name, seconds in found.items():
        ratio = statistics.median(one / other for one, other in zip(seconds, alone, strict=True))
        rows.append([name, f"{1000 * statistics.median(seconds):.1f} ms", f"**{ratio:.2f}×**"])
    note = f"{TOKENS} tokens a pane, greedy, float32; medians of {ROUNDS} rounds in turn; reading the prompt is left out."
    write("comparing", "Writing together", ["", "a token of every pane", "against the base alone"], rows, note)


def _stock(base: Any, pane: Variant) -> Any:
    """A pane's model as transformers and PEFT run it, with torch's own products."""
    model: Any = attached(base, pane).model
    own = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors_of(model)})
    layer: Any
    for layer in own.modules():
        if hasattr(layer, "choice"):  # of `model.kernels`
            layer.__class__ = torch.nn.Linear
    return own


def _generated(model: Any, ids: torch.Tensor, count: int) -> float:
    begin = time.perf_counter()
    model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, do_sample=False
    )
    return time.perf_counter() - begin
