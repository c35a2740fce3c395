"""
Answers in the labs: a comparison under a line that names what it answers, and which says when its controls have changed.

The session keeps what was asked, so that a page that is opened again knows whose answers it shows. Knows nothing about
what the controls are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.actions.compare import latest_frame
from playground.locales import LANGUAGES, text
from playground.model.names import base_name
from playground.ui.compare.decoding import summary
from playground.ui.compare.panes import panes
from playground.ui.kit import marks
from playground.ui.kit.controls import Changes
from playground.ui.kit.html import words
from playground.ui.kit.sections import follow
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS

TITLES = "titles"  # among what was asked: those of the panes, by language


def retitled(frame: Mapping[str, Any], asked: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A frame whose panes are called as in `language`, in whichever they were asked."""
    known = asked.get(TITLES, {})
    told = {one: now for titles in known.values() for one, now in zip(titles, known[language], strict=True)}
    named = [{**pane, "name": told[pane["name"]]} if pane.get("name") in told else pane for pane in frame["panes"]]
    return {**frame, "panes": named}


@dataclass(frozen=True)
class Answers:
    """
    A place of a lab's comparisons, the keys of the button that asks again and of why they may be on another base than the
    one in use.
    """

    place: str
    button: str
    elsewhere: str

    def remember(self, key: str, asked: Mapping[str, Any], titles: Callable[[str], Iterable[str]] | None = None) -> None:
        """
        What the run that has just been queued was asked, by the names of the controls that matter to it; and what its panes
        may be called in a language, in one order.
        """
        told = {TITLES: {code: list(titles(code)) for code in LANGUAGES}} if titles else {}
        SESSIONS.get(key).forms[self.place] = {**asked, **told}

    def asked(self, key: str) -> dict[str, Any]:
        """What the session's latest run was asked; empty without one."""
        found: dict[str, Any] = SESSIONS.get(key).forms.get(self.place, {})
        return found

    def forget(self, key: str) -> None:
        """What is asked about is no longer there: its answers end, and are not shown again."""
        run = SESSIONS.get(key).runs.get(self.place)
        if run:
            run.replaced = True
            SESSIONS.stop(key, self.place)

    def follow(self, run: Run, key: str, language: str, notice: Any, shown: Any) -> Iterator[Changes]:
        """The answers in `shown` as they are written, until they have ended."""
        asked = self.asked(key)
        yield from follow(run, language, notice, shown, lambda _: self.html(latest_frame(run) or {}, asked, language))

    def html(self, frame: Mapping[str, Any], asked: Mapping[str, Any], language: str) -> str:
        """The panes under what they answer: the question, the base, and how; with a mark (marks.py)."""
        named = (
            text(language, "compare.answers", prompt=frame["prompt"]),
            base_name(frame["base"], language),
            summary(language, frame["decoding"]),
        )
        controls = {name: value for name, value in asked.items() if name != TITLES}
        former = words(language, "lab.former", button=text(language, self.button))
        return (
            f'<div {marks.mark(controls)} data-base="{escape(frame["base"])}">'
            f'<p class="pp-asked">{escape(" · ".join(named))} '
            f'<span class="pp-elsewhere">{words(language, self.elsewhere)}</span> '
            f'<strong class="pp-former">{former}</strong></p>{panes(retitled(frame, asked, language), language)}</div>'
        )

    def wire(self, shown: gr.HTML, used: gr.Dropdown, controls: Mapping[str, Any]) -> None:
        """Compare the answers with the controls, by the names in `asked`, whenever one of them changes."""
        marks.wire([shown], used, controls)
