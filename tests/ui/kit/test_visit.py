"""
What a browser sends as its language and its key is made sound before any handler, and so any file, sees it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr
import pytest

from playground import locales
from playground.learn.progress import Progress
from playground.ui.kit.visit import key_of
from playground.ui.page import build_page

ODD = ["locales/../..", "../es", "", "EN/..", "xx", None, 5, True, ["es"], {"es": 1}, "\ud800", "e" * 100_000]


@pytest.mark.parametrize("kept", ODD, ids=repr)
def test_an_odd_language_is_the_default_and_reads_no_file(kept: Any) -> None:
    assert locales.choose(kept) == locales.DEFAULT
    if isinstance(kept, str):
        with pytest.raises(KeyError):
            locales.words(kept)


@pytest.mark.parametrize("kept", ODD, ids=repr)
def test_an_odd_key_is_none(kept: Any) -> None:
    assert key_of(kept) == ""
    assert key_of("0123456789abcdef" * 2) == "0123456789abcdef" * 2


def test_handlers_get_only_what_is_sound() -> None:
    page = build_page()
    kept = [block for block in page.blocks.values() if isinstance(block, gr.BrowserState)]
    assert len(kept) == 3
    seen: list[Any] = []
    with page:
        gr.Button().click(lambda *values: seen.append(values), kept, None, api_visibility="private")
    handler = max(page.fns.values(), key=lambda one: one._id)
    for odd in (["es"], {"x": 1}, "locales/../..", 5):
        asyncio.run(page.process_api(handler, [odd, odd, odd]))
    assert seen == 4 * [("", locales.DEFAULT, Progress().kept)]
