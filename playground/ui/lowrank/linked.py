"""
Links to the sections about an adapter: all that they carry, the adapter for a reader who lacks it, and results asked again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import gradio as gr

from playground.actions.adapters import list_adapters
from playground.actions.lowrank import (
    CUT,
    IMPORTANCE,
    LEFT_OUT,
    REPAIR,
    SWEEP,
    run_about,
    start_importance,
    start_repair,
)  # fmt: skip
from playground.adapt.adapters import STEP_MARK
from playground.errors import PlaygroundError
from playground.ui.kit.controls import Changes, Value
from playground.ui.kit.events import alarm
from playground.ui.kit.lab import RUN
from playground.ui.lowrank import edits, repair, softprompt
from playground.ui.lowrank.looked import FIRST, Cards, Looked
from playground.ui.lowrank.shared import choices, known, ready_made
from playground.work.sessions import SESSIONS

WITHOUT, EACH = "without", "each"  # results about virtual tokens
LIKE = "like"  # a ready-made adapter like the one that a link names


@dataclass(frozen=True)
class Linked(Looked):
    """All that a link to one of the sections carries."""

    prompt: str
    rank: int | None
    strength: float | None
    first: int | None
    last: int | None
    kinds: list[str]
    other: str | None
    side: str
    left_out: list[int]
    threshold_epsilon: float | None
    top_k: int | None
    mitigation_lambda: float | None
    as_rank: int | None


def restore(cards: Cards, linked: Linked, given: Mapping[str, Any]) -> Changes:
    """The adapter of a link at its checkpoint, and what is left of it; a reader who lacks it sees one like it."""
    from playground.lowrank.updates import split

    offered = choices(linked.key, linked.language, linked.base)
    ids = [one for _, one in offered]
    nearest = next((one for one in (given.get("adapter"), given.get(LIKE), FIRST, *ids) if one in ids), None)
    adapter = known(linked.key, nearest or "")
    if adapter is None:
        return {}
    step = given.get("step", adapter.record.steps)
    steps = [one.step for one in adapter.checkpoints if one.step == step]
    at = f"{nearest}{STEP_MARK}{step}" if steps else f"{nearest}"
    changes: Changes = {cards.adapter: gr.update(choices=offered, value=nearest), **cards.at(adapter, at)}
    changes |= {cards.chosen: "", cards.settled: nearest}  # `opened` turns to it, in the queue
    changes[cards.prompt] = given.get("prompt") or next(iter(adapter.record.questions), "")
    if nearest != given.get("adapter"):
        return changes
    if adapter.record.method == softprompt.METHOD:
        count = adapter.record.hyperparameters["virtual_tokens"]
        left = [one for one in given.get("left_out", []) if one in range(1, count + 1)]
        return changes | {cards.left_out: gr.update(choices=list(range(1, count + 1)), value=left)}
    if given.get("module") in map(itemgetter(0), map(split, adapter.tensors)):
        changes[cards.module] = gr.update(choices=[given["module"]], value=given["module"])
    return changes | cards.ranges(adapter, given) | cards.knobs.set(adapter, given)


def run(cards: Cards, linked: Linked, given: Mapping[str, str]) -> Iterator[Changes]:
    """At the visit of a link from somebody who had results of this adapter."""
    changes = cards.opened(linked)
    try:
        press(replace(linked, chosen=changes.get(cards.chosen, linked.chosen)), given[RUN])
    except PlaygroundError as error:
        changes[cards.told] = alarm(error.message(linked.language))
    yield changes


def more(linked: Linked) -> dict[str, str]:
    """What a link says besides: which results there are, and for a reader who lacks the adapter one that is like it."""
    places = {
        "answers": CUT,
        SESSIONS.get(linked.key).forms.get(SWEEP, ""): SWEEP,
        WITHOUT: LEFT_OUT,
        EACH: IMPORTANCE,
        REPAIR: REPAIR,
    }
    there = [name for name, place in places.items() if run_about(linked.key, place, linked.chosen)]
    return _like(linked) | ({RUN: ",".join(there)} if there else {})


def press(linked: Linked, pressed: str) -> None:
    """Queue what the sender of a link had asked of the adapter that is looked at (`more`). Raises PlaygroundError."""
    for name in pressed.split(","):
        if name in edits.SWEEPS:
            edits.measure(linked, name)
        elif name == REPAIR:
            start_repair(linked.key, linked.chosen, fitting(repair.Asked, linked).settings, REPAIR)
        elif name == WITHOUT:
            softprompt.ask(fitting(softprompt.Asked, linked))
        elif name == EACH:
            start_importance(linked.key, linked.chosen, IMPORTANCE)
        else:
            edits.ask(fitting(edits.Left, linked))


def fitting(kind: Callable[..., Value], linked: Linked) -> Value:
    """The part of it that another section's handlers take."""
    return kind(**{name: getattr(linked, name) for name in inspect.signature(kind).parameters})


def _like(linked: Linked) -> dict[str, str]:
    """Of the ready-made adapters the one that is most like the visitor's own."""
    adapter = known(linked.key, linked.adapter or "")
    if adapter is None or linked.adapter in [one for _, one in ready_made(linked.language)]:
        return {}
    alike = [one for one in list_adapters("", linked.base) if one["method"] == adapter.record.method]
    alike.sort(key=lambda one: one["task"] != adapter.record.task)
    return {LIKE: alike[0]["id"]} if alike else {}
