"""
Which variant each row of a batch is of; it may change from step to step, while the trees that read it stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Slots:
    """
    How rows of some variants are laid out as (variants, most rows of one) for a batched product: `row` for each slot
    (a row that is there in any case where a slot is empty), and for each of the rows, which are `rows`, its slot.
    """

    row: torch.Tensor
    rows: torch.Tensor
    slot: torch.Tensor


class Layout:
    """`index[i]` is the variant of row i. What follows from it is worked out once, for all modules that ask."""

    def __init__(self, index: Sequence[int]) -> None:
        self.set(index)

    def set(self, index: Sequence[int]) -> None:
        self.index = tuple(index)
        self.count = len(self.index)
        self._rows: dict[object, torch.Tensor] = {}
        self._slots: dict[object, Slots] = {}

    def rows(self, variants: tuple[int, ...], device: torch.device) -> torch.Tensor:
        """The rows of these variants, in their order."""
        key = variants, device
        if key not in self._rows:
            own = [row for row, variant in enumerate(self.index) if variant in variants]
            self._rows[key] = torch.tensor(own, dtype=torch.long, device=device)
        return self._rows[key]

    def slots(self, variants: tuple[int, ...], some: tuple[int, ...], device: torch.device) -> Slots:
        """Where the rows of `some` of these variants lie, counted among the rows of these."""
        key = variants, some, device
        if key not in self._slots:
            own = [variant for variant in self.index if variant in variants]
            by_variant = [[row for row, variant in enumerate(own) if variant == one] for one in some]
            most = max(map(len, by_variant))
            row = [rows[place] if place < len(rows) else 0 for rows in by_variant for place in range(most)]
            pairs = sorted((one, most * place + at) for place, rows in enumerate(by_variant) for at, one in enumerate(rows))
            parts = (row, [one for one, _ in pairs], [slot for _, slot in pairs])
            self._slots[key] = Slots(*(torch.tensor(part, dtype=torch.long, device=device) for part in parts))
        return self._slots[key]
