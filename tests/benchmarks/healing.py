"""
What comes back of the embedded base after pruning: a LoRA on what is left, one distilled from the whole base, as many single
weights, and the same LoRA on the whole base. Its table is what the page shows before anything is trained there.
"""

from __future__ import annotations

import json
import time

import torch

import playground.actions  # noqa: F401  it says how a base is pruned
from playground import settings
from playground.adapt import tasks
from playground.model.bases import BASES
from playground.model.pruning import Pruning
from playground.prune.healed import FILE, Healed, Recorded, recording
from playground.prune.healing import TEMPERATURE
from playground.prune.recovery import SCORED, SOFT, RecoveryJob, recovery
from tests.benchmarks.table import machine, write

PRUNING, TASK = Pruning("width", 0.4, "activation"), "summary"


def line(row: Healed) -> list[str]:
    """One row of the table in words."""
    trained = [f"{row.trained:,}", f"{row.seconds:.1f}"] if row.trained else ["", ""]
    score = "" if row.score is None else f"{100 * row.score:.0f} %"
    return [
        row.who, f"{row.parameters:,}", *trained, f"{row.perplexity:.4g}", f"{row.held_out:.3f}", score, row.answer
    ]  # fmt: skip


def study() -> None:
    if torch.get_num_threads() != 1:
        raise SystemExit("OMP_NUM_THREADS=1: the seconds are the processor's, which several threads would add up")
    job, began = RecoveryJob(settings.DEFAULT_BASE, PRUNING, tasks.task(TASK)), time.process_time()
    shown = 0
    for found in recovery(job, BASES.get, clock=time.process_time):
        for row in found.rows[shown:]:
            print(f"{time.process_time() - began:.0f} s", row, flush=True)
        shown = len(found.rows)
    took = time.process_time() - began
    content = json.dumps(recording(Recorded(found, machine(), round(took))), ensure_ascii=False, indent=1)
    FILE.write_text(content + "\n", encoding="utf-8")
    note = (
        f"`OMP_NUM_THREADS=1 python -m tests.benchmarks healing`: {took:.0f} s of processor time in all. {PRUNING}, task "
        f"`{TASK}`, {job.steps} steps each, seed {job.seed}. Seconds of the steps alone, of processor time on one thread. "
        "Perplexity on the neutral text; loss (nats a token) on all held-out examples, score (ROUGE-L) on the first "
        f"{SCORED} of them. distilled: {SOFT:g} of the loss is KL from the whole base at temperature "
        f"{TEMPERATURE.default:g}, the rest cross-entropy. sparse: SHiRA, as many single weights as LoRA's numbers."
    )
    head = ["who", "parameters", "trained", "seconds", "perplexity", "held-out loss", "score", "answer"]
    write("healing", "What comes back of the embedded base", head, [line(row) for row in found.rows], note)
