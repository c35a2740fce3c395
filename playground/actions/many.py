"""
Asking panes for many answers: queueing it, and finding it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.actions import catalogue
from playground.actions.catalogue import have
from playground.actions.compare import Question, pane
from playground.actions.kinds import REPEATING
from playground.actions.lanes import COMPARE
from playground.compare.job import CompareJob, Decoding
from playground.compare.many import TIMES, ManyJob
from playground.work.jobs import Run, Size
from playground.work.places import Work
from playground.work.sessions import SESSIONS, Place
from playground.work.waiting import Length

MANY = "many"  # the place on the page


@dataclass(frozen=True)
class Repeated:
    """A question that panes answer so many times: with its seed, and with those that follow it."""

    question: Question
    times: int


def start_many(
    key: str,
    base_id: str,
    prompt: str,
    pane_ids: Sequence[str],
    decoding: Mapping[str, Any],
    times: int = TIMES.default,
    place: Place = MANY,
    subject: Any = None,
) -> Run:
    """
    Queue it for a session, shown at `place`; its job is `subject`, the Repeated question unless said otherwise. Raises
    PlaygroundError at once if it cannot be served.
    """
    from playground.compare.sampling import held_bytes, waves

    variants = tuple(pane(key, base_id, one) for one in pane_ids)
    job = ManyJob(CompareJob(base_id, prompt, variants, Decoding(**decoding)), times)
    job.check()
    bases = tuple(dict.fromkeys((base_id, *(one.base for one in variants))))
    for needed in bases:
        have(needed)
    architecture = catalogue.architecture(base_id)
    size = Size(*held_bytes(job, architecture))
    length = Length(job.once.decoding.max_new_tokens * waves(job, architecture))
    subject = subject or Repeated(Question.of(base_id, prompt, pane_ids, decoding), job.times)
    return SESSIONS.submit(key, COMPARE, Work(REPEATING, job, bases), subject, place, size, length)


def latest_many(key: str) -> Run | None:
    """The session's latest one, if it has anything to show or will have."""
    run = SESSIONS.get(key).runs.get(MANY)
    return run if run and (run.events or not run.ended) else None


def stop_many(key: str) -> None:
    """Stop it, if it runs or waits."""
    SESSIONS.stop(key, MANY)
