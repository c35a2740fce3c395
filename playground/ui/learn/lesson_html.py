"""
The route and one lesson as HTML: before the guess the question, after it what was measured beside it.

Pure: plain values and a language in, HTML out. Knows nothing about Gradio or events; `tab.SCRIPT` presses its buttons.
"""

from __future__ import annotations

import json
from html import escape
from urllib.parse import urlencode

from playground.learn.families import trained
from playground.learn.figures import Bar, Figures, plainly
from playground.learn.lessons import Lesson, lesson
from playground.learn.progress import Progress
from playground.learn.results import COLUMNS, rows
from playground.learn.route import LESSONS, ROUTE, figures
from playground.plots.learn.block import block
from playground.ui.kit import links
from playground.ui.kit.html import colour, words
from playground.ui.learn.extras import extra
from playground.ui.learn.replay import replays


def drawn(progress: Progress, language: str, busy: int = 0) -> str:
    """
    The route with what is done, the lesson that is open, and the ways to its neighbours; `busy` trainings run or wait here.
    """
    return (
        f'<div class="pp-learn">{mine(progress, language)}{route(progress, language)}'
        f'<div class="pp-open-lesson">{picker(progress, language)}'
        f"{card(progress, language, busy)}{neighbours(progress, language)}</div>{end(progress, language)}</div>"
    )


def address(lesson_id: str, language: str) -> str:
    """The link to a lesson, escaped."""
    return f"?lang={language}&amp;tab=learn&amp;lesson={lesson_id}"


def place(lesson_id: str) -> int:
    """Of a lesson in the route, from 1."""
    return LESSONS.index(lesson_id) + 1


# The route


def route(progress: Progress, language: str) -> str:
    groups = "".join(
        f'<p id="learn-{group}">{words(language, f"learn.group.{group}")}</p>'
        f'<ul aria-labelledby="learn-{group}">{"".join(_step(one, progress, language) for one in lessons)}</ul>'
        for group, lessons in ROUTE.items()
    )
    return f'<nav class="pp-route" aria-label="{words(language, "learn.route")}">{groups}</nav>'


def mine(progress: Progress, language: str) -> str:
    """How much is guessed, and the guesses as a file; nothing before the first."""
    guessed = rows(progress)
    if not guessed:
        return ""
    file = f'data-file="{words(language, "learn.results.file")}" data-rows="{escape(json.dumps([COLUMNS, *guessed]))}"'
    count = words(language, "learn.results.count", count=len(guessed), all=len(LESSONS))
    return (
        f'<p class="pp-mine"><span>{count}</span> '
        f'<button type="button" data-act="results" {file}>{words(language, "learn.results")}</button></p>'
    )


def _step(lesson_id: str, progress: Progress, language: str) -> str:
    done = lesson_id in progress.guesses
    current = ' aria-current="true"' if lesson_id == progress.lesson else ""
    said = f'<span class="pp-unseen">, {words(language, "learn.done")}</span>' if done else ""
    return (
        f'<li><a href="{address(lesson_id, language)}" data-lesson="{lesson_id}"{current}>'
        f'<i class="pp-mark{" pp-done" if done else ""}"></i><span>{_title(lesson_id, language)}{said}</span></a></li>'
    )


def _title(lesson_id: str, language: str) -> str:
    return escape(lesson(lesson_id, language).title)


def picker(progress: Progress, language: str) -> str:
    """The route of a narrow screen."""
    groups = "".join(
        f'<optgroup label="{words(language, f"learn.group.{group}")}">'
        f"{''.join(_option(one, progress, language) for one in lessons)}</optgroup>"
        for group, lessons in ROUTE.items()
    )
    return f'<label class="pp-pick"><span>{words(language, "learn.pick")}</span> <select>{groups}</select></label>'


def _option(lesson_id: str, progress: Progress, language: str) -> str:
    chosen = " selected" if lesson_id == progress.lesson else ""
    done = "✓ " if lesson_id in progress.guesses else ""
    return f'<option value="{lesson_id}"{chosen}>{done}{_title(lesson_id, language)}</option>'


def end(progress: Progress, language: str) -> str:
    """Below the route, and on a narrow screen below the lesson: the way to the teacher's page."""
    way = f"?lang={language}&amp;tab=learn&amp;for=teachers"
    return f'<p class="pp-route-end"><a href="{way}" data-for="teachers">{words(language, "learn.teachers")}</a></p>'


def neighbours(progress: Progress, language: str) -> str:
    at = LESSONS.index(progress.lesson)
    before = _turn(LESSONS[at - 1], "learn.previous", language) if at else "<span></span>"
    after = _turn(LESSONS[at + 1], "learn.next", language) if at + 1 < len(LESSONS) else ""
    return f'<nav class="pp-turn" aria-label="{words(language, "learn.turn")}">{before}{after}</nav>'


def _turn(lesson_id: str, key: str, language: str) -> str:
    said = f'<span class="pp-unseen">{words(language, key)}: </span>{_title(lesson_id, language)}'
    arrows = ("← ", "") if key == "learn.previous" else ("", " →")
    before, after = (f'<span aria-hidden="true">{arrow}</span>' if arrow else "" for arrow in arrows)
    return f'<a href="{address(lesson_id, language)}" data-lesson="{lesson_id}">{before}{said}{after}</a>'


# The lesson


def card(progress: Progress, language: str, busy: int = 0) -> str:
    """The lesson that is open. Its figures are computed for its sentences, and shown after the guess."""
    one, found = lesson(progress.lesson, language), figures(progress.lesson)
    guess = progress.guesses.get(one.id)
    count = {"title": one.title, "place": place(one.id), "count": len(LESSONS), "minutes": one.minutes}
    answered = choices(one, language) if guess is None else guessed(one, found, guess, language)
    shown = "" if guess is None else bars(one, found, language) + meaning(one, found) + extra(one.id, language)
    replayed = "" if guess is None else replays(one, busy)
    return (
        f'<article class="pp-card pp-lesson" data-open="{one.id}"><div class="pp-lesson-head">'
        f'<h2 tabindex="-1">{escape(one.filled(one.question, found))}</h2>'
        f'<p class="pp-soft pp-small">{words(language, "learn.place", **count)}</p></div>'
        f'<p class="pp-soft">{escape(one.filled(one.lead, found))}</p>'
        f"<p><b>{words(language, 'learn.guess_first')}</b> {escape(one.filled(one.prediction.ask, found))}</p>"
        f'{answered}<div class="pp-shown" role="status">{shown}</div>{replayed}'
        f"{ways(one, guess is not None, language)}</article>"
    )


def meaning(one: Lesson, found: Figures) -> str:
    """What the bars measure, and the two sentences."""
    note, sentences = (escape(one.filled(text, found)) for text in (one.note, one.meaning))
    return f'<p class="pp-soft pp-small">{note}</p>{pictures(one)}<p class="pp-meaning">{sentences}</p>'


def pictures(one: Lesson) -> str:
    """The block with what each method trains of it, in the lesson on the families; nothing in the others."""
    if one.id != "families":
        return ""
    drawings = (
        f"<figure {colour(each.method)}>{block(each)}<figcaption><b>{words(one.language, f'methods.{each.method}.name')}</b>"
        f"<span>{words(one.language, f'learn.family.{each.family}')}</span></figcaption></figure>"
        for each in trained()
    )
    return f'<div class="pp-blocks">{"".join(drawings)}</div>'


def choices(one: Lesson, language: str) -> str:
    """What there is to guess from: a button each, or a field for a number."""
    prediction, label = one.prediction, words(language, "learn.yours")
    if prediction.kind == "number":
        bounds = f'min="{prediction.minimum:g}" max="{prediction.maximum:g}" step="any"'
        return (
            f'<form class="pp-guess-number"><label><span>{label}</span> <input type="number" {bounds}/></label>'
            f" <span>{escape(prediction.unit)}</span>"
            f'<button type="submit" class="chip">{words(language, "learn.guess")}</button></form>'
        )
    buttons = (
        f'<button type="button" data-guess="{place}">{escape(choice)}</button>'
        for place, choice in enumerate(prediction.labels(language))
    )
    return f'<div class="pp-choices" role="group" aria-label="{label}">{"".join(buttons)}</div>'


def guessed(one: Lesson, found: Figures, guess: float, language: str) -> str:
    """The guess beside what is right."""
    prediction = one.prediction
    marks = {
        "right": f' <b class="pp-right">{words(language, f"learn.origin.{found.origin}")}</b>',
        "yours": f' <b class="pp-yours">{words(language, "learn.yours")}</b>',
    }
    if prediction.kind == "number":
        both = {"right": found.answer, "yours": guess}
        cells = [(plainly(language, value, prediction.unit), [name]) for name, value in both.items()]
    else:
        places = {"right": prediction.nearest(found.answer), "yours": guess}
        labels = enumerate(prediction.labels(language))
        cells = [(label, [name for name in marks if places[name] == place]) for place, label in labels]
    items = "".join(
        f'<li class="{" ".join(f"pp-is-{name}" for name in names)}">{escape(label)}'
        f"{''.join(marks[name] for name in names)}</li>"
        for label, names in cells
    )
    return f'<ul class="pp-choices" tabindex="-1">{items}</ul>'


def bars(one: Lesson, found: Figures, language: str) -> str:
    """A line for each figure, as long as it is large beside the largest."""
    largest = max(abs(bar.figure.value) for bar in found.bars) or 1.0
    lines = "".join(_bar(bar, one.bars[bar.label], largest, language) for bar in found.bars)
    return f'<ul class="pp-lesson-bars">{lines}</ul>'


def _bar(bar: Bar, label: str, largest: float, language: str) -> str:
    share = max(0.0, bar.figure.value) / largest
    return (
        f"<li {colour(bar.method)}><span>{escape(label)}</span>"
        f'<span class="pp-length-of"><i style="width:{100 * share:.2f}%"></i></span>'
        f"<b>{escape(bar.figure.written(language))}</b></li>"
    )


def ways(one: Lesson, done: bool, language: str) -> str:
    """The link and paper; once guessed into the lab, to guess again, and to the source."""
    chips = _chip("copy", "learn.copy", language) + _chip("print", "learn.print", language)
    said = f'<p class="pp-soft pp-small pp-copied" role="status" data-said="{words(language, "learn.copied")}"></p>'
    if not done:
        return f'<div class="pp-ways">{chips}{said}</div>'
    return (
        f'<div class="pp-ways">{_lab(one, language)}{chips}{_chip("again", "learn.again", language)}{said}'
        f'<p class="pp-soft pp-small pp-source">{words(language, "learn.source")} {_source(one)}</p></div>'
    )


def _source(one: Lesson) -> str:
    said = escape(one.source)
    return f'<a href="{escape(one.url)}" target="_blank" rel="noopener">{said}</a>' if one.url else said


def _lab(one: Lesson, language: str) -> str:
    said = words(language, f"learn.open.{one.link['tab']}")
    return f'<a class="pp-way" href="?{escape(way(one))}">{said}</a>'


def way(one: Lesson) -> str:
    """The query of the link to where the page shows it: what the file names, a section's controls under its name."""
    place = {name: one.link[name] for name in ("tab", "section") if name in one.link}
    within = f"{place['section']}{links.WITHIN}" if "section" in place else ""
    controls = {f"{within}{name}": value for name, value in one.link.items() if name not in place}
    return urlencode({"lang": one.language, **place, **controls})


def _chip(act: str, key: str, language: str) -> str:
    return f'<button type="button" class="chip" data-act="{act}">{words(language, key)}</button>'


def newcomer(language: str) -> str:
    """The quiet line that leads a new visitor here; `tab.NEWCOMER` opens the tab without loading the page anew."""
    return f'<a href="?lang={language}&amp;tab=learn" data-newcomer>{words(language, "learn.newcomer")}</a>'
