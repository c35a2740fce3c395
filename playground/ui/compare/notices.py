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

from playground.bounds import shown
from playground.locales import text, written
from playground.ui.kit.events import alarm
from playground.ui.kit.html import words
from playground.ui.kit.links import short

MISSING = re.compile(r'<div data-missing="([^"]*)">.*?</div>', re.DOTALL)
SHOWN = 60  # characters of a title


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
    """That a link gives what settings cannot be, and what is used instead."""
    wrong = ", ".join(f"{text(language, f'decoding.{name}')} = {shown(value)}" for name, value in given.items())
    instead = ", ".join(f"{text(language, f'decoding.{name}')} = {written(language, used[name])}" for name in given)
    return alarm(text(language, "compare.refused", wrong=wrong, used=instead))


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
