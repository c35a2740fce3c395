"""
A lesson on paper: a sheet of its questions to write on, and a sheet of its answers for whoever teaches.

Pure: plain values and a language in, HTML out. `teacher.js` chooses which sheets are printed.
"""

from __future__ import annotations

from html import escape

from playground.learn.figures import Figures, plainly
from playground.learn.lessons import Lesson, lesson
from playground.learn.route import LESSONS, figures
from playground.ui.kit.html import words
from playground.ui.learn import lesson_html

KINDS = ("questions", "answers")
RULED = 3  # lines to write on


def sheets(language: str) -> str:
    """Those of all lessons, of both kinds; none is seen before it is printed."""
    drawn = {"questions": questions, "answers": answers}
    each = (
        f'<article class="pp-sheet" data-kind="{kind}" data-of="{one}">{drawn[kind](lesson(one, language))}</article>'
        for kind in KINDS
        for one in LESSONS
    )
    return f'<div class="pp-sheets" aria-hidden="true">{"".join(each)}</div>'


def questions(one: Lesson) -> str:
    """What stands before the guess, and room to write what was guessed, what came out, and why."""
    found, language = figures(one.id), one.language
    lines = '<p class="pp-ruled"></p>' * RULED
    return (
        f"{_head(one, found)}<p>{escape(one.filled(one.lead, found))}</p>"
        f"<p><b>{words(language, 'learn.guess_first')}</b> {escape(one.filled(one.prediction.ask, found))}</p>"
        f"{_choices(one)}{_blank('learn.sheet.result', one)}<p>{words(language, 'learn.sheet.why')}</p>{lines}"
    )


def answers(one: Lesson) -> str:
    """The question with what is right, the figures of its bars, what it means, and who says so."""
    found, language = figures(one.id), one.language
    figured = "; ".join(f"{one.bars[bar.label]}: {bar.figure.written(language)}" for bar in found.bars)
    return (
        f"{_head(one, found)}<p>{escape(one.filled(one.prediction.ask, found))}</p>"
        f'<p><b class="pp-right">{escape(right(one, found))}</b> {words(language, f"learn.origin.{found.origin}")}</p>'
        f"<p>{escape(figured)}. {escape(one.filled(one.note, found))}</p><p>{escape(one.filled(one.meaning, found))}</p>"
        f'<p class="pp-soft pp-small">{words(language, "learn.source")} {escape(one.source)}</p>'
    )


def right(one: Lesson, found: Figures) -> str:
    """What was to be guessed, as it is written."""
    prediction = one.prediction
    if prediction.kind == "number":
        return plainly(one.language, found.answer, prediction.unit)
    return prediction.labels(one.language)[prediction.nearest(found.answer)]


def _head(one: Lesson, found: Figures) -> str:
    return f"<h2>{lesson_html.place(one.id)}. {escape(one.filled(one.question, found))}</h2>"


def _choices(one: Lesson) -> str:
    """A box for every choice, or a line for a number."""
    if one.prediction.kind == "number":
        return _blank("learn.yours", one)
    boxes = "".join(f"<li>{escape(choice)}</li>" for choice in one.prediction.labels(one.language))
    return f'<ul class="pp-boxes">{boxes}</ul>'


def _blank(key: str, one: Lesson) -> str:
    return f'<p class="pp-blank"><span>{words(one.language, key)}</span><i></i>{escape(one.prediction.unit)}</p>'
