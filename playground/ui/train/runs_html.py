"""
The trainings of a session as HTML: for each task their curves in one chart, a row for each with the base and few-shot below,
and all of them as a file. Pure: plain values and a language in, HTML out.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from playground.locales import listed, number, seconds, significant, text
from playground.model.names import base_name
from playground.plots.kit.figures import change
from playground.plots.kit.pieces import columns, table
from playground.plots.race import colours, curves
from playground.ui.compare.scores_html import NO_VALUE, highest, measures, numbers
from playground.ui.kit.html import colour, words
from playground.ui.train.race_html import named

if TYPE_CHECKING:
    from playground.ui.kit.html import Values

FILE = "peft-playground-runs.csv"


def drawn(groups: Sequence[Values], file: str, language: str) -> str:
    """Everything, the task that was trained last first; `file` is what can be downloaded."""
    return "".join(_group(one, language) for one in groups) + download(file, language)


def _group(group: Values, language: str) -> str:
    """The trainings that can be held side by side."""
    task = text(language, f"tasks.{group['task']}.title")
    head = f'<p class="pp-run"><b>{escape(task)}</b> · {escape(base_name(group["base"], language))}</p>'
    return head + chart(group["rows"], language) + standings(group, language) + said(group, language)


def chart(rows: Sequence[Values], language: str) -> str:
    """All curves in one chart; who has none of more than a point (few-shot) is in the table alone."""
    trained = [one for one in rows if len(one["losses"]) > 0]
    if not trained:
        return ""
    ends = [f"{_title(one, language)} {_loss(one, language)}" for one in trained if one["held_out_loss"] is not None]
    summary = text(language, "race.curves", racers="; ".join(ends)) if ends else text(language, "loss.empty")
    legend = f'<p class="pp-legend">{words(language, "race.legend")}</p>'
    return curves(trained, max(one["planned_steps"] for one in trained), summary, language) + legend


def standings(group: Values, language: str) -> str:
    """A row for each training, then the references."""
    told = measures(group["rule"])
    names = ["run", "parameters", "steps", "seed", *told, "forgetting", "seconds"]
    heads = columns(text(language, f"runs.column.{name}") for name in names)
    rows = group["rows"]
    drawn = [
        _row(one, style, len(told), language)
        for one, style in zip(rows, colours([one["method"] for one in rows]), strict=True)
    ]
    beside = [_reference(one, len(told), language) for one in group["references"]]
    return table("pp-race pp-runs", heads, "".join([*drawn, *beside]), text(language, "runs.table"))


def _row(one: Values, style: str, told: int, language: str) -> str:
    notes = [text(language, f"runs.{one['state']}")] if one["state"] != "finished" else []
    notes += [] if one["here"] else [text(language, "runs.gone")]
    small = f"<small>{escape(' · '.join(notes))}</small>" if notes else ""
    steps = number(language, one["steps"])
    if one["steps"] < one["planned_steps"]:
        steps = text(language, "runs.steps", done=steps, planned=number(language, one["planned_steps"]))
    before = [number(language, one["parameters"]), steps, number(language, one["seed"])]
    cells = [*before, *numbers(one, language)[:told], _forgotten(one, language), seconds(language, one["seconds"])]
    figures = "".join(f"<td>{cell or NO_VALUE}</td>" for cell in cells)
    return f'<tr {style}><th scope="row"><i>{one["number"]}</i> {escape(_name(one, language))}{small}</th>{figures}</tr>'


def _reference(one: Values, told: int, language: str) -> str:
    """The base or few-shot: nothing was trained."""
    cells = ["", "", "", *numbers(one, language)[:told], "", ""]
    figures = "".join(f"<td>{cell or NO_VALUE}</td>" for cell in cells)
    name = words(language, f"methods.{one['method']}.name")
    return f'<tr {colour(one["method"])}><th scope="row"><i></i> {name}</th>{figures}</tr>'


def _forgotten(one: Values, language: str) -> str:
    return "" if one["forgetting"] is None else change(language, one["forgetting"])


def said(group: Values, language: str) -> str:
    """Who ended lowest and who scored highest, as they are shown; nothing where one stands alone."""
    rows, sentences = group["rows"], []
    losses = [(one, _loss(one, language)) for one in rows if one["held_out_loss"] is not None]
    if len(losses) > 1:
        least = min(losses, key=lambda pair: pair[0]["held_out_loss"])[1]
        lowest = listed(language, [_title(one, language) for one, loss in losses if loss == least])
        sentences.append(text(language, "score.first.loss", titles=lowest, loss=least))
    scores = [one for one in rows if one["score"] is not None]
    if len(scores) > 1:
        most = max(one["score"] for one in scores)
        best = listed(language, [_title(one, language) for one in scores if one["score"] == most])
        sentences.append(highest(most, best, language))
    return f'<p class="pp-outcome">{escape(" ".join(sentences))}</p>' if sentences else ""


def _name(one: Values, language: str) -> str:
    return named(one["method"], one["hyperparameters"], language)


def _title(one: Values, language: str) -> str:
    """The number and the name: 3 LoRA r = 8."""
    return f"{number(language, one['number'])} {_name(one, language)}"


def _loss(one: Values, language: str) -> str:
    return significant(language, one["held_out_loss"], 3)


def download(file: str, language: str) -> str:
    """A link that saves the file; it holds what is shown."""
    data = b64encode(file.encode()).decode()
    return (
        f'<p class="pp-chips"><a class="pp-file" download="{FILE}" href="data:text/csv;charset=utf-8;base64,{data}">'
        f"{words(language, 'runs.csv')}</a></p>"
    )
