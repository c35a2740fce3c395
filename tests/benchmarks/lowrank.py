"""
The low-rank lab: spectra from the factors against dense ones in the same run, and how long its figures take.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from peft import get_peft_model_state_dict

from playground import settings
from playground.adapt import adapters, tasks
from playground.adapt.adapters import Adapter, Record
from playground.adapt.attach import wrapped
from playground.adapt.library import examples
from playground.adapt.methods import method
from playground.lowrank import findings
from playground.lowrank.edits import Edit
from playground.lowrank.factors import Factors
from playground.lowrank.sweep import SweepJob, sweep
from playground.model.bases import BASES, Base
from playground.ui.lowrank.module import module_card
from tests.benchmarks.table import write

ROUNDS, SHAPE, RANK = 15, (1536, 576), 8


def seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def spectra() -> list[list[str]]:
    """Rows: from the factors, and dense SVDs of the product with the ratio, in turn; medians."""
    a, b = torch.randn(RANK, SHAPE[1]), torch.randn(SHAPE[0], RANK)
    product = b @ a
    dense: dict[str, Callable[[], torch.Tensor]] = {
        "dense SVD, float32": lambda: torch.linalg.svd(product, full_matrices=False).S,
        "dense SVD, float64": lambda: torch.linalg.svd(product.double(), full_matrices=False).S,
        "dense singular values alone, float32": lambda: torch.linalg.svdvals(product),
    }
    exact = dense["dense SVD, float64"]()[:RANK]
    error = float(((Factors(a, b).svd.s - exact).abs() / exact).max())
    for work in dense.values():
        work()  # warm
    own, theirs = [], {name: [] for name in dense}  # type: ignore[var-annotated]
    for _ in range(ROUNDS):
        own.append(seconds(lambda: Factors(a, b).svd))
        for name, work in dense.items():
            theirs[name].append(seconds(work))
    rows = [["SVD from the factors, float64", milliseconds(own), "", f"differs by {error:.0e} at most (relative)"]]
    for name, times in theirs.items():
        ratios = [peer / mine for mine, peer in zip(own, times, strict=True)]
        rows.append([name, milliseconds(times), f"**{statistics.median(ratios):.0f}×**", "at least 20×"])
    return rows


def milliseconds(times: list[float]) -> str:
    return f"{1000 * statistics.median(times):.1f} ms"


def everywhere(base: Base) -> Adapter:
    """LoRA on all 210 linear layers, of noise: the largest map and the largest matrices of this base."""
    values = method("lora").complete({"targets": "all_linear"})
    config = method("lora").config(base, values)  # type: ignore[misc]
    state = get_peft_model_state_dict(wrapped(base, config), save_embedding_layers=False)
    tensors = {name: 0.01 * torch.randn_like(tensor) for name, tensor in state.items()}
    record = Record(base.id, "lora", "pirate", values, 0, 0, 1, 1, 4)
    return Adapter("everywhere", record, adapters.config_json(config, base.spec.repository), tensors)


def network_rows(base: Base, shown: dict[str, Adapter]) -> list[list[str]]:
    """The whole-network map of each adapter, for the first time (with the weights' norms) and found again."""
    rows = []
    for name, adapter in shown.items():
        first = seconds(partial(findings.network, base, adapter))
        again = seconds(partial(findings.network, base, adapter))
        count = len(findings.network(base, adapter))
        rows.append([f"network map, {name} ({count} modules)", f"{first:.2f} s", "", "at most 2 s"])
        rows.append(["… found again", f"{1e6 * again:.0f} µs", "", ""])
    return rows


def module_rows(base: Base, shown: dict[str, str], adapter: Adapter) -> list[list[str]]:
    """A module's card for the first time, and at every move of the rank slider."""
    rows = []
    for name, module in shown.items():
        first = seconds(partial(module_card, base, adapter, module, RANK, "en"))
        moves = [
            seconds(partial(module_card, base, adapter, module, rank, "en"))
            for rank in [*range(RANK, -1, -1), *range(RANK + 1)]
        ]
        rows.append([f"a module's card, {name}, first", f"{1000 * first:.0f} ms", "", ""])
        moved = f"{milliseconds(moves)}, slowest {1000 * max(moves):.0f} ms"
        rows.append(["… each move of its rank slider", moved, "", "at most 150 ms"])
    return rows


def sweep_rows(base: Base, adapter: Adapter) -> list[list[str]]:
    """The held-out loss and the divergence at one rank after the other."""
    edits = tuple(Edit(rank=rank) for rank in range(RANK + 1))
    events, times = sweep(SweepJob(base.id, adapter, edits, tasks.task("pirate")), BASES.get), []
    first = seconds(lambda: next(events))
    for _ in edits:
        times.append(seconds(lambda: next(events)))
    return [
        ["a sweep's base loss", f"{first:.2f} s", "", ""],
        [f"each of its {len(edits)} points", f"{statistics.median(times):.2f} s", "", ""],
    ]


def study() -> None:
    rows = spectra()
    base = BASES.get(settings.DEFAULT_BASE)
    pirate, ia3 = (examples()[f"pirate-{name}"] for name in ("lora", "ia3"))
    noise = everywhere(base)
    rows += network_rows(base, {"pirate-lora": pirate, "pirate-ia3": ia3, "LoRA everywhere": noise})
    layers = base.model.config.num_hidden_layers
    rows += module_rows(base, {"q_proj 576 × 576": findings.most_changed(base, pirate)}, pirate)
    rows += module_rows(base, {"up_proj 1536 × 576": f"model.layers.{layers // 2}.mlp.up_proj"}, noise)
    rows += sweep_rows(base, pirate)
    note = (
        f"Spectra: {SHAPE[0]} × {SHAPE[1]}, r = {RANK}, medians of {ROUNDS} rounds in turn. A sweep's point: "
        f"{min(settings.MAX_SWEEP_EXAMPLES, len(tasks.task('pirate').held_out))} held-out examples."
    )
    write("lowrank", "The low-rank lab", ["", "time", "ratio", "wanted"], rows, note)
