"""
What is said above the panes of what they show, and of panes that a link named and that are not here. Pure: values and a
language in, HTML out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape, unescape
from typing import Any

from playground import settings
from playground.compare.job import DECODING
from playground.compare.many import TIMES
from playground.locales import LANGUAGES, text, written
from playground.ui.kit.events import alarm
from playground.ui.kit.html import words
from playground.ui.kit.links import short
from playground.ui.kit.locks import NAMES
from playground.ui.kit.untaken import untaken

MISSING = re.compile(r'<div data-missing="([^"]*)">.*?</div>', re.DOTALL)
SHOWN = 60  # characters of a title
# What a link's parameters are called, besides those of decoding
LABELS = {
    "tab": "link.tab", "section": "link.section", "lesson": "learn.pick", "lang": "header.language",
    "panes": "link.panes", "own": "link.own", "answers": "link.answers", "for": "link.for", "lock": "link.lock",
    "hide": "link.hide", **{name: key for names in NAMES.values() for name, key in names if name not in ("panes", "base")},
}  # fmt: skip


def recorded(language: str) -> str:
    """That a comparison is a recording; what Compare would do is said while the question above is the recorded one."""
    live = f'<span class="pp-live">{words(language, "compare.live")}</span>'
    return f'<p class="pp-soft" role="status">{words(language, "compare.recorded")} {live}</p>'


def missing(titles: Sequence[str], instead: Sequence[str], language: str) -> str:
    """That panes are not here, by the titles that a link gave, and what is shown instead."""
    named = ", ".join(one[:SHOWN] for one in titles)
    said = alarm(text(language, "compare.missing", missing=named, shown=", ".join(instead)))
    return f'<div data-missing="{escape(json.dumps(titles))}">{said}</div>'


def refused(given: Mapping[str, str], used: Mapping[str, Any], language: str) -> str:
    """What a link gives that is not taken (links.refused), and what is used instead where something is; a plain sentence."""
    decoding = {bound.name: f"decoding.{bound.name}" for bound in (*DECODING, TIMES)}
    labels = {name: text(language, key, most=settings.MAX_PANES) for name, key in {**LABELS, **decoding}.items()}
    instead = {"tab": text(language, "tabs.compare"), "lang": LANGUAGES[language]}
    instead |= {name: written(language, used[name]) for name in decoding if name in given}
    return untaken(given, labels, instead, language)


def arrived(notice: str, panes: Sequence[str], language: str) -> str | None:
    """
    What a notice still misses once the last of the `panes`, by their titles, is here; None for one that misses nothing.
    Where only one is missing, that is it, whatever its file was called.
    """
    found = MISSING.search(notice or "")
    if found is None:
        return None
    titles = json.loads(unescape(found[1]))
    rest = [one for one in titles if short(one) != short(panes[-1])] if len(titles) > 1 else []
    return notice.replace(found[0], missing(rest, panes, language) if rest else "")
