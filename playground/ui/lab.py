"""
What the labs share: cards, and following what runs for one of their places. Knows no components.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from playground import locales
from playground.jobs import SESSIONS, Run
from playground.ui import components
from playground.ui.compare import alarm, note

ANSWER_TOKENS = 40  # long enough to hear a style, short enough to wait for


def headed(title: str, lead: str) -> dict[str, Callable[[str], str]]:
    """A card's heading and the quiet line below it, by their keys, as `Wording.make` takes them."""
    return {"value": lambda lang: components.heading(lang, title) + soft(lang, lead)}


def soft(language: str, key: str, **values: object) -> str:
    """A quiet sentence."""
    return f'<p class="pp-soft">{components.words(language, key, **values)}</p>'


def run_of(key: str, place: str, subject: str) -> Run | None:
    """The session's run of a place, if it is about this subject; another's stops, and whoever shows it looks away."""
    run = SESSIONS.get(key).runs.get(place)
    if run is None or run.job == subject:
        return run
    if not run.ended:
        run.replaced = True
        SESSIONS.stop(key, place)
    return None


def follow_answers(run: Run, language: str) -> Iterator[list[Any]]:
    """[notice, panes] of a comparison as it is written, until it has ended."""
    yield from follow(run, language, lambda frame: components.panes(frame.as_json(), language))


def follow(run: Run, language: str, draw: Callable[[Any], Any]) -> Iterator[list[Any]]:
    """[notice, what `draw` makes of the latest event] of a run, until it has ended."""
    for _ in run.changes():
        if run.replaced:  # a newer one is shown in the same place
            yield [gr.skip(), gr.skip()]
            return
        yield [progress(run, language), draw(run.events[-1]) if run.events else gr.skip()]


def progress(run: Run, language: str) -> str:
    """Where a run stands, in one line."""
    if run.error:
        return alarm(run.error.message(language))
    if run.state == "queued" and run.position:
        return note(language, "lab.queued", position=locales.number(language, run.position))
    if run.ended:
        return note(language, f"lab.{run.state}")
    return note(language, "lab.running" if run.events else "lab.waiting")
