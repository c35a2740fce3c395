"""
How the methods compare, in plain values: what came with the page, and the session's own runs beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from playground.actions.catalogue import count_parameters, misfits
from playground.adapt.methods import FRONT, METHODS
from playground.adapt.variant import BASE
from playground.bounds import shown
from playground.errors import PlaygroundError
from playground.train.standings import (
    FILE,
    MEASURED,
    SEEDS,
    UNIT,
    WIDE,
    Pace,
    Row,
    Spread,
    Standing,
    comparable,
    libraries,
    listed_once,
    paces,
    read,
    read_paces,
    standings,
    unbeaten,
    verdict,
)
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter


@cache
def recorded() -> tuple[dict[str, Any], list[Row]]:
    """What the rows that came with the page were measured with, and the rows."""
    if not FILE.exists():
        return {}, []
    about: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: value for name, value in about.items() if name not in MEASURED}, read(FILE)


@cache
def elsewhere() -> list[Pace]:
    """What the unit took on processors that only rows of others come from."""
    return read_paces(FILE)


def board_tasks() -> list[str]:
    """The tasks on which methods can be held beside each other."""
    return comparable(recorded()[1])


def board(task: str, every: bool = False) -> dict[str, Any]:
    """
    The methods in front on a task, or `every` one that was measured on it: means with their ends and all seeds, what was
    measured with, and the verdict on the scores by methods' ids; `more` says how many others there are, `missing` which of
    those that the base can have were not measured. Raises PlaygroundError for a task that has none.
    """
    about, rows = recorded()
    if task not in board_tasks():
        raise PlaygroundError("unknown_task", task=shown(task), known=", ".join(board_tasks()))
    measured = standings(rows, task)
    front = [one for one in measured if one.method in (BASE, *FRONT)]
    found = measured if every else front
    said = verdict(found)
    wanted = (BASE, *(METHODS if every and task in WIDE else FRONT))
    there = {*_methods(found), *misfits(about["base"])}
    return {
        "task": task,
        "base": about["base"],
        "versions": libraries(row for row in rows if row.task == task and row.method in _methods(found)),
        "processor": listed_once(one.processor for one in found),
        "unit": UNIT,
        "paces": {where: pace for (one, where), pace in paces(rows, elsewhere()).items() if one == task},
        "seeds": len(SEEDS),
        "questions": len(found[0].examples),
        "methods": [_plain(one, about["base"]) for one in found],
        "more": len(measured) - len(front),
        "missing": [one for one in wanted if one not in there],
        "unbeaten": [one.method for one in unbeaten(found)],
        "best": said.best.method,
        "near": _methods(said.near),
        "below": _methods(said.below),
        "cheapest": said.cheapest.method,
    }


def _plain(one: Standing, base: str) -> dict[str, Any]:
    """Its size is that of an adapter as the page counts it everywhere: without the names that its file has besides."""
    plain = {name: value for name, value in vars(one).items() if name != "examples"}
    if one.parameters:
        plain["bytes"] = count_parameters(base, one.method, one.recipe["hyperparameters"])["bytes"]
    return {name: _ends(value) if isinstance(value, Spread) else value for name, value in plain.items()}


def _ends(spread: Spread) -> dict[str, Any]:
    return {"mean": spread.mean, "low": spread.low, "high": spread.high, **asdict(spread)}


def _methods(found: Sequence[Standing]) -> list[str]:
    return [one.method for one in found]


def own_runs(key: str, task: str) -> list[dict[str, Any]]:
    """
    The session's own adapters for a task over the base of the leaderboard, newest last. A score is known of a run that was
    scored, over so many `questions`, and its forgetting; else they are None. One run has no spread.
    """
    about, _ = recorded()
    scored = _scores(key)
    forgotten = {one.adapter: one.worth.forgetting for one in SESSIONS.get(key).past}
    mine = [
        one for one in SESSIONS.get(key).library.own() if one.record.task == task and one.record.base == about.get("base")
    ]
    return [
        _own(one, scored.get(one.id, (None, 0)), forgotten.get(one.id)) for one in sorted(mine, key=lambda one: one.number)
    ]


def _own(adapter: Adapter, scored: tuple[float | None, int], forgetting: float | None) -> dict[str, Any]:
    record, (score, questions) = adapter.record, scored
    return {
        **adapter.summary(),
        "score": score,
        "questions": questions,
        "loss": next((loss for step, loss in record.held_out if step == record.steps), None),  # a stopped run has none
        "parameters": record.trainable_parameters,
        "forgetting": forgetting,
        "seed": record.seed,
    }


def _scores(key: str) -> Mapping[str, tuple[float, int]]:
    """Score and number of questions of the session's runs that were scored, by the adapter that they left."""
    found = {}
    for run in list(SESSIONS.get(key).runs.values()):
        told = [event for event in run.events if event]
        left = next((one.adapter.id for one in told if getattr(one, "event", "") == "finished"), "")
        for one in told:
            if getattr(one, "event", "") == "score" and one.score is not None:
                found[getattr(one, "pane", "") or left] = (one.score, one.questions)
    return found
