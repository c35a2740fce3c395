"""
Where a comparison stands.
"""

from __future__ import annotations

from playground.locales import number
from playground.ui.kit.events import alarm, note
from playground.work.jobs import Run


def progress(run: Run, language: str) -> str:
    """Where a comparison stands, in one line above the panes."""
    if run.error:
        return alarm(run.error.message(language))
    if run.state == "queued" and run.position:
        return note(language, "compare.queued", position=number(language, run.position))
    if run.state == "stopped":
        return note(language, "compare.stopped" if run.events else "compare.stopped_waiting")
    if not run.events:
        return note(language, "compare.waiting")
    return note(language, "compare.done" if run.ended else "compare.running")
