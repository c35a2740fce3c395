"""
A pass of several runs: their batches, one a row, through the tree that `joint` makes of their models, and their losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy, pad

from playground.compare.overflow import norms_of, overflowing, watched
from playground.compare.shared import ApartError
from playground.train.batches import Encoded
from playground.train.joint import Dice, Rows, joined
from playground.train.packing import Packed, pack, side_by_side, sight


@dataclass(frozen=True)
class Seat:
    """A batch as a row: `virtual` tokens of a soft prompt, what is `packed` behind them, and its shape as `Rows` has it."""

    packed: Packed  # on the CPU
    shape: tuple[int, int]
    virtual: int = 0

    @classmethod
    def of(cls, batch: Sequence[Encoded], virtual: int, drops: bool, pad: int) -> Seat:
        """One whose examples share their opening, unless something `drops` at random: then each has its own."""
        if drops:
            packed, length = side_by_side(batch, pad, torch.device("cpu"))
            return cls(packed, (len(batch), length), virtual)
        packed = pack(batch, torch.device("cpu"))
        return cls(packed, (1, virtual + packed.ids.shape[1]), virtual)

    @property
    def width(self) -> int:
        return self.virtual + self.packed.ids.shape[1]


class Pass:
    """Several models over one base, joined: it may be run again with other batches."""

    def __init__(self, base: Any, models: Sequence[Any]) -> None:
        self.base, self.models, self.rows = base, models, Rows()
        self.tree = joined(base, [model.get_base_model() for model in models], self.rows)
        self.norms = norms_of(self.tree)

    def losses(self, seats: Sequence[Seat], shares: Sequence[float], dice: Sequence[Dice], pad_token: int) -> torch.Tensor:
        """(models,): share times mean cross-entropy in nats over the response tokens of each one's row, with gradients."""
        device, width = self.base.device, max(seat.width for seat in seats)
        counts = torch.tensor([len(seat.packed.targets) for seat in seats])
        whose = torch.repeat_interleave(torch.arange(len(seats)), counts).to(device)
        weight = (torch.tensor(shares) / counts).to(device)
        sources = [row * width + seat.virtual + seat.packed.sources for row, seat in enumerate(seats)]
        self.rows.width, self.rows.shapes, self.rows.dice = width, [seat.shape for seat in seats], dice
        self.rows.sources = torch.cat(sources).to(device)
        laid = zip(*(_laid(seat, width, pad_token) for seat in seats), strict=True)
        ids, positions, owners = (torch.stack(one).to(device) for one in laid)
        mask = sight(owners, self.base.dtype)[:, None]
        with watched(self.norms) as seen:
            output = self.tree(**self._inputs(ids, seats), attention_mask=mask, position_ids=positions, use_cache=False)
        logits = output.logits[0]
        if len(logits) != len(whose):
            raise ApartError(f"logits of shape {tuple(output.logits.shape)} for {len(whose)} tokens")
        overflows = overflowing(seen, len(seats))
        if overflows.any():
            logits = logits.masked_fill(overflows.to(device)[whose][:, None], torch.nan)
        targets = torch.cat([seat.packed.targets for seat in seats]).to(device)
        own = cross_entropy(logits.float(), targets, reduction="none") * weight[whose]
        return own.new_zeros(len(seats)).index_add(0, whose, own)

    def _inputs(self, ids: torch.Tensor, seats: Sequence[Seat]) -> dict[str, torch.Tensor]:
        """Tokens; embedded where somebody begins with virtual ones."""
        if not any(seat.virtual for seat in seats):
            return {"input_ids": ids}
        rows = list(self.base.get_input_embeddings()(ids).unbind())
        for place, (seat, model) in enumerate(zip(seats, self.models, strict=True)):
            if seat.virtual:
                prompt = model.get_prompt(batch_size=1)[0].to(rows[place].dtype)
                rows[place] = torch.cat([prompt, rows[place][seat.virtual :]])
        return {"inputs_embeds": torch.stack(rows)}


def _laid(seat: Seat, width: int, pad_token: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, positions and owners of a row, filled up to a width: what fills it is seen by nobody else."""
    packed, before, behind = seat.packed, seat.virtual, width - seat.width
    ids = pad(packed.ids[0], (before, behind), value=pad_token)
    positions = torch.cat([torch.arange(before), before + packed.positions[0], torch.zeros(behind, dtype=torch.long)])
    owners = pad(pad(packed.owners, (before, 0), value=-1), (0, behind), value=-2)
    return ids, positions, owners
