"""
Answering many times: a pane reads the question once, and as many rows go on from there, each with a seed of its own. They
are written in the batches of the comparisons; row by row the same as a comparison with that seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from playground import settings
from playground.adapt import tasks
from playground.compare import comparison
from playground.compare.comparison import GetBase, check_lengths, groups
from playground.compare.decoding import Row
from playground.compare.many import Answer, Answered, ManyFrame, ManyJob
from playground.compare.pool import AnyPool, write
from playground.compare.reading import shared
from playground.compare.verdict import verdicts
from playground.model.architecture import Architecture
from playground.model.bases import Base
from playground.model.beside import beside


def many(job: ManyJob, get_base: GetBase, pool: AnyPool | None = None) -> Iterator[ManyFrame]:
    """
    Frames with the answers that are written so far, by pane and seed; the last one has the verdicts. `pool` as in
    `comparison.compare`. Raises PlaygroundError before the first frame if the job cannot be served.
    """
    job.check()
    once = job.once
    base = get_base(once.base)
    check_lengths(once, base)
    shown = _Shown(job, base)
    for group in groups(once, base):
        used: dict[int, Base] = {}
        for place in group:
            used[place] = yield from beside(partial(get_base, once.variants[place].base), shown.frame)
        base.pack()
        for seeds in _waves(job, base.architecture):
            rows = [row for place in group for row in shown.rows(place, used[place], seeds)]
            for place in group:
                read_once(shown.of(place, seeds))
                yield shown.frame()
            for _ in write(rows, pool):
                yield shown.frame()
            for row in rows:
                row.release()
    yield shown.frame(finished=True)


def held_bytes(job: ManyJob, architecture: Architecture) -> tuple[int, dict[str, int]]:
    """About what it holds while it runs, as `comparison.held_bytes`: the rows that are written at once, not all of them."""
    each, forms = comparison.held_bytes(job.once, architecture)
    return each * len(_waves(job, architecture)[0]), forms


def waves(job: ManyJob, architecture: Architecture) -> int:
    """How often it writes answers, as many at once as memory allows."""
    return len(_waves(job, architecture))


def _waves(job: ManyJob, architecture: Architecture) -> list[range]:
    """The seeds that are written at once."""
    most = max(1, settings.MAX_ANSWERS_BYTES // comparison.row_bytes(job.once, architecture))
    return [job.seeds[start : start + most] for start in range(0, job.times, most)]


def read_once(rows: list[Row]) -> None:
    """Read the prompt of a pane, once for all of its rows where they can share it, and choose their first tokens."""
    first, *others = rows
    found = first.reading()
    for row in others:
        row.begin(shared(found) or row.reading())
    first.begin(found)


class _Shown:
    """The panes of a job as far as they are written."""

    def __init__(self, job: ManyJob, base: Base) -> None:
        self.job, self.base, self.scored_by = job, base, job.scored_by
        self._rows: dict[tuple[int, int], Row] = {}  # by pane and seed
        self._written: dict[tuple[int, int], Answer] = {}

    def rows(self, place: int, used: Base, seeds: range) -> list[Row]:
        """New ones of a pane."""
        variant = self.job.once.variants[place]
        self._rows |= {(place, seed): Row.of(used, variant, self.job.asked(seed)) for seed in seeds}
        return self.of(place, seeds)

    def of(self, place: int, seeds: range) -> list[Row]:
        return [self._rows[place, seed] for seed in seeds]

    def frame(self, finished: bool = False) -> ManyFrame:
        job, once = self.job, self.job.once
        self._note()
        panes = tuple(map(self._pane, range(len(once.variants))))
        found = verdicts([pane.values for pane in panes]) if finished else ()
        task = self.scored_by[0] if self.scored_by else None
        return ManyFrame(
            once.base, self.base.architecture.parameters, once.prompt, once.decoding, job.times, task, panes,
            found, finished, 0.0 if finished else self._left(),
        )  # fmt: skip

    def _note(self) -> None:
        """Keep what is written, and no longer the row that has written it."""
        for key in [key for key, row in self._rows.items() if row.finished]:
            row = self._rows.pop(key)
            text = row.text()
            score = tasks.SCORES[self.scored_by[0]](self.scored_by[1], text) if self.scored_by else None
            self._written[key] = Answer(key[1], text, len(row.tokens), row.finish_reason, score)

    def _pane(self, place: int) -> Answered:
        variant = self.job.once.variants[place]
        own = tuple(self._written[place, seed] for seed in self.job.seeds if (place, seed) in self._written)
        return Answered(variant.id, variant.summary(self.base.architecture.parameters), own)

    def _left(self) -> float:
        longest = self.job.once.decoding.max_new_tokens
        done = longest * len(self._written) + sum(len(row.tokens) for row in self._rows.values())
        return 1 - done / (longest * self.job.times * len(self.job.once.variants))
