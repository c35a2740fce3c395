"""The quiet line and the alarm: hostile text stays text."""

from typing import Any

import pytest

from playground.ui.kit.events import alarm, note
from tests.ui.drawn import assert_shown_as_text, both_languages

PLACES = {
    "an alarm": lambda evil, lang: alarm(evil),
    "an uploaded title": lambda evil, lang: note(lang, "compare.uploaded", title=evil),
}  # fmt: skip


@both_languages
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_as_text_and_never_obeyed(place: Any, language: Any) -> None:
    assert_shown_as_text(place, language)
