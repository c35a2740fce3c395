"""
Asking for algorithms that round: every rung of the ladder on one layer, one of them on the whole base, the cache of keys and
values in fewer bits; and for a block of the embedded base's file.

Each `start_…` queues a run at a place of the session, and raises PlaygroundError at once if it cannot be served. A base from
the hub loads in the request's thread, so that a download holds up nobody else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.actions import catalogue
from playground.actions.lanes import LAB, MEASURE
from playground.adapt.variant import Variant
from playground.compare.job import CompareJob
from playground.model.bases import BASES
from playground.model.catalogue import split_id
from playground.work.sessions import SESSIONS, Place

if TYPE_CHECKING:
    from playground.formats.gguf import Block
    from playground.quantize.onelayer import LayerLadder
    from playground.work.jobs import Run

LAYER, WHOLE, CACHE = "ladder", "ladder-whole", "kvcache"  # places of a session's runs
PROMPT = "What is the capital of France?"
RECORDED = settings.EXAMPLES / "ladder.json"  # written by tests/benchmarks/ladder.py


@cache
def recorded() -> dict[str, Any]:
    """What was measured on the embedded base: its `layers`, `rungs` and `caches` in plain values, and the machine."""
    found: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found


def recorded_layer(base_id: str, module: str | None, bits: int, block: int) -> dict[str, Any] | None:
    """The layer's ladder that came with the page, if that is what is asked for; without a module its own one is."""
    if split_id(base_id)[0].id != recorded()["base"]:
        return None
    wanted = {"bits": bits, "block": block}
    layers: list[dict[str, Any]] = recorded()["layers"]
    return next((one for one in layers if one["grid"] == wanted and module in (None, "", one["module"])), None)


def layers_of(base_id: str) -> dict[str, tuple[int, int]]:
    """The linear layers of a base, which is loaded for it, by their paths: (out, in) each. Raises PlaygroundError."""
    from playground.quantize.onelayer import modules

    return modules(BASES.get(split_id(base_id)[0].id))


def calibration_text(base_id: str) -> tuple[int, str]:
    """What the rungs that read are given of a base, which is loaded for it: how many tokens, and their text."""
    from playground.quantize.sequential import calibration

    base = BASES.get(split_id(base_id)[0].id)
    ids = calibration(base)
    return ids.numel(), str(base.tokenizer.decode(ids.flatten(), skip_special_tokens=True))


def start_layer(key: str, base_id: str, module: str | None, bits: int, block: int, place: Place = LAYER) -> Run:
    """Queue every rung on one layer of a plain base; without a module, or with one of another base, on its usual one."""
    from playground.quantize.onelayer import LayerJob, checked, layer_ladder
    from playground.quantize.rounding import Grid

    base = BASES.get(split_id(base_id)[0].id)
    path, _ = checked(base, module or "", Grid(bits, block))
    job = LayerJob(base.id, path, Grid(bits, block))
    return SESSIONS.submit(key, LAB, lambda stop: layer_ladder(job, BASES.get), job, place)


def climbed(found: LayerLadder) -> dict[str, Any]:
    """A layer's ladder so far, in plain values."""
    plain = asdict(found)
    grid: dict[str, Any] = plain.pop("grid")
    return plain | grid


def start_whole(key: str, base_id: str, rung: str, bits: int, block: int, prompt: str, place: Place = WHOLE) -> Run:
    """Queue a rung on every linear layer of a plain base, and what that reads and answers then."""
    from playground.quantize.ladder import RUNG
    from playground.quantize.rounding import BITS, Grid
    from playground.quantize.sequential import LadderJob, climbed

    plain = _asked(base_id, prompt)
    job = LadderJob(plain, RUNG.check(rung), Grid(BITS.check(bits), block), (prompt,))
    catalogue.have(plain)
    return SESSIONS.submit(key, MEASURE, lambda stop: climbed(job, BASES.get), job, place)


def start_caches(key: str, base_id: str, prompt: str, place: Place = CACHE) -> Run:
    """Queue the reading and the answer of a plain base with each cache of keys and values."""
    from playground.quantize.caching import CacheJob, caches

    job = CacheJob(_asked(base_id, prompt), prompt)
    catalogue.have(job.base)
    return SESSIONS.submit(key, MEASURE, lambda stop: caches(job, BASES.get), job, place)


def _asked(base_id: str, prompt: str) -> str:
    """The plain base. Raises PlaygroundError for none, and for a prompt that cannot be one."""
    plain = split_id(base_id)[0].id
    CompareJob(plain, prompt or "", (Variant(plain),)).check()
    return plain


# A block of the embedded base's file

LOOKED_AT = 2**15  # blocks of a module that are read back


@dataclass(frozen=True)
class Stored:
    """
    One block of a module as the file had it; `again`, whether encoding its numbers gives its bytes. Of the module's first
    `blocks`, how many are read back to exactly the weights that the base computes with.
    """

    module: str
    place: int
    every: int
    block: Block
    again: bool
    blocks: int
    alike: int


def stored(base_id: str, module: str, place: int) -> Stored:
    """Raises PlaygroundError: another base than the embedded one, a module that was in no blocks, no such block."""
    import torch

    from playground.formats.gguf import block_of
    from playground.formats.registry import FORMATS
    from playground.model.weights import weight_of
    from playground.quantize.sources import known
    from playground.quantize.stored import stored_block

    base = BASES.get(split_id(base_id)[0].id)
    path = known(base, module)
    block, weight = stored_block(base, path, place), weight_of(base.model, path)
    format = FORMATS[block.format]
    rows = weight.reshape(-1, format.layout.block)
    looked = rows[:LOOKED_AT]
    same = (format.round_trip(looked).values == looked).all(1)
    again = block_of(format, torch.tensor(block.numbers)).stored == block.stored
    return Stored(path, place, len(rows), block, again, len(looked), int(same.sum()))


def in_blocks(base_id: str) -> dict[str, tuple[int, ...]]:
    """The linear layers that the embedded base's file had in blocks, with their shapes; none of another base."""
    from playground.quantize.sources import modules, shape_of, stored_in

    base = BASES.get(split_id(base_id)[0].id)
    return {path: shape_of(base, path) for path in modules(base) if stored_in(base, path) == "q4_1"}
