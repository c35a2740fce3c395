"""
The glossary: all terms in one list, seen below Learn, where glossary.js finds what it marks in the page's sentences.

A term in a sentence is a word with a dotted line that opens its entry. The list is the only place that holds the entries, so
they are in the language of the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from playground.locales.glossary import Entry, entries
from playground.ui.kit.html import words


def fold(language: str) -> str:
    """All entries behind one click."""
    listed = "".join(_entry(name, entry) for name, entry in entries(language).items())
    return (
        f'<details class="pp-card pp-glossary"><summary>{words(language, "learn.glossary")}</summary>'
        f'<dl lang="{language}">{listed}</dl></details>'
    )


def _entry(name: str, entry: Entry) -> str:
    common = " data-common" if entry.common else ""
    found_by = f'data-forms="{_phrases(entry.forms)}" data-otherwise="{_phrases(entry.otherwise)}"{common}'
    return f'<div><dt data-id="{name}" {found_by}>{escape(entry.term)}</dt><dd>{escape(entry.says)}</dd></div>'


def _phrases(phrases: Iterable[str]) -> str:
    return escape("|".join(phrases))
