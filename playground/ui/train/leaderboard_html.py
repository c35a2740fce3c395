"""
The leaderboard of one task as HTML: the drawing, what it says, the table, how it was measured. Pure: plain values and a
language in, HTML out.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from playground.adapt.tasks import RECOMMENDED
from playground.locales import counted, listed, machine, number, percent, significant, size, text
from playground.model.names import base_name
from playground.plots.kit.figures import change
from playground.plots.kit.pieces import columns, table
from playground.plots.leaderboard import Point, pareto
from playground.ui.compare.panes import pane_title
from playground.ui.kit.html import Values, colour, words
from playground.ui.train.race_html import recipe_of

COLUMNS = ("method", "score", "loss", "parameters", "bytes", "time", "tokens", "forgetting")
UNTRAINED = ("base", "few_shot")
NOTES = ("spread", "size", "time", "tokens", "forgetting")
FULL = "full_fine_tuning"
NONE = "–"


def drawn(board: Values, own: Sequence[Values], language: str) -> str:
    """Everything that is shown of a task's leaderboard, the session's `own` runs in it."""
    missing = [text(language, "board.missing", methods=_listed(board["missing"], language))] if board["missing"] else []
    said = f'<p class="pp-outcome" role="status">{escape(" ".join([conclusion(board, language), *missing]))}</p>'
    return chart(board, own, language) + said + standings(board, own, language) + notes(board, own, language)


def unmeasured(chosen: str, shown: str, language: str) -> str:
    """That the task which is chosen to train on is not the one below: nobody has measured it."""
    names = {name: text(language, f"tasks.{one}.title") for name, one in (("chosen", chosen), ("shown", shown))}
    return f'<p class="pp-soft" role="status">{words(language, "board.unmeasured", **names)}</p>'


def named(method: str, language: str) -> str:
    return text(language, f"methods.{method}.name")


def chart(board: Values, own: Sequence[Values], language: str) -> str:
    """Score against trained parameters; of own runs those that were scored."""
    methods = board["methods"]
    points = [
        Point(named(one["method"], language), one["method"], one["parameters"], tuple(one["score"]["values"]))
        for one in methods
    ]
    points += [
        Point(own_name(one, language), one["method"], one["parameters"], (one["score"],), own=True)
        for one in own
        if one["score"] is not None
    ]
    places = {one["method"]: place for place, one in enumerate(methods)}
    heard = [
        text(language, "board.point", method=named(one["method"], language), **_ends(one["score"], language))
        for one in methods
    ]
    summary = text(language, "board.chart", methods="; ".join(heard))
    keys = ["board.legend", *(["board.legend.own"] if len(points) > len(methods) else [])]
    legend = f'<p class="pp-legend">{escape(" ".join(text(language, key) for key in keys))}</p>'
    return pareto(points, [places[one] for one in board["unbeaten"]], summary, language) + legend


def own_name(one: Values, language: str) -> str:
    """What an own run is called beside its point."""
    return text(language, "board.own", number=number(language, one["number"]))


def _ends(spread: Values, language: str) -> dict[str, str]:
    return {name: percent(language, 100 * spread[name]) for name in ("mean", "low", "high")}


def conclusion(board: Values, language: str) -> str:
    """
    Who scores highest, alone or level with others, who lies inside the noise of that, what the cheapest of these costs, who
    lies below; and whose recipe was the task's own.
    """
    by_id = {one["method"]: one for one in board["methods"]}
    top = by_id[board["best"]]["score"]["mean"]
    level = [board["best"], *(one for one in board["near"] if by_id[one]["score"]["mean"] == top)]
    near, below = [one for one in board["near"] if one not in level], board["below"]
    values = {"methods": _listed(level, language), "score": percent(language, 100 * top)}
    if board["near"]:
        said = [counted(language, "board.highest", len(level), **values)]
        said += [text(language, "board.near", methods=_listed(near, language))] if near else []
        said += _cheapest(board, by_id, language)
        said += [text(language, "board.below", methods=_listed(below, language))] if below else []
    else:
        said = [text(language, "board.alone", **values)]
    return " ".join([*said, *_recipe(board, by_id, language)])


def _recipe(board: Values, by_id: Values, language: str) -> list[str]:
    """That one method has the recipe which belongs to the task, and the others have their usual ones."""
    own = RECOMMENDED.get(board["task"])
    if own is None or own.method not in by_id:
        return []
    return [text(language, "board.recipe", method=named(own.method, language), recipe=recipe_of(own, language))]


def _listed(methods: Sequence[str], language: str) -> str:
    return listed(language, [named(one, language) for one in methods])


def _cheapest(board: Values, by_id: Values, language: str) -> list[str]:
    """Of the best and those near it: what costs no training, what it costs instead, and who trains the fewest parameters."""
    said, free, full = [], board["cheapest"], by_id.get(FULL)
    if free in UNTRAINED:
        tokens = number(language, by_id[free]["prompt_tokens"])
        said.append(text(language, f"board.cheapest.{free}", method=named(free, language), tokens=tokens))
    trained = [by_id[one] for one in (board["best"], *board["near"]) if by_id[one]["parameters"]]
    if trained and full:
        one = min(trained, key=lambda one: one["parameters"])
        figures = {"parameters": one["parameters"], "ratio": full["parameters"] / one["parameters"]}
        written = {name: number(language, value) for name, value in figures.items()}
        said.append(text(language, "board.cheapest", method=named(one["method"], language), **written))
    return said


def standings(board: Values, own: Sequence[Values], language: str) -> str:
    """A row for each method, then one for each own run."""
    plain = next((one["prompt_tokens"] for one in board["methods"] if one["method"] == "base"), None)
    rows = [_row(one, board, language) for one in board["methods"]] + [_own_row(one, plain, language) for one in own]
    heads = columns(text(language, f"board.column.{name}") for name in COLUMNS)
    return table("pp-race pp-board", heads, "".join(rows), text(language, "board.table"))


def _row(one: Values, board: Values, language: str) -> str:
    top = max(other["score"]["mean"] for other in board["methods"])
    near = one["method"] in board["near"] and one["score"]["mean"] < top  # who shares the highest score is no nearer
    inside = f"<small>{escape(text(language, 'board.inside'))}</small>" if near else ""
    score, loss, forgetting = one["score"], one["loss"], one["forgetting"]
    figures = [
        _spread([percent(language, 100 * score[name]) for name in ("mean", "low", "high")], language),
        _spread([significant(language, loss[name], 3) for name in ("mean", "low", "high")], language),
        number(language, one["parameters"]),
        size(language, one["bytes"]) if one["bytes"] else NONE,
        _time(one, board, language),
        number(language, one["prompt_tokens"]),
        _spread([change(language, forgetting[name]) for name in ("mean", "low", "high")], language),
    ]
    return _cells(one["method"], f"{escape(named(one['method'], language))}{inside}", figures)


def _time(one: Values, board: Values, language: str) -> str:
    """The processor's time beside that of the board's unit on the same one, where that was measured."""
    pace = board["paces"].get(one["processor"])
    if not one["seconds"]["low"] or not pace:
        return NONE
    return significant(language, one["seconds"]["low"] / pace, 2)


def _own_row(one: Values, prompt_tokens: float | None, language: str) -> str:
    """One run has no spread, and its seconds are not the processor's."""
    score, loss, forgetting = one["score"], one["loss"], one["forgetting"]
    asked = f"<small>{escape(counted(language, 'board.questions', one['questions']))}</small>" if one["questions"] else ""
    tokens = None if one["method"] == "few_shot" else prompt_tokens
    figures = [
        f"{percent(language, 100 * score)}{asked}" if score is not None else NONE,
        significant(language, loss, 3) if loss is not None else NONE,
        number(language, one["parameters"]),
        size(language, one["bytes"]) if one["bytes"] else NONE,
        NONE,
        number(language, tokens + one["hyperparameters"].get("virtual_tokens", 0)) if tokens is not None else NONE,
        change(language, forgetting) if forgetting is not None else NONE,
    ]
    return _cells(one["method"], f"{escape(pane_title(one, language))}", figures)


def _cells(method: str, head: str, figures: Sequence[str]) -> str:
    cells = "".join(f"<td>{one}</td>" for one in figures)
    return f'<tr {colour(method)}><th scope="row">{head}</th>{cells}</tr>'


def _spread(written: Sequence[str], language: str) -> str:
    """A mean over its ends, where these are written differently."""
    mean, low, high = (escape(one) for one in written)
    if low == high:
        return mean
    return f"{mean}<small>{escape(text(language, 'board.ends', low=low, high=high))}</small>"


def notes(board: Values, own: Sequence[Values], language: str) -> str:
    """What the columns mean, what is called noise, and where the figures come from."""
    versions: dict[str, Any] = board["versions"]
    rule = text(language, f"race.rule.{board['task']}")
    seeds = number(language, board["seeds"])
    paragraphs = [
        [
            counted(language, "race.score", board["questions"], rule=rule),
            text(language, "board.noise", questions=number(language, board["questions"])),
        ],
        [text(language, f"board.note.{name}", seeds=seeds) for name in NOTES],
        [text(language, "board.note.own")] if own else [],
        [
            text(
                language, "board.recorded", base=base_name(board["base"], language),
                processor=machine(language, board["processor"]), seeds=seeds,
                versions=", ".join(f"{name} {version}" for name, version in versions.items()),
            )
        ],
    ]  # fmt: skip
    return "".join(f'<p class="pp-soft pp-small">{escape(" ".join(one))}</p>' for one in paragraphs if one)
