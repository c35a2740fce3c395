"""
What the sections of the quantization lab share: cards, sentences below each other, formats to choose from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import gradio as gr

from playground.formats.registry import FORMATS, USUAL
from playground.plots.quantize.names import format_name
from playground.ui.kit.sections import headed
from playground.ui.kit.wording import Wording, html


@contextmanager
def card(wording: Wording, title: str, lead: str) -> Iterator[None]:
    """A card with its heading and the quiet line below it, by their keys; what is made inside follows them."""
    with gr.Column(elem_classes="pp-card"):
        wording.make(html, headed(title, lead))
        yield


def said(sentences: Iterable[str], live: bool = True) -> str:
    """Sentences in HTML; `live` ones are read out whenever they change."""
    role = ' role="status"' if live else ""
    return f'<div class="pp-said"{role}>{"".join(f"<p>{sentence}</p>" for sentence in sentences)}</div>'


def more(wording: Wording, elem_id: str) -> gr.CheckboxGroup:
    """The formats that are not among the usual ones, in a fold of their own."""
    others = partial(choices, formats=[name for name in FORMATS if name not in USUAL])
    with wording.make(gr.Accordion, {"label": "anatomy.more"}, open=False, elem_classes="pp-more"):
        return wording.make(
            gr.CheckboxGroup, {"label": "wholemodel.formats", "choices": others}, value=[], show_label=False, elem_id=elem_id
        )


def choices(language: str, formats: Iterable[str]) -> list[tuple[str, str]]:
    """Formats by their names."""
    return [(format_name(language, one), one) for one in formats]
