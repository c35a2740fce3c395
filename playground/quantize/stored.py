"""
A weight of the embedded base as its file held it: one block of Q4_1 or Q8_0, with its scale, its minimum and its bytes.

The file is gone once it is expanded; encoding the expanded weights gives its bytes back, block for block (measured by
tests/benchmarks/blocks.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.errors import PlaygroundError
from playground.formats.gguf import Block, block_of
from playground.formats.registry import FORMATS
from playground.model.weights import weight_of
from playground.quantize.sources import known, stored_in

if TYPE_CHECKING:
    from playground.model.bases import Base


def stored_block(base: Base, module: str = "", place: int = 0) -> Block:
    """
    The block at a place, in reading order, of a module ("": see `sources.default_module`).

    Raises PlaygroundError: another base, a module that was in no blocks or does not exist, a block that does not exist.
    """
    module = known(base, module)
    stored = stored_in(base, module)
    if stored not in FORMATS:
        raise PlaygroundError("not_stored")
    return block_of(FORMATS[stored], weight_of(base.model, module), place)
