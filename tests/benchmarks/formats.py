"""
Number formats: what each loses on two real modules, how long that takes against torch's own fake quantization in the same
run, and how the whole base reads in each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from playground import settings
from playground.formats.format import Layout
from playground.formats.registry import FORMATS
from playground.formats.statistics import histogram
from playground.formats.statistics import statistics as loss_of
from playground.model.bases import BASES, Base
from playground.model.catalogue import FORMS
from playground.model.weights import weight_of
from playground.quantize.wholemodel import PLAIN, WholeJob, survey
from tests.benchmarks.table import Table, write_all

MODULES = ("model.layers.15.mlp.up_proj", "model.layers.0.self_attn.q_proj")
ROUNDS, BINS = 9, 101


def seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def lost(weights: torch.Tensor) -> list[list[str]]:
    """Rows: a format with its own layout, its bits and its errors."""
    rows = []
    for one in FORMATS.values():
        found = loss_of(weights, one.round_trip(weights))
        sqnr = "exact" if found.sqnr_db is None else f"{found.sqnr_db:.1f}"
        layout = f"block {one.layout.block}" if one.layout.granularity == "block" else one.layout.granularity
        errors = [f"{value:.3g}" for value in (found.mae, found.rmse, found.max_error)]
        rows.append([one.id, layout, f"{found.bits_per_parameter:.3f}", *errors, sqnr])
    return rows


def everything(weights: torch.Tensor) -> None:
    """What the page asks for: statistics and two histograms of every format."""
    histogram(weights, BINS)
    for one in FORMATS.values():
        quantized = one.round_trip(weights)
        loss_of(weights, quantized)
        histogram(quantized.values - weights, BINS)


def against_torch(weights: torch.Tensor) -> list[list[str]]:
    """Rows: our int8 and torch's fake quantization with the same scales, in turn; medians and their ratio."""
    scale, scales = weights.abs().max() / 127, weights.abs().amax(1) / 127
    zeros = torch.zeros(len(weights), dtype=torch.int32)
    pairs: dict[str, tuple[Layout, Callable[[], torch.Tensor]]] = {
        "tensor": (Layout("tensor"), lambda: torch.fake_quantize_per_tensor_affine(weights, float(scale), 0, -127, 127)),
        "channel": (
            Layout("channel"),
            lambda: torch.fake_quantize_per_channel_affine(weights, scales, zeros, 0, -127, 127),
        ),
    }
    rows = []
    for name, (layout, peer) in pairs.items():
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(seconds(partial(FORMATS["int8"].round_trip, weights, layout)))
            theirs.append(seconds(peer))
        mine, other = statistics.median(ours), statistics.median(theirs)
        off = float((FORMATS["int8"].round_trip(weights, layout).values - peer()).abs().max())
        rows.append([f"int8, {name}", f"{1e3 * mine:.1f} ms", f"{1e3 * other:.1f} ms", f"{mine / other:.1f}x", f"{off:.1e}"])
    return rows


def read(base: Base) -> list[list[str]]:
    """Rows: the base in each format on the shipped text, and how long that took, loading included."""
    rows, begin, done = [], time.perf_counter(), 0
    for found in survey(WholeJob(base.id, FORMS), BASES.get):
        if len(found.found) == done:
            continue
        done, now = len(found.found), time.perf_counter()
        one = found.found[-1]
        assert one.reading is not None
        sqnr = "exact" if one.sqnr_db is None else f"{one.sqnr_db:.1f}"
        how = "as loaded" if one.format == PLAIN else "bitsandbytes" if one.real else "simulated"
        rows.append([
            one.format, how, f"{one.bits:.3f}", f"{one.memory / 1e6:.0f}", f"{one.disk / 1e6:.0f}", sqnr,
            f"{one.reading.loss:.3f}", f"{one.reading.perplexity:.4g}", f"{one.reading.kl_from_base:.3g}",
            f"{100 * one.reading.same_top:.1f}", f"{now - begin:.1f}",
        ])  # fmt: skip
        begin = now
    return rows


def study() -> None:
    """Writes results/formats.md."""
    base = BASES.get(settings.DEFAULT_BASE)
    weights = {module: weight_of(base.model, module) for module in MODULES}
    largest = weights[MODULES[0]]
    everything(largest)  # bitsandbytes and torch warm up
    times = sorted(seconds(lambda: everything(largest)) for _ in range(ROUNDS))
    losses = ["format", "scales", "bits per parameter", "MAE", "RMSE", "largest error", "SQNR dB"]
    reading = [
        "format", "how", "bits", "memory MB", "disk MB", "mean SQNR dB", "loss", "perplexity", "KL from base", "same word %",
        "seconds",
    ]  # fmt: skip
    shape = " x ".join(map(str, largest.shape))
    tables: list[Table] = [
        *((f"{module}, {' x '.join(map(str, one.shape))}", losses, lost(one)) for module, one in weights.items()),
        (
            f"All {len(FORMATS)} formats on {shape}: round trips, statistics and histograms",
            ["median", "slowest"],
            [[f"{1e3 * statistics.median(times):.0f} ms", f"{1e3 * times[-1]:.0f} ms"]],
        ),
        (
            "Against torch's fake quantization, same scales, in turn",
            ["", "ours", "torch", "ratio", "largest difference"],
            against_torch(largest),
        ),
        ("The whole base on the shipped text (850 tokens, windows of 512)", reading, read(base)),
    ]
    write_all("formats", "Number formats on real weights", tables)
