"""
What the labs share: cards, sections that are drawn when their tab is opened, and following what runs for a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from playground.actions.work import expected_wait
from playground.ui.kit import html, kept
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note, plain
from playground.ui.kit.visit import Visit
from playground.work.jobs import Run

ANSWER_TOKENS = 40  # long enough to hear a style, short enough to wait for


@dataclass(frozen=True)
class Section:
    """
    A part of a lab that is empty until its tab is opened: `draw` gives the changes of `shown` for the controls' value, and
    `attach`, if there is one, yields them again while something runs that was started before.

    What a visitor fills in comes back with the page (`kept`): of lists whose choices `draw` gives those that are `offered`;
    text that is another one in another language is `retold`; `moved` are events after which a button has filled in.
    """

    controls: Controls[Any]
    shown: Sequence[Any]
    draw: Callable[[Any], Changes]
    attach: Callable[[Any], Iterator[Changes]] | None = None
    offered: Sequence[Any] = ()
    retold: Mapping[Any, kept.Retold] = field(default_factory=dict)
    moved: Sequence[Any] = ()


def draw_when_opened(tab: gr.Tab, section: Section, visit: Controls[Visit]) -> None:
    """
    Draw a section at the first visit, with what was filled in before the page was opened again; later visits keep what the
    visitor made of it. Follow what runs at every visit.
    """
    seen = gr.State(False)
    filled = kept.keepable(section.controls.inputs - visit.inputs, section.offered)
    key, language = visit.components["key"], visit.components["language"]

    def opened(given: Mapping[Any, Any]) -> Changes:
        if given[seen]:
            return {seen: True}
        back = kept.find(given[key], given[language], filled, section.retold)
        return {seen: True, **back, **section.draw(section.controls.value({**given, **back}))}

    def keep(given: Mapping[Any, Any]) -> None:
        kept.keep(given[key], given[language], {one: given[one] for one in filled})

    shown = list(dict.fromkeys([seen, *filled, *section.shown]))
    drawn = tab.select(opened, section.controls.inputs | {seen, key, language}, shown, **HIDDEN)
    by_hand = [getattr(one, event) for one in filled for event in kept.BY_HAND if hasattr(one, event)]
    if by_hand:
        gr.on(by_hand, keep, {key, language, *filled}, None, trigger_mode="always_last", **HIDDEN)
    for event in section.moved:
        event.then(keep, {key, language, *filled}, None, **HIDDEN)
    if section.attach:
        drawn.then(section.controls.handler(section.attach), section.controls.inputs, list(section.shown), **STREAM)


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


def contents(language: str, tab: str, titles: Mapping[str, str]) -> str:
    """Links to the sections of a tab: id of the section → key of its title. As addresses they keep language and tab."""
    address = f"?lang={language}&amp;tab={tab}#section-"
    links = (f'<a href="{address}{room}">{html.words(language, key)}</a>' for room, key in titles.items())
    return f'<nav class="pp-contents" aria-label="{html.words(language, "lab.contents")}">{"".join(links)}</nav>'


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
