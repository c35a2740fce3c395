"""
Comparing: one prompt, many panes, one decode loop.

Every pane reads the prompt alone, from where its model has read the opening (see `reading`), then all of them
write together: one row of a batch each, through a tree of modules in which only what differs between panes is routed
row by row. Panes whose bases do not fit into memory together take turns as groups. Greedy rows equal what PEFT's own
`generate` gives for the same adapter. Knows nothing about training or the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from playground.adapt.tasks import Example, prompt_ids
from playground.compare.decoding import Row, kl
from playground.compare.job import CompareJob, Frame, Pane
from playground.compare.pool import Pool, write
from playground.model.architecture import Architecture, cache_entries
from playground.model.bases import Base
from playground.model.beside import beside
from playground.model.catalogue import split_id
from playground.model.memory import STORE
from playground.model.needed import added_bytes, expected_bytes

GetBase = Callable[[str], Base]


def compare(job: CompareJob, get_base: GetBase, pool: Pool | None = None) -> Iterator[Frame]:
    """
    Frames with every pane's text so far, from the first token on; the last frame also has the measurements. In a `pool`
    that somebody else steps, its rows are written with those of others.

    The base answers even if no pane asks for it: divergence is measured from it. Raises PlaygroundError before the
    first frame if the job cannot be served.
    """
    job.check()
    base = get_base(job.base)
    check_lengths(job, base)
    shown = _Shown(job, base)
    for group in groups(job, base):
        for place in group:
            used = yield from beside(partial(get_base, job.variants[place].base), shown.frame)
            shown.add(place, used)
        del used  # the rows hold what they need, and let it go when they have ended
        rows = [shown.plain, *(shown.rows[place] for place in group)]
        rows = [row for row in dict.fromkeys(rows) if not row.read]
        base.pack()
        for row in rows:
            row.prefill()
            if not (row.overflows_at_once or shown.plain.overflows_at_once):
                row.kl_from_base = kl(row.logits, shown.plain.logits)
            yield shown.frame()
        for _ in write(rows, pool):
            yield shown.frame()
        for row in rows:
            row.release()
    yield shown.frame(finished=True, untouched=base.untouched())


def check_lengths(job: CompareJob, base: Base) -> None:
    """Raises PlaygroundError if a pane's question, with its examples and virtual tokens, is more than the base can read."""
    for variant in (job.reference, *job.variants):
        record = variant.adapter.record if variant.adapter else None
        shots = [Example(*shot) for shot in record.shots] if record else []
        before = record.hyperparameters.get("virtual_tokens", 0) if record else 0
        base.check_room(before + len(prompt_ids(base.tokenizer, job.prompt, shots)))


def held_bytes(job: CompareJob, architecture: Architecture) -> tuple[int, dict[str, int]]:
    """
    About what a comparison holds while it runs: keys and values of its rows, and by their ids the forms of the base that
    panes run on.
    """
    spec, _ = split_id(job.base)
    forms = {one.base: added_bytes(one.base, spec, architecture) for one in job.variants if one.form}
    return row_bytes(job, architecture), forms


def row_bytes(job: CompareJob, architecture: Architecture) -> int:
    """About the keys and values of its rows. A token of a prompt has three letters or more, mostly."""
    shots = [shot for one in job.variants if one.adapter for shot in one.adapter.record.shots]
    read = (len(job.variants) + 1) * len(job.prompt) + sum(len(text) for shot in shots for text in shot)
    written = (len(job.variants) + 1) * job.decoding.max_new_tokens
    return (read // 3 + written) * 4 * cache_entries(architecture)


def groups(job: CompareJob, base: Base) -> list[list[int]]:
    """
    The places of the panes that can be in memory together, by what their bases add to the plain one; those on the plain
    base come first. A base that is too large for the rest of the budget is a group of its own.
    """
    room = STORE.budget() - expected_bytes(base.spec, None, base.architecture)
    found: list[list[int]] = []
    held: dict[str | None, int] = {}  # by the form, in the group that is being filled
    for place in sorted(range(len(job.variants)), key=lambda one: job.variants[one].base != job.base):
        form = job.variants[place].form
        added = added_bytes(job.variants[place].base, base.spec, base.architecture) if form and form not in held else 0
        if not found or (added and held and sum(held.values()) + added > room):
            found.append([])
            held = {}
        held.setdefault(form, added)
        found[-1].append(place)
    return [sorted(group) for group in found]


class _Shown:
    """The panes of a comparison as far as they are written; rows come group by group."""

    def __init__(self, job: CompareJob, base: Base) -> None:
        self.job, self.base = job, base
        self.plain = Row.of(base, job.reference, job)
        self.rows: dict[int, Row] = {}
        self.parameters: dict[int, int] = {}  # of what each row's adapter stands on

    def add(self, place: int, used: Base) -> None:
        variant = self.job.variants[place]
        self.parameters[place] = used.architecture.parameters
        self.rows[place] = self.plain if variant == self.job.reference else Row.of(used, variant, self.job)

    def frame(self, finished: bool = False, untouched: bool | None = None) -> Frame:
        job, parameters = self.job, self.base.architecture.parameters
        panes = tuple(self.pane(place, untouched) for place in range(len(job.variants)))
        return Frame(job.base, parameters, job.prompt, job.decoding, panes, finished)

    def pane(self, place: int, untouched: bool | None) -> Pane:
        variant, row = self.job.variants[place], self.rows.get(place)
        known = 0 if variant.pruned else self.base.architecture.parameters
        summary = variant.summary(self.parameters.get(place, known), row.record if row else None)
        summary |= {"name": self.job.title(place) or summary["name"]}
        if row is None:
            return Pane(variant.id, summary)
        reference, divergence = row is self.plain, None
        if not reference and self.plain.read and row.read:
            divergence = first_difference(row.tokens, self.plain.tokens, row.finished and self.plain.finished)
        return Pane(
            adapter=variant.id,
            summary=summary,
            text=row.text(),
            tokens=len(row.tokens),
            finished=row.finished,
            finish_reason=row.finish_reason,
            first_divergence=divergence,
            divergence_span=row.span(divergence),
            tokens_per_second=row.tokens_per_second if row.finished else None,
            kl_from_base=None if reference else row.kl_from_base,
            top_tokens=row.top_tokens if row.read else (),
            weights_untouched=untouched if reference else None,
        )


def first_difference(tokens: Sequence[int], others: Sequence[int], both_finished: bool) -> int | None:
    """Index of the first token that differs; where one answer has ended and the other goes on, that index. Else None."""
    for index, (token, other) in enumerate(zip(tokens, others, strict=False)):
        if token != other:
            return index
    return min(len(tokens), len(others)) if both_finished and len(tokens) != len(others) else None
