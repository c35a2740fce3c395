"""
Where a comparison stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.actions.compare import latest_frame
from playground.actions.work import expected_wait
from playground.adapt.variant import BASE
from playground.locales import counted
from playground.ui.kit import html
from playground.ui.kit.events import alarm, note, plain
from playground.work.jobs import Run


def progress(run: Run, language: str) -> str:
    """Where a comparison stands, in one line above the panes."""
    if run.error:
        return alarm(run.error.message(language))
    if run.again and not run.ended:
        return plain(counted(language, "queue.again", run.again))
    if run.state == "queued" and run.position:
        return plain(html.queued(language, run.position, expected_wait(run)))
    if run.state == "stopped":
        return note(language, "compare.stopped" if run.events else "compare.stopped_waiting")
    if not run.events:
        return note(language, "compare.waiting")
    return note(language, done(latest_frame(run) or {"panes": []}) if run.ended else "compare.running")


def done(frame: Mapping[str, Any]) -> str:
    """The key of what is said of answers that are all there: whether they part from the base model's."""
    others = [pane for pane in frame["panes"] if pane["id"] != BASE]
    if not others or any(pane["finish_reason"] == "overflow" for pane in others):
        return "compare.done"
    same = [pane for pane in others if pane["first_divergence"] is None]
    if not same:
        return "compare.done.part"
    cut = any(pane["finish_reason"] == "length" for pane in same)
    if len(same) < len(others):
        return "compare.done.some_so_far" if cut else "compare.done.some"
    return "compare.done.same_so_far" if cut else "compare.done.same"
