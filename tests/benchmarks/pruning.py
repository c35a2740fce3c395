"""
The embedded base with less of it: by kind, rule and share what is left, how fast it writes, how well it reads a
text. Its table is what the page shows before anything is measured there.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

import torch

import playground.actions  # noqa: F401  it says how a base is pruned
from playground import settings
from playground.model.bases import BASES, Base
from playground.model.memory import STORE
from playground.model.neutral import text_windows
from playground.model.pruning import Pruning
from playground.prune.form import calibration_of
from playground.prune.rows import FILE, Row, recording
from playground.prune.table import TOKENS, everything, table
from tests.benchmarks.table import machine, write


@torch.inference_mode()
def tokens_per_second(base: Base) -> float:
    """Of processor time, one token after another, so that others slow nothing down; of two the faster."""
    taken = []
    for _ in range(2):
        ids, cache = torch.tensor([[1]]), None
        begin = time.process_time()
        for _ in range(TOKENS):
            out = base.model(input_ids=ids, past_key_values=cache, use_cache=True)
            ids, cache = out.logits[:, -1:].argmax(-1), out.past_key_values
        taken.append(time.process_time() - begin)
    return TOKENS / min(taken)


def line(row: Row) -> list[str]:
    """One row of the table in words."""
    kind, share, rule = ("base", "", "") if not row.pruning else _named(Pruning.parse(row.pruning))
    sizes = [f"{row.parameters:,}", f"{row.bytes:,}", f"{row.zeros:,}"]
    return [kind, rule, share, *sizes, f"{row.tokens_per_second:.1f}", f"{row.perplexity:.4g}", f"{100 * row.right:.0f} %"]


def _named(one: Pruning) -> tuple[str, str, str]:
    return one.kind, f"{100 * one.share:g} %", one.rule


def study() -> None:
    plain = BASES.get(settings.DEFAULT_BASE)
    made: list[Base] = []
    speeds: list[float] = []

    def get_one(base_id: str) -> Base:
        for one in made:
            STORE.forget(one)
        made[:] = [BASES.get(base_id)] if base_id != plain.id else []
        return made[0] if made else plain

    for found in table(plain.id, everything(), get_one):
        if found.rows and found.working is None:
            speeds.append(tokens_per_second(made[0] if made else plain))
            print(found.rows[-1], flush=True)
    rows = [replace(one, tokens_per_second=speed) for one, speed in zip(found.rows, speeds, strict=True)]
    found = replace(found, rows=tuple(rows))
    FILE.write_text(json.dumps(recording(found, machine()), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    read, seen = (sum(map(len, windows)) for windows in (text_windows(plain), calibration_of(plain)))
    note = (
        f"`OMP_NUM_THREADS=1 python -m tests.benchmarks pruning`. Perplexity on the neutral text, {read} tokens; rules that "
        f"read were given {seen} of another. `right`: the tokens of the neutral text that were the likeliest. `apart` is "
        "the wrong way: gate and up chosen each by itself. Sparse kinds keep their zeros: parameters, bytes and products "
        "are those of the base, so how far apart their tokens a second lie (of processor time, one thread) is that column's "
        "spread. Nothing is healed."
    )
    head = ["kind", "rule", "share", "parameters", "bytes", "zeros", "tokens/s", "perplexity", "right"]
    write("pruning", "The embedded base with less of it", head, [line(row) for row in found.rows], note)
