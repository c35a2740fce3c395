"""
The teacher's page: what every lesson is for, its link and its QR code to hand out, its sheets, and the results of a class.

Pure: plain values and a language in, HTML out. `teacher.js` presses its buttons, and reads and draws the files of a class.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape, unescape
from typing import Any
from urllib.parse import urlencode

from playground import locales
from playground.learn.lessons import lesson
from playground.learn.results import COLUMNS, readable
from playground.learn.route import LESSONS, ROUTE, figures
from playground.locales import text
from playground.plots.learn.qr import qr
from playground.ui.kit.html import words
from playground.ui.kit.links import HOLDING
from playground.ui.kit.locks import Names
from playground.ui.learn import lesson_html, sheets_html

# What the script says, filled in there
SAID = (
    *("learn.teacher.copied", "learn.class.count", "learn.class.bad", "learn.class.number", "learn.class.of"),
    *("learn.locks.none", "learn.locks.no_link"),
)


def page(language: str, here: str, controls: Names) -> str:
    """`here`: what links to this page begin with ("": unknown, then there are none to hand out)."""
    said = {key.rpartition(".")[2]: locales.words(language)[key] for key in SAID}
    return (
        f'<div class="pp-teacher" data-said="{_data(said)}" data-columns="{",".join(COLUMNS)}">'
        f'<p class="pp-back"><a href="?lang={language}&amp;tab=learn" data-lesson="">'
        f"{words(language, 'learn.teacher.back')}</a></p>{plan(language, here)}{results(language)}"
        f"{locking(language, controls)}{sheets_html.sheets(language)}</div>"
    )


def _data(value: Any) -> str:
    return escape(json.dumps(value, ensure_ascii=False))


# The lessons


def plan(language: str, here: str) -> str:
    """Every lesson with its goal and its minutes; what is to be handed out lies behind a button each."""
    groups = "".join(
        f"<h3>{words(language, f'learn.group.{group}')}</h3>"
        f'<ol start="{lesson_html.place(next(iter(lessons)))}">'
        f"{''.join(_lesson(one, language, here) for one in lessons)}</ol>"
        for group, lessons in ROUTE.items()
    )
    return (
        f'<section class="pp-card pp-plan"><h2>{words(language, "learn.teachers")}</h2>'
        f'<p class="pp-soft">{words(language, "learn.teacher.lead")}</p>'
        f'<p class="pp-ways">{_prints("all", language)}{_button("print", "learn.teacher.print.links", language)}</p>'
        f"{_only_here(language, here)}{groups}</section>"
    )


def _only_here(language: str, here: str) -> str:
    """That nobody else's device finds the page at this address."""
    host = here.partition("//")[2].partition("/")[0].rpartition(":")[0] or here.partition("//")[2].partition("/")[0]
    local = host in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0")
    return f'<p class="pp-soft pp-small pp-local">{words(language, "learn.teacher.local", host=host)}</p>' if local else ""


def _lesson(lesson_id: str, language: str, here: str) -> str:
    one = lesson(lesson_id, language)
    minutes = f'<span class="pp-soft pp-small">{words(language, "learn.minutes", minutes=one.minutes)}</span>'
    return (
        f'<li><div class="pp-plan-head"><a href="{lesson_html.address(lesson_id, language)}" data-lesson="{lesson_id}">'
        f"{escape(one.title)}</a> {minutes}"
        f'<button type="button" class="chip" aria-expanded="false" aria-controls="hand-out-{lesson_id}">'
        f'{words(language, "learn.teacher.hand_out")}<span class="pp-unseen">: {escape(one.title)}</span></button></div>'
        f"<p>{escape(one.goal)}</p>{_hand_out(lesson_id, language, here)}</li>"
    )


def _hand_out(lesson_id: str, language: str, here: str) -> str:
    link, code, copy = here and here + unescape(lesson_html.address(lesson_id, language)), "", ""
    if link:
        code = qr(link, text(language, "learn.teacher.qr", title=lesson(lesson_id, language).title))
        copy = f'<button type="button" class="chip" data-copy="{escape(link)}">{words(language, "learn.copy")}</button>'
    return (
        f'<div class="pp-hand-out" id="hand-out-{lesson_id}" hidden>{code}<div><p class="pp-link">{escape(link)}</p>'
        f'<p class="pp-ways">{copy}{_prints(lesson_id, language)}<span role="status" class="pp-soft pp-small"></span></p>'
        f"</div></div>"
    )


def _prints(lesson_id: str, language: str) -> str:
    """The buttons that print the sheets of a lesson, or of all."""
    return "".join(_button("print", f"learn.teacher.print.{kind}", language, kind, lesson_id) for kind in sheets_html.KINDS)


def _button(act: str, key: str, language: str, kind: str = "", of: str = "") -> str:
    chosen = f' data-kind="{kind}" data-of="{of}"' if kind else ""
    return f'<button type="button" class="chip" data-act="{act}"{chosen}>{words(language, key)}</button>'


# The results of a class


def results(language: str) -> str:
    """Where a class's files are dropped, and where the script draws what they say."""
    return (
        f'<section class="pp-card pp-class" data-lessons="{_data({one: _drawn_as(one, language) for one in LESSONS})}">'
        f'<h2>{words(language, "learn.class.title")}</h2><p class="pp-soft">{words(language, "learn.class.lead")}</p>'
        f'<label class="pp-drop"><input type="file" multiple accept=".csv,text/csv"/>'
        f"<span>{words(language, 'learn.class.drop')}</span></label>"
        f'<div role="status"><p class="pp-class-count"></p><ul class="pp-class-bad pp-error"></ul></div>'
        f'<p class="pp-ways pp-class-again" hidden>{_button("forget", "learn.class.again", language)}</p>'
        f'<div class="pp-class-drawn"></div></section>'
    )


def _drawn_as(lesson_id: str, language: str) -> dict[str, Any]:
    """What the script needs to read a lesson's guesses (`readable`) and to draw them in the visitor's words."""
    one, found = lesson(lesson_id, language), figures(lesson_id)
    words_of = {
        "title": one.title,
        "ask": one.filled(one.prediction.ask, found),
        "labels": one.prediction.labels(language),
        "answered": sheets_html.right(one, found),
        "origin": text(language, f"learn.origin.{found.origin}"),
        "unit": one.prediction.unit,
    }
    return {**readable(lesson_id), **words_of}


# Locked and hidden controls


def locking(language: str, controls: Names) -> str:
    """Every control that a link can lock or hide, to be chosen, and the link that does; the script writes it."""
    tabs: dict[str, list[str]] = {}
    for (tab, section), names in controls.items():
        if names:
            tabs.setdefault(tab, []).append(_lockable(tab, section, names, language))
    groups = "".join(f"<h3>{words(language, f'tabs.{tab}')}</h3><div>{''.join(all_)}</div>" for tab, all_ in tabs.items())
    return (
        f'<section class="pp-card pp-locking"><details><summary><h2>{words(language, "learn.locks.title")}</h2></summary>'
        f'<p class="pp-soft">{words(language, "learn.locks.lead")}</p>'
        f'<p role="radiogroup" aria-label="{words(language, "learn.locks.how")}">{_hows(language)}</p>'
        f'<p class="pp-lock-link"><label><span>{words(language, "learn.locks.given")}</span> <input type="url"/></label>'
        f'<span class="pp-link" role="status">{words(language, "learn.locks.none")}</span>'
        f'<button type="button" class="chip" hidden>{words(language, "learn.copy")}</button>'
        f'<span role="status" class="pp-soft pp-small pp-copied"></span></p>{groups}</details></section>'
    )


def _hows(language: str) -> str:
    """What the link does with those that are chosen."""
    return " ".join(
        f'<label><input type="radio" name="how" value="{one}"{"" if place else " checked"}/> '
        f"{words(language, f'learn.locks.how.{one}')}</label>"
        for place, one in enumerate(HOLDING)
    )


def _lockable(tab: str, section: str, names: Sequence[tuple[str, str]], language: str) -> str:
    """A section's controls, or those of a tab without sections, with the place that a link to them opens."""
    title = words(language, f"section.{section}" if section else f"tabs.{tab}")
    said = f"<legend>{title}</legend>" if section else f'<legend class="pp-unseen">{title}</legend>'
    boxes = "".join(
        f'<label><input type="checkbox" name="lock" value="{escape(name)}"/> {words(language, label)}</label>'
        for name, label in names
    )
    place = escape(urlencode({"lang": language, "tab": tab} | ({"section": section} if section else {})))
    return f'<fieldset data-place="{place}">{said}{boxes}</fieldset>'
