"""
The ladder from rounding to GPTQ on the embedded base: one layer under every rung in 2, 3, 4 and 8 bits, the whole base under
each of them, and its cache of keys and values in fewer bits.

Writes results/ladder.md, and examples/ladder.json, which the page shows before anybody has measured. About half an hour on
one thread.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from playground import settings
from playground.actions.ladder import PROMPT, RECORDED
from playground.model.bases import BASES
from playground.model.neutral import text_windows
from playground.quantize.caching import TOKENS, CacheJob, caches
from playground.quantize.ladder import RUNGS
from playground.quantize.onelayer import LayerJob, layer_ladder
from playground.quantize.rounding import Grid
from playground.quantize.sequential import LadderJob, calibration, climbed
from playground.train.record import hardware, versions
from tests.benchmarks.table import Table, write_all

GRID = Grid(4, 64)
BITS = 2, 3, 4, 8  # of the one layer


def layers(base: str) -> list[dict[str, Any]]:
    """One layer under every rung, in all bits."""
    return [asdict(last(layer_ladder(LayerJob(base, "", Grid(bits, GRID.block)), BASES.get))) for bits in BITS]


def rungs(base: str) -> Iterator[dict[str, Any]]:
    """The whole base under each rung, without the layers' own numbers."""
    for rung in RUNGS:
        found = asdict(last(climbed(LadderJob(base, rung, GRID, (PROMPT,)), BASES.get)))
        yield {name: value for name, value in found.items() if name != "layers"}


def last(events: Any) -> Any:
    for event in events:  # noqa: B007
        pass
    return event


def tables(found: dict[str, Any]) -> list[Table]:
    """For results/ladder.md."""
    steps = ["rung", "weight error %", "output error %, text seen", "output error %, text not seen", "seconds"]
    one: list[Table] = [
        (
            f"{each['module']}, {each['grid']['bits']} bits, blocks of {each['grid']['block']}",
            steps,
            [
                [
                    step["rung"],
                    *(f"{100 * step[name]:.2f}" for name in ("weight", "seen", "unseen")),
                    f"{step['seconds']:.2f}",
                ]
                for step in each["steps"]
            ],
        )
        for each in found["layers"]
    ]
    whole = [
        [
            each["rung"], f"{each['bits']:.3f}", f"{each['seconds']:.1f}", f"{each['reading']['perplexity']:.4g}",
            f"{each['reading']['kl_from_base']:.3g}", f"{100 * each['reading']['same_top']:.1f}", repr(each["answers"][0]),
        ]
        for each in found["rungs"]
    ]  # fmt: skip
    kept = [
        [
            written(each["kept"]), f"{each['bytes']:,}", f"{each['reading']['perplexity']:.4g}",
            f"{each['reading']['kl_from_base']:.3g}", repr(each["answer"]),
        ]
        for each in found["caches"]["found"]
    ]  # fmt: skip
    rounded = ["rung", "bits", "seconds of rounding", "perplexity", "KL from base", "same word %", "answer"]
    cache = ["cache", f"bytes of {TOKENS:,} tokens", "perplexity", "KL from base", "answer"]
    return [
        *one,
        (f"The whole base, {GRID.bits} bits, blocks of {GRID.block}", rounded, whole),
        ("Keys and values in fewer bits", cache, kept),
    ]


def written(kept: dict[str, Any] | None) -> str:
    return "as it is" if kept is None else f"int{kept['bits']}, keys a {kept['keys']}, values a {kept['values']}"


def study() -> None:
    base = BASES.get(settings.DEFAULT_BASE)
    found: dict[str, Any] = {"machine": hardware(base), "base": base.id, "versions": versions(), "prompt": PROMPT}
    found |= {"grid": asdict(GRID), "layers": layers(base.id)}
    found |= {"caches": asdict(last(caches(CacheJob(base.id, PROMPT), BASES.get))), "rungs": []}
    for one in rungs(base.id):
        found["rungs"].append(one)
        print(one["rung"], one["seconds"], one["reading"], file=sys.stderr, flush=True)
        RECORDED.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")
    report(found)


def report(found: dict[str, Any]) -> None:
    """Writes results/ladder.md of what was recorded."""
    base = BASES.get(found["base"])
    read, seen = sum(map(len, text_windows(base))), calibration(base).numel()
    note = (
        f"`python -m tests.benchmarks ladder`. Rungs that read were given {seen} tokens of the shipped tasks; perplexity "
        f"and KL on the neutral text, {read} tokens. The answer is to “{PROMPT}”. Seconds are of one run on a "
        "machine that others used too."
    )
    write_all("ladder", "From rounding to GPTQ on the embedded base", tables(found), note)
