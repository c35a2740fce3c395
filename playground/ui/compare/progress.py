"""
Where a comparison stands.
"""

from __future__ import annotations

from playground.actions.work import expected_wait
from playground.ui.kit import html
from playground.ui.kit.events import alarm, note, plain
from playground.work.jobs import Run


def progress(run: Run, language: str) -> str:
    """Where a comparison stands, in one line above the panes."""
    if run.error:
        return alarm(run.error.message(language))
    if run.state == "queued" and run.position:
        return plain(html.queued(language, run.position, expected_wait(run)))
    if run.state == "stopped":
        return note(language, "compare.stopped" if run.events else "compare.stopped_waiting")
    if not run.events:
        return note(language, "compare.waiting")
    return note(language, "compare.done" if run.ended else "compare.running")
