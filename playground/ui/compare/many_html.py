"""
Many answers of each pane as HTML: dots, how the panes stand against each other, and folds with all answers and with how it
is computed.

Pure: plain values and a language in, HTML out; what a visitor or a model wrote is escaped here.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.compare.many import held_out
from playground.compare.verdict import LEVEL
from playground.locales import NO_BREAK, counted, number, percent, significant, text, written
from playground.model.names import base_name
from playground.plots import many as dots
from playground.ui.compare.decoding import summary
from playground.ui.compare.many_said import base_place, between, conclusion, probability, right_or_wrong, summed, verdict
from playground.ui.compare.panes import pane_colour, pane_title
from playground.ui.compare.scores_html import expected
from playground.ui.kit import marks
from playground.ui.kit.html import heading, words

if TYPE_CHECKING:
    from playground.actions.many import Repeated
    from playground.ui.kit.html import Values

USED = "used"  # the base in use, with its form, among what a result was made from


def result(frame: Values, asked: Repeated, language: str) -> str:
    """The card under a line that names what it answers, with a mark (marks.py)."""
    question = asked.question
    made_from = {USED: question.base, "prompt": question.prompt, "panes": list(question.panes), "times": asked.times}
    parts = (
        text(language, "many.asked", count=number(language, frame["times"]), prompt=frame["prompt"]),
        base_name(frame["base"], language),
        summary(language, frame["decoding"], frame["times"]),
    )
    return (
        f'<div {marks.mark(made_from | dict(question.decoding))}><p class="pp-asked">{escape(" · ".join(parts))} '
        f'<strong class="pp-former">{words(language, "many.former")}</strong></p>'
        f'<section class="pp-card pp-result">{heading(language, "many.title")}{lead(frame, language)}'
        f"{rows(frame, language)}{_said(frame, language)}{folds(frame, language)}</section></div>"
    )


def lead(frame: Values, language: str) -> str:
    """What an answer counts by, and how many were cut."""
    rule = text(language, f"race.rule.{frame['task']}") if frame["task"] else ""
    said = [words(language, "many.scored", rule=rule) if rule else words(language, "many.unscored")]
    cut = sum(answer["finish_reason"] == "length" for pane in frame["panes"] for answer in pane["answers"])
    if cut:
        limit = number(language, frame["decoding"]["max_new_tokens"])
        said.append(escape(counted(language, "many.cut", cut, limit=limit)))
    return f'<p class="pp-soft">{" ".join(said)}</p>'


def rows(frame: Values, language: str) -> str:
    """A line for each pane: its name, its dots, what they amount to, and how it stands against the base model."""
    base = base_place(frame)
    return f'<ul class="pp-many">{"".join(_row(frame, place, base, language) for place in range(len(frame["panes"])))}</ul>'


def _row(frame: Values, place: int, base: int | None, language: str) -> str:
    pane = frame["panes"][place]
    title, value = pane_title(pane, language), summed(pane, frame, language)
    found = between(frame, base, place) if base is not None else None
    soft = [] if frame["task"] or not value else [counted(language, "many.different", pane["different"])]
    against = escape(" · ".join([*soft, *([verdict(found, language)] if found else [])]))
    return (
        f'<li {pane_colour(pane)}><h3 class="pp-name">{escape(title)}</h3>{_dots(pane, frame, f"{title}: {value}")}'
        f'<span><b>{escape(value)}</b> <span class="pp-soft">{against}</span></span></li>'
    )


def _dots(pane: Values, frame: Values, label: str) -> str:
    if not frame["task"]:
        sizes = [answer["tokens"] for answer in pane["answers"]]
        return dots.lengths(sizes, frame["decoding"]["max_new_tokens"], label)
    known = {answer["seed"]: answer["score"] for answer in pane["answers"]}
    first = frame["decoding"]["seed"]
    return dots.scores([known.get(seed) for seed in range(first, first + frame["times"])], label)


def _said(frame: Values, language: str) -> str:
    said = conclusion(frame, language)
    return f'<p class="pp-verdict">{escape(said)}</p>' if said else ""


def folds(frame: Values, language: str) -> str:
    """All answers to read, and how the verdicts come about; once everything is written."""
    if not frame["finished"]:
        return ""
    count = sum(len(pane["answers"]) for pane in frame["panes"])
    listed = "".join(_answers(pane, frame, language) for pane in frame["panes"])
    right = held_out(frame["prompt"], [frame["task"]]) if frame["task"] else None
    listed = (expected(right[1].response, language) if right else "") + f'<div class="pp-many-answers">{listed}</div>'
    found = _fold(words(language, "many.answers", count=number(language, count)), listed)
    return found + (_fold(words(language, "many.how"), how(frame, language)) if frame["verdicts"] else "")


def _fold(title: str, inside: str) -> str:
    return f'<details class="pp-claim"><summary>{title}</summary>{inside}</details>'


def _answers(pane: Values, frame: Values, language: str) -> str:
    """Those of one pane, by their seeds."""
    each = "".join(
        f'<li><span class="pp-soft">{escape(_stands(answer, frame, language))}</span> {_text(answer, language)}</li>'
        for answer in pane["answers"]
    )
    different = escape(counted(language, "many.different", pane["different"]))
    title = f'<h3 class="pp-name">{escape(pane_title(pane, language))} <span class="pp-soft">{different}</span></h3>'
    return f"<div {pane_colour(pane)}>{title}<ul>{each}</ul></div>"


def _stands(answer: Values, frame: Values, language: str) -> str:
    """seed 3 · right."""
    if answer["score"] is None:
        count = number(language, answer["tokens"])
        value = text(language, "pane.tokens_one") if answer["tokens"] == 1 else text(language, "pane.tokens", count=count)
    elif right_or_wrong(frame):
        value = text(language, "many.right" if answer["score"] else "many.wrong")
    else:
        value = percent(language, 100 * answer["score"])
    return " · ".join([text(language, "many.seed", seed=number(language, answer["seed"])), value])


def _text(answer: Values, language: str) -> str:
    if answer["text"]:
        return escape(answer["text"])
    return words(language, "pane.overflow" if answer["finish_reason"] == "overflow" else "pane.empty")


def how(frame: Values, language: str) -> str:
    """What was drawn, what is tested, at which level, and the numbers of every two panes."""
    drawn = {
        "times": number(language, frame["times"]),
        "temperature": written(language, frame["decoding"]["temperature"]),
        "level": number(language, 100 * LEVEL) + NO_BREAK + "%",
    }
    said = [words(language, "many.how.test", **drawn)]
    if len(frame["verdicts"]) > 1:
        said.append(words(language, "many.how.holm", count=number(language, len(frame["verdicts"]))))
    said += [words(language, "many.how.seeds"), words(language, "many.how.question")]
    return "".join(f"<p>{sentence}</p>" for sentence in said) + _table(frame, language)


def _table(frame: Values, language: str) -> str:
    titles = [escape(pane_title(pane, language)) for pane in frame["panes"]]
    pair, difference = words(language, "many.column.pair"), words(language, "many.column.difference")
    names = (pair, difference, "p", words(language, "many.column.corrected"))
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(
        f"<tr><td>{titles[one['one']]} · {titles[one['other']]}</td><td>{_difference(one, frame, language)}</td>"
        f"<td>{escape(probability(one['p'], language))}</td><td>{escape(probability(one['corrected'], language))}</td></tr>"
        for one in frame["verdicts"]
    )
    table = f'<table class="pp-entries pp-even"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="pp-scroll" role="region" tabindex="0" aria-label="{words(language, "many.how")}">{table}</div>'


def _difference(found: Values, frame: Values, language: str) -> str:
    """Of the means, the second pane's less the first one's: in points of a score, or in tokens."""
    size = abs(found["difference"])
    shown = number(language, 100 * size, 1) + NO_BREAK + "%" if frame["task"] else significant(language, size)
    sign = "−" if found["difference"] < 0 else "+" if size else ""
    return sign + shown
