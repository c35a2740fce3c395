"""
Asking for answers: what a pane can show, and queueing a comparison.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from playground import settings
from playground.actions import catalogue
from playground.actions.adapters import list_adapters
from playground.actions.catalogue import have
from playground.actions.kinds import COMPARING
from playground.actions.lanes import COMPARE
from playground.adapt.adapters import STEP_MARK
from playground.adapt.variant import BASE, Variant
from playground.compare.job import DEFAULTS, CompareJob, Decoding, Frame, Pane
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.catalogue import FORMS, split_id
from playground.work.jobs import Lane, Run, Size, Start
from playground.work.places import Work
from playground.work.sessions import SESSIONS, Place
from playground.work.waiting import Length


@dataclass(frozen=True)
class Question:
    """What a comparison was asked: answers belong to the question that equals theirs, and to no other."""

    base: str
    prompt: str
    panes: tuple[str, ...]  # ids, as `pane` takes them
    decoding: Mapping[str, Any]  # what is left out has its default

    @classmethod
    def of(cls, base: str, prompt: str, panes: Sequence[str], decoding: Mapping[str, Any]) -> Question:
        return cls(base, prompt, tuple(panes), DEFAULTS | dict(decoding))

    @classmethod
    def of_frame(cls, frame: Mapping[str, Any]) -> Question:
        """That of a recorded comparison."""
        return cls.of(frame["base"], frame["prompt"], pane_ids(frame), frame["decoding"])


def start_comparison(
    key: str, base_id: str, prompt: str, pane_ids: Sequence[str], decoding: Mapping[str, Any], place: Place | None = None
) -> Run:
    """
    Queue a comparison for a session, shown at `place`; its job is the Question. Raises PlaygroundError at once if it cannot
    be served.
    """
    question = Question.of(base_id, prompt, pane_ids, decoding)
    variants = [pane(key, base_id, one) for one in pane_ids]
    return start_answers(key, COMPARE, base_id, prompt, variants, decoding, place=place, subject=question)


def latest(key: str) -> Run | None:
    """The session's latest comparison, if it has anything to show or will have."""
    run = SESSIONS.get(key).runs.get(COMPARE)
    return run if run and (run.events or not run.ended) else None


def latest_frame(run: Run) -> dict[str, Any] | None:
    """A comparison's latest frame, if there is one; answers that were stopped before their end say so."""
    if not run.events:
        return None
    frame: dict[str, Any] = run.events[-1].as_json()
    stopped = {"finished": True, "finish_reason": "stopped"} if run.ended else {}
    return {**frame, "panes": [one if one["finished"] else {**one, **stopped} for one in frame["panes"]]}


def renamed(key: str, frame: Mapping[str, Any]) -> dict[str, Any]:
    """A frame whose panes have the names that the session's adapters have by now."""
    names = {one.id: {"name": one.name} for one in SESSIONS.get(key).library.own()}
    panes = [one | names.get(one["id"].partition(STEP_MARK)[0], {}) for one in frame["panes"]]
    return {**frame, "panes": panes}


def showable(key: str, question: Question) -> tuple[Question, list[str]]:
    """A question with those of its panes that this session can show on its base, and the ids of the others."""
    missing = [one for one in question.panes if not _can_show(key, question.base, one)]
    found = tuple(one for one in question.panes if one not in missing)
    return replace(question, panes=found or (BASE,)), missing


def _can_show(key: str, base_id: str, pane_id: str) -> bool:
    try:
        pane(key, base_id, pane_id)
    except PlaygroundError:
        return False
    return True


def unanswered(key: str, question: Question) -> dict[str, Any]:
    """A comparison's frame before anybody was asked: who shall answer, at which cost. Raises PlaygroundError."""
    parameters = catalogue.parameters(question.base)
    variants = [pane(key, question.base, one) for one in question.panes]
    panes = tuple(Pane(one.id, one.summary(0 if one.pruned else parameters)) for one in variants)
    return Frame(question.base, parameters, question.prompt, Decoding(), panes).as_json()


def answered(frame: Mapping[str, Any]) -> bool:
    """Whether anybody has begun to answer."""
    return any(one["tokens"] or one["finished"] or one["top_tokens"] for one in frame["panes"])


def recorded_answers(question: Question) -> dict[str, Any] | None:
    """The recorded comparison that answers exactly this question, if there is one."""
    return next((frame for frame in recorded().values() if Question.of_frame(frame) == question), None)


def stop_comparison(key: str) -> None:
    """Stop the session's comparison, if one runs or waits."""
    SESSIONS.stop(key, COMPARE)


def pane(key: str, base_id: str, pane_id: str) -> Variant:
    """
    What a pane shows: "base" is the base itself, "base:nf4" the plain one in NF4, "base:width-20-max_min" with less of it,
    else an adapter. Raises PlaygroundError.
    """
    name, mark, form = str(pane_id).partition(":")
    if name != BASE:
        return Variant.of(base_id, SESSIONS.get(key).library.get(pane_id))
    form_of_it = f"{split_id(base_id)[0].id}:{form}" if mark else base_id
    split_id(form_of_it)  # raises if there is no such form, or no such pruning
    return Variant(form_of_it)


def bases_of(base_id: str, pane_ids: Sequence[str]) -> list[Variant]:
    """Those of some panes that show a base without an adapter, and exist."""
    asked = [one for one in pane_ids if one.partition(":")[0] == BASE and _can_show("", base_id, one)]
    return [pane("", base_id, one) for one in asked]


def offered(key: str, base_id: str) -> list[dict[str, Any]]:
    """What a pane can show besides the plain base: the session's adapters, the ready-made ones, the base in fewer bits."""
    forms = [pane("", base_id, f"{BASE}:{form}") for form in FORMS]
    return [*list_adapters(key, base_id), *(one.summary(catalogue.parameters(base_id)) for one in forms)]


def beside(key: str, base_id: str, adapter_id: str) -> tuple[str, str, list[str]]:
    """
    What a new adapter is best compared with: its own base if `base_id` is another, the first held-out question of its task
    ("" if nobody knows one), and the panes: the base, the ready-made adapters of that task, one a method, and itself. Raises
    PlaygroundError if the session has no such adapter.
    """
    record = SESSIONS.get(key).library.get(adapter_id).record
    base_id = base_id if split_id(base_id)[0] == split_id(record.base)[0] else record.base
    rivals: dict[str, str] = {}
    for one in list_adapters(None, base_id):
        if one["task"] == record.task:
            rivals.setdefault(one["method"], one["id"])
    panes = [BASE, *list(rivals.values())[: settings.MAX_PANES - 3], adapter_id]
    return base_id, next(iter(record.questions), ""), panes


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
    from playground.compare.comparison import compare, held_bytes

    job = CompareJob(base_id, prompt, tuple(variants), Decoding(**decoding), tuple(titles))
    job.check()
    bases = tuple(dict.fromkeys((base_id, *(one.base for one in variants))))
    for needed in bases:
        have(needed)
    start: Start = Work(COMPARING, job, bases) if lane is COMPARE else lambda stop: compare(job, BASES.get)
    size = Size(*held_bytes(job, catalogue.architecture(base_id)))
    length = Length(job.decoding.max_new_tokens)
    return SESSIONS.submit(key, lane, start, subject, place, size, length)


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """The recorded comparisons of `examples/comparisons`, by task; the first one opens the page."""
    files = sorted((settings.EXAMPLES / "comparisons").glob("*.json"))
    return {file.stem.partition("-")[2]: json.loads(file.read_text(encoding="utf-8")) for file in files}


def first_frame() -> dict[str, Any]:
    return next(iter(recorded().values()))


def pane_ids(frame: Mapping[str, Any]) -> list[str]:
    return [pane["id"] for pane in frame["panes"]]
