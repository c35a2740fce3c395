"""
What shall be pruned, as a frozen value and as the words that name it in ids: "width-20-max_min".

One record a kind: add one to KINDS, and what there is to choose follows. Loads nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from playground.bounds import Bound, shown
from playground.errors import PlaygroundError

SHARE = Bound("share", 0.2, 0.0, 0.6)  # of what there is; with more left out a base says nothing any more
HALF = Bound("share", 0.5, choices=(0.5,))  # of a 2:4 pattern


@dataclass(frozen=True)
class Kind:
    """
    One kind of pruning: by which rules it chooses, those of them that `read` a calibration text, what share it may take, and
    whether plain transformers `loads` what is left, with a changed config or the same.
    """

    id: str
    rules: tuple[str, ...]
    reads: tuple[str, ...] = ()
    share: Bound = SHARE
    loads: bool = True

    @property
    def rule(self) -> Bound:
        return Bound("rule", self.rules[0], choices=self.rules)


KINDS: dict[str, Kind] = {
    one.id: one
    for one in (
        Kind("width", ("max_min", "l1", "activation", "apart"), reads=("activation",)),
        Kind("depth", ("cosine", "last"), reads=("cosine",)),
        Kind("bypass", ("cosine", "last"), reads=("cosine",), loads=False),
        Kind("sparse", ("magnitude", "wanda"), reads=("wanda",)),
        Kind("pattern", ("magnitude", "wanda"), reads=("wanda",), share=HALF),
    )
}
KIND = Bound("kind", "width", choices=tuple(KINDS))
MULTIPLE = Bound("multiple", 1, choices=(1, 64))  # of neurons that stay; four-bit layers read their inputs in blocks of 64
_WRITTEN = re.compile(r"([a-z]+)-(\d+(?:\.\d+)?)-([a-z0-9_]+?)(?:-(\d+))?")


@dataclass(frozen=True)
class Pruning:
    """
    A `share` of 0 to 1 of what the kind removes (neurons, layers, attentions, weights), chosen by a rule. Whatever is a part
    of one stays: 20 % of 8192 neurons are 1638; and of neurons so many more that those which stay are a `multiple`. Raises
    PlaygroundError for what does not exist or is out of range.
    """

    kind: str = KIND.default
    share: float = 0.2
    rule: str = "max_min"
    multiple: int = 1

    def __post_init__(self) -> None:
        told = KINDS[KIND.check(self.kind)]
        told.share.check(self.share)
        told.rule.check(self.rule)
        MULTIPLE.check(self.multiple)

    @property
    def reads(self) -> bool:
        """Whether it needs a calibration text."""
        return self.rule in KINDS[self.kind].reads

    @property
    def loads(self) -> bool:
        """Whether plain transformers can load what is saved of it."""
        return KINDS[self.kind].loads or self.share == 0

    def removed(self, count: int) -> int:
        """How many of `count` go."""
        gone = int(self.share * count + 1e-9)  # 0.29 × 100 is 28.999…
        return max(0, gone - (gone - count) % self.multiple)

    def __str__(self) -> str:
        """As `parse` reads it: kind, percent, rule, and a multiple that is not 1."""
        of = f"-{self.multiple}" if self.multiple != 1 else ""
        return f"{self.kind}-{100 * self.share:.10g}-{self.rule}{of}"

    def in_blocks(self) -> Pruning:
        """The same for layers that are held in 4 bits afterwards."""
        return replace(self, multiple=64) if self.kind == "width" else self

    @classmethod
    def parse(cls, text: str) -> Pruning:
        """Raises PlaygroundError for what names no pruning."""
        found = _WRITTEN.fullmatch(text)
        if not found or found[1] not in KINDS:
            raise PlaygroundError("not_a_pruning", text=shown(text), kinds=", ".join(KINDS))
        kind, percent, rule, multiple = found.groups()
        return cls(kind, round(float(percent) / 100, 12), rule, int(multiple or 1))
