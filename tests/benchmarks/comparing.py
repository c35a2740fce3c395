"""
One decode loop for all panes against PEFT's own `generate`, pane after pane, in the same run.
"""

from __future__ import annotations

import statistics
import time

import torch

from playground import settings
from playground.adapt import tasks
from playground.adapt.attach import attached
from playground.adapt.library import examples
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.model.bases import BASES
from tests.benchmarks.table import write

ROUNDS, TOKENS = 5, 32


def study() -> None:
    base = BASES.get(settings.DEFAULT_BASE)
    adapters = (None, *(examples()[f"pirate-{method}"] for method in ("prompt_tuning", "ia3", "lora")))
    panes = tuple(Variant.of(base.id, adapter) for adapter in adapters)
    job = CompareJob(base.id, "Tell me about the sea.", panes, Decoding(max_new_tokens=TOKENS))
    ids = torch.tensor([tasks.prompt_ids(base.tokenizer, job.prompt)])

    def ours() -> tuple[float, float]:
        begin, first = time.perf_counter(), 0.0
        for _ in compare(job, BASES.get):
            first = first or time.perf_counter() - begin
        return time.perf_counter() - begin, first

    def theirs() -> float:
        begin = time.perf_counter()
        for pane in panes:
            model = attached(base, pane).model
            model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False)
        return time.perf_counter() - begin

    ours(), theirs()  # warm
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    mine, first = (statistics.median(pair[0][place] for pair in pairs) for place in (0, 1))
    peer = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[1] / pair[0][0] for pair in pairs)
    rows = [
        ["this project: one batch, routed by rows", f"{mine:.2f} s", f"{first:.2f} s"],
        ["PEFT `generate`, one pane after the other", f"{peer:.2f} s", ""],
        ["**ratio** (median of pairs)", f"**{ratio:.2f}×**", ""],
    ]
    note = f"Up to {TOKENS} tokens in each of {len(panes)} panes, greedy, float32; medians of {ROUNDS} rounds in turn."
    write("comparing", "Comparing four panes", ["", "all panes", "first token"], rows, note)
