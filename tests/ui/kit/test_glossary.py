"""The list of all terms: whole, and with what glossary.js finds them by."""

from __future__ import annotations

from playground.locales.glossary import entries
from playground.ui.kit.glossary import fold
from tests.ui.drawn import Page, both_languages


@both_languages
def test_every_entry_is_listed_with_the_words_by_which_it_is_found(language: str) -> None:
    listed, known = Page(fold(language)), entries(language)
    assert listed.sound
    assert listed.attributes("data-id") == list(known)
    assert listed.attributes("data-forms") == ["|".join(one.forms) for one in known.values()]
    assert all(one.term in listed.text and one.says in listed.text for one in known.values())
    assert len(listed.attributes("data-common")) == sum(one.common for one in known.values())
