"""
What the page's terms mean, in each language.

One JSON file per language, the same ids in all of them. Knows nothing about the page.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """
    A term and the one or two sentences that say what it means.

    `forms` are whole words, of any case, by which it is found in other sentences, `otherwise` longer phrases in which these
    words mean something else. What is `common` stands in every second sentence, and gives way to the other terms of one.
    """

    term: str
    says: str
    forms: tuple[str, ...]
    otherwise: tuple[str, ...] = ()
    common: bool = False


@cache
def entries(language: str) -> dict[str, Entry]:
    """All entries of one language by id, in alphabetical order of their terms."""
    read = json.loads(Path(__file__).with_name(f"{language}.json").read_text(encoding="utf-8"))
    found = {name: Entry(**{**one, "forms": tuple(one["forms"])}) for name, one in read.items()}
    return dict(sorted(found.items(), key=lambda one: place(one[1].term)))


def place(term: str) -> str:
    """What a term is sorted by: accents and capitals do not count, Greek letters come last."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", term.casefold()) if not unicodedata.combining(letter))
