"""
A visitor's own examples as they were handed over, how they shall be read, and what they shall be used for. Plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from playground.errors import PlaygroundError

OF_ONE_TABLE = ("encoding", "separator", "header", "prompt", "context", "response")  # what is chosen about it


@dataclass(frozen=True)
class Source:
    """Which data somebody has: of a pasted text its first line and a hash of the rest."""

    place: str = ""
    first: str = ""
    rest: int = 0

    def continues(self, before: Source) -> bool:
        """Whether these are the data from before, perhaps edited: whoever edits a text leaves its head or its rest."""
        same = self.first == before.first or self.rest == before.rest != 0
        return self.place == before.place and same


@dataclass(frozen=True)
class Given:
    """
    Where they are: a file counts first, then a data set of the hub, then pasted text, then typed rows. What is left empty
    is found; `prompt`, `context` (put below the prompt) and `response` are names of columns, and a prompt and a response in
    the same column are a conversation.
    """

    file: str | None = None
    dataset: str = ""
    pasted: str = ""
    rows: Sequence[Any] = ()
    encoding: str = ""
    separator: str = ""
    header: str = ""  # whether the first line is one: "yes" or "no"
    prompt: str = ""
    context: str = ""
    response: str = ""
    split: str = ""  # which pairs are held out: see `adapt.own.SPLITS`
    held_out: int = 0  # how many of them
    scorer: str = ""  # how their answers are scored: see `adapt.scorers.OWN`

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Out of a program's JSON. Raises PlaygroundError for what there is not, and for values of another type."""
        kinds = {field.name: type(field.default) for field in fields(cls)} | {"rows": list}
        known = [name for name in kinds if name != "file"]
        for name, value in told.items():
            if name not in known:
                raise PlaygroundError("own_unknown", found=str(name)[:60], known=", ".join(known))
            if not isinstance(value, kinds[name]) or isinstance(value, bool):
                raise PlaygroundError("own_type", field=name, kind=kinds[name].__name__)
        return cls(**told)

    @property
    def source(self) -> Source:
        """Which of the places counts, and what is there; of typed rows only the place."""
        if self.file:
            return Source("file", self.file)
        if dataset := self.dataset.strip():
            return Source("dataset", dataset)
        first, _, rest = self.pasted.strip().partition("\n")
        return Source("pasted", first, hash(rest)) if first else Source("" if self.empty else "rows")

    def afresh(self) -> Self:
        """The same with all found that describes one table: other data have other columns, and other letters."""
        found: dict[str, Any] = dict.fromkeys(OF_ONE_TABLE, "")
        return replace(self, **found)

    @property
    def empty(self) -> bool:
        """Whether nothing was handed over."""
        return not (self.file or self.dataset.strip() or self.pasted.strip() or any(map(_filled, self.rows)))


def _filled(row: Any) -> bool:
    cells = list(row.values()) if isinstance(row, dict) else row if isinstance(row, list | tuple) else [row]
    return any(str(cell).strip() for cell in cells if cell is not None)
