"""
Asking for answers: what a pane can show, and queueing a comparison.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from playground import settings
from playground.actions.adapters import list_adapters
from playground.actions.catalogue import have
from playground.adapt.variant import BASE, Variant
from playground.model.bases import BASES
from playground.model.catalogue import FORMS, split_id
from playground.work.jobs import Lane, Run
from playground.work.lanes import COMPARE
from playground.work.sessions import SESSIONS, Place


def start_comparison(
    key: str, base_id: str, prompt: str, pane_ids: Sequence[str], decoding: Mapping[str, Any], place: Place | None = None
) -> Run:
    """Queue a comparison for a session, shown at `place`. Raises PlaygroundError at once if it cannot be served."""
    variants = [pane(key, base_id, one) for one in pane_ids]
    return start_answers(key, COMPARE, base_id, prompt, variants, decoding, place=place)


def stop_comparison(key: str) -> None:
    """Stop the session's comparison, if one runs or waits."""
    SESSIONS.stop(key, COMPARE)


def pane(key: str, base_id: str, pane_id: str) -> Variant:
    """What a pane shows: "base" is the plain base, "base:nf4" that base in NF4, else an adapter. Raises PlaygroundError."""
    name, mark, form = str(pane_id).partition(":")
    if name != BASE:
        return Variant.of(base_id, SESSIONS.get(key).library.get(pane_id))
    return Variant(f"{split_id(base_id)[0].id}:{form}" if mark else base_id)


def offered(key: str, base_id: str) -> list[dict[str, Any]]:
    """What a pane can show besides the plain base: the session's adapters, the ready-made ones, the base in fewer bits."""
    forms = [pane("", base_id, f"{BASE}:{form}") for form in FORMS]
    return [*list_adapters(key, base_id), *(one.summary(split_id(base_id)[0].parameters or 0) for one in forms)]


def beside(key: str, base_id: str, adapter_id: str) -> tuple[str, list[str]]:
    """
    What a new adapter is best compared with: the first held-out question of its task ("" if nobody knows one), and the
    panes: the base, the ready-made adapters of that task, one a method, and itself. Raises PlaygroundError if the session
    has no such adapter.
    """
    record = SESSIONS.get(key).library.get(adapter_id).record
    rivals: dict[str, str] = {}
    for one in list_adapters(None, base_id):
        if one["task"] == record.task:
            rivals.setdefault(one["method"], one["id"])
    panes = [BASE, *list(rivals.values())[: settings.MAX_PANES - 3], adapter_id]
    return next(iter(record.questions), ""), panes


def start_answers(
    key: str,
    lane: Lane,
    base_id: str,
    prompt: str,
    variants: Sequence[Variant],
    decoding: Mapping[str, Any],
    *,
    titles: Sequence[str] = (),
    place: Place | None = None,
    subject: Any = None,
) -> Run:
    """
    Queue a comparison of variants, with their titles, shown at `place` (the lane unless said otherwise) and about
    `subject`. Raises PlaygroundError at once.
    """
    from playground.compare.comparison import compare
    from playground.compare.job import CompareJob, Decoding

    job = CompareJob(base_id, prompt, tuple(variants), Decoding(**decoding), tuple(titles))
    job.check()
    for needed in dict.fromkeys((base_id, *(one.base for one in variants))):
        have(needed)
    return SESSIONS.submit(key, lane, lambda stop: compare(job, BASES.get), subject, place)


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """The recorded comparisons of `examples/comparisons`, by task; the first one opens the page."""
    files = sorted((settings.EXAMPLES / "comparisons").glob("*.json"))
    return {file.stem.partition("-")[2]: json.loads(file.read_text(encoding="utf-8")) for file in files}


def first_frame() -> dict[str, Any]:
    return next(iter(recorded().values()))


def pane_ids(frame: dict[str, Any]) -> list[str]:
    return [pane["id"] for pane in frame["panes"]]
