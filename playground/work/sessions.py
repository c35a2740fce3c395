"""
Whose work is whose: one session a visitor, with its adapters and the latest run of each place on the page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt.library import Library
from playground.errors import PlaygroundError
from playground.work.jobs import TRAIN, Jobs

if TYPE_CHECKING:
    from playground.work.jobs import Run, Start


class Session:
    """What one visitor has: adapters, and the latest run of each place. Lives as long as somebody comes back to it."""

    def __init__(self) -> None:
        self.library = Library()
        self.runs: dict[str, Run] = {}
        self.seen = time.monotonic()

    @property
    def busy(self) -> bool:
        return any(not run.ended for run in list(self.runs.values()))


class Sessions:
    """Sessions by their secret key. Idle ones go after a while, the longest idle first when there are too many."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: str) -> Session:
        """The session of a key, a new one if there is none. Without a key (a page still opening) one that nobody shares."""
        if not key:
            return Session()
        with self._lock:
            now = time.monotonic()
            session = self._sessions.setdefault(key, Session())
            session.seen = now
            self._sessions.move_to_end(key)
            self._make_room(key, now)
            return session

    def _make_room(self, key: str, now: float) -> None:
        """Drop idle sessions that are old, or too many, or hold too much together; empty ones first, then the oldest."""
        idle = [name for name, one in self._sessions.items() if name != key and not one.busy]
        idle.sort(key=lambda name: bool(self._sessions[name].library.own()))
        held = sum(one.library.size() for one in self._sessions.values())
        for place, name in enumerate(idle):
            one = self._sessions[name]
            too_many = len(idle) - place >= settings.MAX_SESSIONS
            too_much = held > settings.MAX_ALL_SESSIONS_BYTES and one.library.size() > 0
            if too_many or too_much or now - one.seen > settings.SESSION_IDLE_SECONDS:
                held -= one.library.size()
                del self._sessions[name]

    def submit(self, key: str, lane: str, start: Start, job: Any = None, place: str = "") -> Run:
        """
        Queue a job for a session. It stops the session's previous one of that place (where it is shown; the lane unless
        said otherwise); a second training is refused (PlaygroundError) while the first one runs.
        """
        place = place or lane
        with self._lock:
            session = self.get(key)
            previous = session.runs.get(place)
            running = previous if previous and not previous.ended else None
            if running and lane == TRAIN:
                raise PlaygroundError("already_training")
            session.runs[place] = self.jobs.submit(lane, start, job)  # may be refused: then the previous one goes on
            if running:
                running.replaced = True
                self.jobs.stop(running)
            return session.runs[place]

    def stop(self, key: str, place: str) -> None:
        """Stop the session's run of a place, if there is one."""
        run = self.get(key).runs.get(place)
        if run and not run.ended:
            self.jobs.stop(run)


JOBS = Jobs()
SESSIONS = Sessions(JOBS)
