"""
README's tables of the leaderboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from playground.adapt.methods import FRONT, MORE
from playground.adapt.variant import BASE
from playground.train.standings import UNIT, Pace, Row, Spread, Standing, comparable, paces, standings


def front_table(rows: Sequence[Row], more: Iterable[Pace] = ()) -> str:
    """README's table of the methods in front, on every task."""
    return _markdown(rows, more, (BASE, *FRONT), comparable(rows))


def whole_table(rows: Sequence[Row], more: Iterable[Pace] = ()) -> str:
    """README's table of all methods, on the tasks on which others than those in front were measured."""
    found = [task for task in comparable(rows) if any(one.method in MORE for one in standings(rows, task))]
    return _markdown(rows, more, (BASE, *FRONT, *MORE), found)


def _markdown(rows: Sequence[Row], more: Iterable[Pace], shown: Iterable[str], on: Sequence[str]) -> str:
    """A line for each method, a column for the score on each task, with its lowest and highest seed."""
    found = {task: {one.method: one for one in standings(rows, task)} for task in on}
    heads = ["method", "parameters", "bytes", f"time (`{UNIT}`: 1)", "tokens a request", "forgetting", *found]
    lines, pace = [heads, ["---"] * len(heads)], paces(rows, more)
    for method in shown:
        ones = [(task, methods[method]) for task, methods in found.items() if method in methods]
        there = [(one, pace.get((task, one.processor))) for task, one in ones]
        if there:
            scores = [_written(methods[method].score) if method in methods else "" for methods in found.values()]
            lines.append([f"`{method}`", *_costs(there), *scores])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _costs(there: Sequence[tuple[Standing, float | None]]) -> list[str]:
    """What a method costs, the mean over tasks of what differs between them; time beside `UNIT`'s on the same processor."""
    first, ones = there[0][0], [one for one, _ in there]
    tokens, forgetting = (fmean(one.prompt_tokens for one in ones), fmean(one.forgetting.mean for one in ones))
    ratios = [one.seconds.low / pace for one, pace in there if pace]
    time = f"{fmean(ratios):.2f}" if ratios else ""
    return [f"{first.parameters:,}", f"{first.bytes:,}", time, f"{tokens:.0f}", f"{forgetting:+.2f}"]


def _written(score: Spread) -> str:
    return f"{score.mean:.0%} ({score.low:.0%} to {score.high:.0%})" if score.low < score.high else f"{score.mean:.0%}"
