"""What tests of drawn HTML share: a browser's view of it, hostile text, and the laws that every piece keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest

from playground.locales import LANGUAGES, words

HOSTILE = (
    "</p></td><img src=x onerror=alert(1)><script>alert(2)</script>\" onmouseover=\"alert(3)\" ' onclick='alert(4)'&amp;<!--"
)
both_languages = pytest.mark.parametrize("language", LANGUAGES)


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, the text, and which tags were left open."""

    def __init__(self, html: Any) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.open: list[tuple[str, str]] = []  # tags with their classes
        self.unmatched: list[str] = []
        self.texts: dict[str, str] = {}  # by class: what stands inside
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: Any, attributes: Any) -> Any:
        self.elements.append((tag, dict(attributes)))
        self.open.append((tag, dict(attributes).get("class") or ""))

    def handle_endtag(self, tag: Any) -> Any:
        if not self.open or self.open[-1][0] != tag:
            self.unmatched.append(tag)
        else:
            self.open.pop()

    def handle_data(self, data: Any) -> Any:
        self.text += data
        for name in {name for _, classes in self.open for name in classes.split()}:
            self.texts[name] = self.texts.get(name, "") + data

    @property
    def sound(self) -> Any:
        return not self.open and not self.unmatched

    def attributes(self, name: Any) -> Any:
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def count(self, tag: Any) -> Any:
        return sum(one == tag for one, _ in self.elements)


def made_from(html: str) -> Any:
    """What a result is marked with (kit/marks.py)."""
    (found,) = Page(html).attributes("data-made-from")
    return json.loads(found)


def assert_shown_as_text(place: Callable[[str, str], str], language: str) -> None:
    """Hostile text in a `place` (text and language in, HTML out) is read there, and changes no element and no attribute."""
    page, harmless = Page(place(HOSTILE, language)), Page(place("x" * len(HOSTILE), language))
    assert page.sound
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert [sorted(attributes) for _, attributes in page.elements] == [sorted(one) for _, one in harmless.elements]
    assert HOSTILE in page.text


def assert_laws(everything: Callable[[str], Iterable[str]]) -> None:
    """Every piece (language in, HTML out) is sound in each language, and in Spanish speaks Spanish alone."""
    for language in LANGUAGES:
        assert_sound(everything(language))
    assert_translated(everything("en"), everything("es"))
    assert_no_english(everything("es"))


def assert_sound(pieces: Iterable[str]) -> None:
    for html in pieces:
        assert Page(html).sound, html


def assert_translated(english: Iterable[str], spanish: Iterable[str]) -> None:
    for one, other in zip(english, spanish, strict=True):
        assert one != other


def assert_no_english(spanish: Iterable[str]) -> None:
    """Sentences of several words that say something else in Spanish must not be left over in English."""
    rooms = ("header", "pane", "tokens", "count", "status", "samples", "race")
    english = {key: sentence for key, sentence in words("en").items() if key.partition(".")[0] in rooms}
    plain = [escape(one) for key, one in english.items() if " " in one and "{" not in one and one != words("es")[key]]
    assert len(plain) > 15
    assert [(sentence, html) for html in spanish for sentence in plain if sentence in html] == []
