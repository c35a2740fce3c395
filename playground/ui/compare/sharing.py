"""
The link to a question: what it carries, and what of it nobody else has.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground import locales
from playground.compare.many import TIMES
from playground.ui.compare.asked import Asked
from playground.ui.compare.panes import file_title
from playground.ui.kit import links
from playground.ui.kit.events import note, plain
from playground.ui.kit.visit import Visit
from playground.work.sessions import SESSIONS


def own_titles(visit: Visit, panes: Sequence[str]) -> dict[str, str]:
    """Those of the panes that are adapters of this session alone, with what they are called outside of it."""
    library = SESSIONS.get(visit.key).library
    found = [library.get(pane).summary() for pane in panes if library.knows(pane)]
    return {one["id"]: file_title(one, visit.language) for one in found if one["own"]}


def query(asked: Asked, answers: str) -> str:
    """The query of a link to a question; `answers`: those to keep under it (`Seen.source`)."""
    own = own_titles(asked, asked.panes)
    named = {"base": asked.base, "prompt": asked.prompt, "panes": list(asked.panes), "own": own, "answers": answers}
    return f"lang={asked.language}&{links.write({**named, TIMES.name: asked.times, **asked.decoding})}"


def copied(visit: Visit, panes: Sequence[str]) -> str:
    """That the link is copied, and what its reader needs besides."""
    own = list(own_titles(visit, panes).values())
    if not own:
        return note(visit.language, "compare.copied")
    titles = locales.listed(visit.language, own)
    return plain(locales.counted(visit.language, "compare.copied_own", len(own), titles=titles))
