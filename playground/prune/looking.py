"""
One pruning looked at: what goes from each layer, and the base before and after it, as rows. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from playground.model.bases import Base
from playground.model.beside import beside
from playground.model.pruning import Pruning
from playground.prune.picture import Taken, taken
from playground.prune.rows import Row
from playground.prune.table import row
from playground.train.pauses import between


@dataclass(frozen=True)
class PruneJob:
    """Look at a pruning of a plain base."""

    base: str
    pruning: Pruning

    @property
    def pruned(self) -> str:
        """The id of what is left."""
        return f"{self.base}:{self.pruning}"


@dataclass(frozen=True)
class Looked:
    """As far as it is known: what goes, and rows of the base and of what is left."""

    base: str
    pruning: str
    taken: Taken | None = None
    rows: tuple[Row, ...] = ()


def look(job: PruneJob, get_base: Callable[[str], Base], stop: Callable[[], bool] = lambda: False) -> Iterator[Looked]:
    """What is known, again and again, also where it has only paused. Raises PlaygroundError as `prune`."""
    seen = Looked(job.base, str(job.pruning))
    yield seen
    plain = yield from beside(partial(get_base, job.base), lambda: seen)
    left = yield from beside(partial(get_base, job.pruned), lambda: seen)
    seen = replace(seen, taken=taken(plain, left, job.pruning))
    yield seen
    for base, name in ((plain, ""), (left, seen.pruning)):
        if stop():
            return
        one = yield from between(row(base, name), seen)
        seen = replace(seen, rows=(*seen.rows, one))
        yield seen
