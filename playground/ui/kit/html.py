"""
What all parts of the page are drawn with: the header, cards and their titles, a method's colours, escaped words.

Pure: plain values and a language in, HTML out; what a visitor or a model wrote is escaped here.
Knows nothing about Gradio, models or events. Looks lie in theme.css, words in playground/locales.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground import locales
from playground.locales import LANGUAGES, NO_BREAK, number, seconds, text

Values = Mapping[str, Any]
MOST_NAMED = 3
NOTES = {"experts": "note.experts", "no_bfloat16": "note.no_bfloat16"}  # on what is loaded (`bases.Base.notes`)
LOADING = {
    "waiting": "loading",
    "downloading": "preparing",
    "converting": "preparing",
    "pruning": "loading",
    "rounding": "loading",
}

SETTLING = '<span class="pp-opening"></span>'  # as long as there is one, nobody presses anything (theme.css)


def words(language: str, key: str, **values: object) -> str:
    """The sentence `key`, escaped."""
    return escape(text(language, key, **values))


def folded(language: str, key: str, inside: str) -> str:
    """What opens with a press on its title; nothing of nothing."""
    return f'<details class="pp-claim"><summary>{words(language, key)}</summary>{inside}</details>' if inside else ""


def counted(language: str, key: str, count: int, **values: object) -> str:
    """The sentence `key` about one or several, escaped."""
    return escape(locales.counted(language, key, count, **values))


def alike(names: Sequence[str]) -> str:
    """What a sentence names that holds for several alike: a, b, c, …; plain text, not yet escaped."""
    return ", ".join([*names[:MOST_NAMED], *(["…"] if len(names) > MOST_NAMED else [])])


def colour(method: str) -> str:
    """The style attribute with a method's colours: `--m` for marks, `--m-text` for words."""
    method = method if method.isidentifier() else "base"
    return f'style="--m:var(--m-{method},var(--m-base));--m-text:var(--m-{method}-text,var(--m-base-text))"'


def heading(language: str, key: str) -> str:
    """The title of a card."""
    return f'<h2 class="pp-title">{words(language, key)}</h2>'


def card(language: str, room: str, body: str = "") -> str:
    """A card with its title and `body`; without one, the sentence that says what will appear here."""
    body = body or f'<p class="pp-soft">{words(language, f"{room}.empty")}</p>'
    return f'<section class="pp-card">{heading(language, f"{room}.title")}{body}</section>'


def header(status: Values, language: str) -> str:
    """The page's title, how the model is doing, the languages, and the switch between light and dark (theme.py)."""
    current = {language: ' aria-current="true"'}
    opening = " pp-opening" if status.get("opening") else ""
    links = (
        f'<a href="?lang={code}" data-pp-language lang="{code}" title="{name}"{current.get(code, "")}>{code.upper()}</a>'
        for code, name in LANGUAGES.items()
    )
    return (
        f'<div class="pp-header{opening}"><h1>{words(language, "header.title")}</h1>'
        f'<p class="pp-tagline">{words(language, "header.tagline")}</p>'
        f'<p class="pp-state pp-{escape(status["state"])}" role="status"{_reason(status, language)}>'
        f"{escape(model_state(status, language))}</p>"
        f'<nav class="pp-languages" aria-label="{words(language, "header.language")}">{"".join(links)}</nav>'
        f'<button type="button" class="pp-theme" aria-label="{words(language, "header.theme")}">◐</button></div>'
    )


def queued(language: str, position: int, wait: float | None) -> str:
    """The place in the queue, and about how long that will take, where it is known and takes a second at least."""
    if wait is None or wait < 1:
        return text(language, "queue.place", position=number(language, position))
    return text(language, "queue.place_and_time", position=number(language, position), time=seconds(language, wait))


def _reason(status: Values, language: str) -> str:
    """Why work runs where it does, and products are done as they are, for whoever points at the device."""
    said = [words(language, f"where.{status['where'].name}.why")] if status.get("where") else []
    if status.get("products"):
        times = [f"{number(language, 1000 * spent, 1)}{NO_BREAK}ms" for spent in status["products"]]
        said.append(words(language, "header.products", torch=times[0], onednn=times[1]))
    return f' title="{" ".join(said)}"' if said else ""


def _elsewhere(status: Values, language: str) -> list[str]:
    """Where work runs, unless it is here."""
    where = status.get("where")
    if where is None or where.name == "thread":
        return []
    values = {name: number(language, one) if isinstance(one, int) else one for name, one in where.values.items()}
    return [text(language, f"where.{where.name}", **values)]


def model_state(status: Values, language: str) -> str:
    """One line on the model: what runs where, how far loading is, or why it failed."""
    if status["state"] == "failed":
        return status.get("message") or text(language, "header.failed")
    if status["state"] == "ready":
        notes = [text(language, NOTES[note]) for note in status.get("notes", ())]
        here = (status["name"], status["device"], status["dtype"], *notes, *_elsewhere(status, language))
        return " · ".join(part for part in here if part)
    fraction = status.get("fraction")
    done = "" if fraction is None else f" · {number(language, 100 * fraction)}{NO_BREAK}%"
    return text(language, f"header.{status['state']}", name=status["name"]) + done


def header_html(status: Mapping[str, Any], language: str, opening: bool = False) -> str:
    """The page's header with how a base is, in the words that the header has for it; `opening` until a visitor is known."""
    state = LOADING.get(status["state"], status["state"])
    dtype = locales.text(language, f"formats.{status['form']}") if status["form"] else status["dtype"]
    message = status["error"].message(language) if status["error"] else ""
    return header({**status, "state": state, "dtype": dtype, "message": message, "opening": opening}, language)
