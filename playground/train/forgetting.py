"""
Forgetting: how much worse a neutral text is read after an adapter was trained, in nats a token, and whether that is more
than the spread over the text's own pieces explains. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from playground.adapt import tasks
from playground.adapt.attach import attached
from playground.adapt.tasks import Example
from playground.adapt.variant import Variant
from playground.compare.reading import common
from playground.model.bases import Base
from playground.model.memory import STORE
from playground.model.neutral import text_windows
from playground.train.pauses import finished
from playground.train.standings import beyond_noise

PIECES = 16  # that the text is cut into, as many as `standings.T_95` is for


@dataclass(frozen=True)
class Forgetting:
    """
    Mean losses in nats a token on the neutral text: of the base that was adapted, and with the adapter. It `differs` if the
    95 % interval of the mean difference over PIECES of the text, paired (Student's t), leaves out zero.
    """

    before: float
    after: float
    differs: bool

    @property
    def change(self) -> float:
        """Below 0 where the text is read better than before."""
        return self.after - self.before


def forgetting(base: Base, variant: Variant, former: Variant | None = None) -> Generator[None, None, Forgetting]:
    """
    What `variant` has forgotten of its base, which is `base`, or of a `former` variant of that; pauses between two windows
    of the text.
    """
    before = yield from _read(base, former or Variant(variant.base))
    after = yield from _read(base, variant)
    pieces = [float(piece.mean()) for piece in (after - before).tensor_split(PIECES)]
    return Forgetting(float(before.mean()), float(after.mean()), beyond_noise(pieces))


def _read(base: Base, variant: Variant) -> Generator[None, None, torch.Tensor]:
    """The losses of a variant, read once: kept as long as base and adapter are there and there is room."""
    key, adapter = ("neutral", base, variant), variant.adapter
    found: torch.Tensor | None = STORE.find(key)
    if found is None:
        shots = [Example(*shot) for shot in adapter.record.shots] if adapter else []
        found = yield from neutral_losses(attached(base, variant).model, base, shots)
        STORE.keep(key, found, found.nbytes, of=(base, adapter) if adapter else (base,))
    return found


def neutral_losses(model: Any, base: Base, shots: Sequence[Example] = ()) -> Generator[None, None, torch.Tensor]:
    """
    The loss in nats of every token of the neutral text (tokens,), without chat format, behind what an adapter puts before
    everything: its virtual tokens, or the example turns. The first token of a window is not counted.
    """
    before = torch.tensor(common(tasks.any_two(base.tokenizer, shots)) if shots else [], dtype=torch.long)
    losses: list[torch.Tensor] = []
    for window in text_windows(base):
        if losses:
            yield
        losses.append(_losses(model, torch.cat([before, window])[None].to(base.device), window))
    return torch.cat(losses).double()


@torch.inference_mode()
def _losses(model: Any, ids: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    logits = model(input_ids=ids, use_cache=False).logits[0, -len(window) : -1].float().cpu()
    return functional.cross_entropy(logits, window[1:], reduction="none")


def neutral_loss(model: Any, base: Base, shots: Sequence[Example] = ()) -> float:
    """The mean of `neutral_losses`."""
    return float(finished(neutral_losses(model, base, shots)).mean())
