"""
Comparing: one prompt, many panes, one decode loop.

Every pane reads the prompt alone (so that its first-token distribution is exactly its own model's), then all of them
write together: one row of a batch each, through a tree of modules in which only what differs between panes is routed
row by row. Greedy rows equal what PEFT's own `generate` gives for the same adapter. Knows nothing about training or
the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.adapt import adapters
from playground.adapt.adapters import Adapter
from playground.compare.decoding import Row, kl, write
from playground.compare.job import Frame, Pane
from playground.model.bases import Base

if TYPE_CHECKING:
    from playground.compare.job import CompareJob


def compare(job: CompareJob, get_base: Callable[[str], Base]) -> Iterator[Frame]:
    """
    Frames with every pane's text so far, from the first token on; the last frame also has the measurements.

    The base answers even if no pane asks for it: divergence is measured from it. Raises PlaygroundError before the
    first frame if the job cannot be served.
    """
    job.check()
    base = get_base(job.base)
    plain = _Shown(None, Row.of(base, None, job))
    shown = [plain if adapter is None else _adapted(adapter, job, get_base) for adapter in job.adapters]
    rows = [plain.row, *(one.row for one in shown if one is not plain)]

    def frame(finished: bool = False, untouched: bool | None = None) -> Frame:
        panes = tuple(one.pane(plain.row, base, untouched) for one in shown)
        return Frame(job.base, base.architecture.parameters, job.prompt, job.decoding, panes, finished)

    for row in rows:
        row.prefill()
        row.kl_from_base = kl(row.logits, rows[0].logits)
        yield frame()
    for _ in write(rows):
        yield frame()
    yield frame(finished=True, untouched=base.untouched())


def _adapted(adapter: Adapter, job: CompareJob, get_base: Callable[[str], Base]) -> _Shown:
    return _Shown(adapter, Row.of(get_base(adapters.base_id(adapter, job.base)), adapter, job))


@dataclass(frozen=True)
class _Shown:
    adapter: Adapter | None
    row: Row

    def pane(self, base_row: Row, base: Base, untouched: bool | None) -> Pane:
        row, divergence = self.row, None
        if self.adapter is not None and base_row.read and row.read:
            divergence = first_difference(row.tokens, base_row.tokens, row.finished and base_row.finished)
        return Pane(
            adapter=self.adapter.id if self.adapter else adapters.BASE,
            summary=self.adapter.summary() if self.adapter else base_summary(base),
            text=row.text(),
            tokens=len(row.tokens),
            finished=row.finished,
            finish_reason=row.finish_reason,
            first_divergence=divergence,
            divergence_span=row.span(divergence),
            tokens_per_second=len(row.tokens) / row.seconds if row.finished and row.seconds else None,
            kl_from_base=row.kl_from_base if self.adapter else None,
            top_tokens=row.top_tokens if row.read else (),
            weights_untouched=untouched if self.adapter is None else None,
        )


def base_summary(base: Base) -> dict[str, Any]:
    parameters = base.architecture.parameters
    numbers = {"trainable_parameters": 0, "total_parameters": parameters, "percent": 0.0, "bytes": 0}
    named = {"id": adapters.BASE, "name": "", "base": base.id, "method": "base", "task": None}
    return {**named, "hyperparameters": {}, "steps": 0, **numbers}


def first_difference(tokens: Sequence[int], others: Sequence[int], both_finished: bool) -> int | None:
    """Index of the first token that differs; where one answer has ended and the other goes on, that index. Else None."""
    for index, (token, other) in enumerate(zip(tokens, others, strict=False)):
        if token != other:
            return index
    return min(len(tokens), len(others)) if both_finished and len(tokens) != len(others) else None
