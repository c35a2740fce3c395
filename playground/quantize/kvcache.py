"""
The cache of keys and values in fewer bits: what a decoder keeps of every token that it has read, rounded.

Per token: a scale for the numbers of one head at one position. Per channel: a scale for one channel of one head over GROUP
positions; those that do not fill a group yet stay as they are (KIVI, Liu et al. 2024, arXiv 2402.02750, section 3, which
rounds keys so, as their outliers lie in a few channels, and values per token).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from playground.adapt.attach import attached
from playground.adapt.variant import Variant
from playground.bounds import Bound
from playground.formats.format import Layout
from playground.model.architecture import cache_entries
from playground.model.bases import Base
from playground.quantize.rounding import BITS, Grid
from playground.quantize.wholemodel import Reading, log_probabilities, read_against

WAYS = ("token", "channel")
WAY = Bound("way", "token", choices=WAYS)
GROUP = 32  # positions that share a channel's scale: KIVI's G


@dataclass(frozen=True)
class Kept:
    """How keys and values are kept: bits of a number, and along what each of them shares a scale."""

    bits: int = BITS.default
    keys: str = "token"
    values: str = "token"

    def checked(self) -> Kept:
        """Raises PlaygroundError for bits or a way that do not exist."""
        return Kept(BITS.check(self.bits), WAY.check(self.keys), WAY.check(self.values))


KIVI = Kept(keys="channel")


def _whole(positions: int, way: str) -> int:
    """Of so many positions those that can be rounded: all, or those that fill groups."""
    return positions if way == "token" else positions // GROUP * GROUP


def rounded(states: torch.Tensor, bits: int, way: str, start: int = 0) -> tuple[torch.Tensor, int]:
    """
    States (batch, heads, positions, numbers) of which those before `start` are rounded already: the same with all that can
    be rounded so, and up to where that is.
    """
    end = _whole(states.shape[-2], way)
    new = states[..., start:end, :]
    if not new.numel():
        return states, start
    if way == "channel":  # a row is GROUP positions of one channel
        new = new.unflatten(-2, (-1, GROUP)).transpose(-1, -2)
    found = Grid(bits).nearest(new.contiguous(), Layout("channel")).to(states)
    if way == "channel":
        found = found.transpose(-1, -2).flatten(-3, -2)
    return torch.cat([states[..., :start, :], found, states[..., end:, :]], dim=-2), end


class RoundedLayer(DynamicLayer):
    """
    One layer's cache: what is put in is rounded at once, and attention reads what is kept, of the prompt too. Simulated:
    held as floats, so it saves no memory here.
    """

    def __init__(self, kept: Kept) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept, self.key_end, self.value_end = kept, 0, 0

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        keys, values = super().update(key_states, value_states, *args, **kwargs)
        self.keys, self.key_end = rounded(keys, self.kept.bits, self.kept.keys, self.key_end)
        self.values, self.value_end = rounded(values, self.kept.bits, self.kept.values, self.value_end)
        return self.keys, self.values

    def crop(self, tokens_to_remove: int) -> None:
        super().crop(tokens_to_remove)
        self.key_end = min(self.key_end, _whole(self.get_seq_length(), self.kept.keys))
        self.value_end = min(self.value_end, _whole(self.get_seq_length(), self.kept.values))

    def reset(self) -> None:
        super().reset()
        self.key_end = self.value_end = 0


def rounded_cache(kept: Kept) -> Any:
    """An empty cache for any decoder whose layers keep all keys and values. Raises PlaygroundError as `Kept.checked`."""
    layer: Any = partial(RoundedLayer, kept.checked())
    return Cache(layer_class_to_replicate=layer)


def cache_bytes(base: Base, tokens: int, kept: Kept | None = None) -> int:
    """
    What the cache of so many tokens takes; None: as it is. Scales are float32 and counted:

        2 · layers · heads · numbers of a head · (bits + 32 / numbers that share a scale) / 8     a token

    What fills no group of positions yet takes what the base computes in.
    """
    entries, width = cache_entries(base.architecture), base.model.dtype.itemsize  # of keys and values, all layers
    if kept is None:
        return tokens * entries * width
    kept = kept.checked()
    return sum(_bytes(entries // 2, tokens, head_size(base), kept.bits, way, width) for way in (kept.keys, kept.values))


def _bytes(entries: int, tokens: int, head: int, bits: int, way: str, width: int) -> int:
    whole = _whole(tokens, way)
    scales = entries * whole // (head if way == "token" else GROUP)
    return math.ceil(entries * whole * bits / 8) + 4 * scales + entries * (tokens - whole) * width


def head_size(base: Base) -> int:
    """How many numbers a key or a value of one head has."""
    config: Any = base.model.config.get_text_config()
    size: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return size


@torch.inference_mode()
def cached_log_probabilities(base: Base, window: torch.Tensor, kept: Kept) -> torch.Tensor:
    """As `wholemodel.log_probabilities`, reading keys and values as they are kept."""
    model = attached(base, Variant(base.id)).model
    found = model(input_ids=window[None].to(base.device), past_key_values=rounded_cache(kept), use_cache=True)
    logits: torch.Tensor = found.logits[0, :-1]
    return logits.float().log_softmax(-1).cpu()


def reading(base: Base, kept: Kept, windows: Sequence[torch.Tensor]) -> Generator[None, None, Reading]:
    """How a base reads the windows with a cache of fewer bits, beside itself with a full one; pauses after each."""
    kept = kept.checked()
    here = (cached_log_probabilities(base, window, kept) for window in windows)
    return (yield from read_against(here, (log_probabilities(base, window) for window in windows), windows))
