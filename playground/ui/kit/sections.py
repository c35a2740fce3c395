"""
What the labs share: cards, sections that are drawn when their tab is opened, and following what runs for a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.actions.work import expected_wait
from playground.ui.kit import html, kept
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import alarm, note, plain
from playground.work.jobs import Run

ANSWER_TOKENS = 40  # long enough to hear a style, short enough to wait for


@dataclass(frozen=True)
class Section:
    """
    A part of a lab that is empty until its tab is opened: `draw` gives the changes of `shown` for the controls' value, and
    `attach`, if there is one, yields them again while something runs that was started before: after the drawing, and at a
    later visit if `stamp`, which says what the section was drawn for, has become another one.

    What a visitor fills in comes back with the page (`kept`): of lists whose choices `draw` gives those that are `offered`;
    text that is another one in another language is `retold`; `moved` are events after which a button has filled in.

    A link to it has what its controls hold. Where a result takes a button, `pressed` are its events and `run` what it does,
    for a link (its parameters by name) from somebody who had pressed it. `restore` draws, instead of `draw`, what a link's
    values by their names are to become, where drawing would set controls itself; `more` is what a link says besides.
    """

    controls: Controls[Any]
    shown: Sequence[Any]
    draw: Callable[[Any], Changes]
    attach: Callable[[Any], Iterator[Changes]] | None = None
    stamp: Callable[[Any], str] = lambda value: "drawn"
    offered: Sequence[Any] = ()
    retold: Mapping[Any, kept.Retold] = field(default_factory=dict)
    moved: Sequence[Any] = ()
    pressed: Sequence[Any] = ()
    run: Callable[[Any, Mapping[str, str]], Iterator[Changes]] | None = None
    restore: Callable[[Any, Mapping[str, Any]], Changes] | None = None
    more: Callable[[Any], Mapping[str, str]] = lambda value: {}


def watch(run: Run, notice: Any, draw: Callable[[Run], Changes]) -> Iterator[Changes]:
    """
    What `draw` makes of a run whenever it has changed, until it has ended or a newer run has taken its place; then
    whoever shows that one says the rest, and `notice` stays as it is.
    """
    for _ in run.changes():
        if run.replaced:
            yield unchanged(notice)
            return
        yield draw(run)


def follow(run: Run, language: str, notice: Any, shown: Any, draw: Callable[[Any], Any]) -> Iterator[Changes]:
    """Where a run stands in `notice`, in `shown` what `draw` makes of its latest event (None: nothing yet); see `watch`."""

    def changes(run: Run) -> Changes:
        return {notice: progress(run, language)} | ({shown: draw(run.events[-1])} if run.events and run.events[-1] else {})

    yield from watch(run, notice, changes)


def headed(title: str, lead: str) -> dict[str, Callable[[str], str]]:
    """A card's heading and the quiet line below it, by their keys, as `Wording.make` takes them."""
    return {"value": lambda lang: html.heading(lang, title) + soft(lang, lead)}


def soft(language: str, key: str, **values: object) -> str:
    """A quiet sentence."""
    return f'<p class="pp-soft">{html.words(language, key, **values)}</p>'


def progress(run: Run, language: str) -> str:
    """Where a run stands, in one line."""
    if run.error:
        return alarm(run.error.message(language))
    if run.state == "queued" and run.position:
        return plain(html.queued(language, run.position, expected_wait(run)))
    if run.ended:
        return note(language, f"lab.{run.state}")
    return note(language, "lab.running" if run.events else "lab.waiting")
