"""
Whose work is whose: one session a visitor, with its adapters and the latest run of each place on the page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt.library import Library, check_room
from playground.errors import PlaygroundError
from playground.work.jobs import NOTHING, Jobs
from playground.work.places import Places
from playground.work.waiting import ONE

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.model.catalogue import BaseSpec
    from playground.work.jobs import Lane, Run, Size, Start
    from playground.work.places import Place as Somewhere
    from playground.work.waiting import Length

Place = Hashable  # where a run is shown: a name, or the lane itself where it has one place only
Work = tuple["Start", Any, "Size", "Length"]  # what to do, the job that it is, what that holds, how long it is


class Session:
    """What one visitor has: adapters, the latest run of each place, forms. Lives as long as somebody comes back to it."""

    def __init__(self) -> None:
        self.library = Library()
        self.runs: dict[Place, Run] = {}
        self.forms: dict[str, Any] = {}  # as they were filled in last, by what they ask for
        self.bases: dict[str, BaseSpec] = {}  # that it has typed: they are found as long as somebody keeps them
        self.past: list[Any] = []  # what its trainings came to, the oldest first
        self.seen = time.monotonic()

    def places(self, place: Place) -> list[tuple[Place, int]]:
        """Those of the runs that are shown together at a place, in their order: (place, number)."""
        return sorted((one for one in list(self.runs) if isinstance(one, tuple) and one[0] == place), key=lambda one: one[1])

    def together(self, place: Place) -> list[Run]:
        """The runs that are shown together at a place, in their order."""
        return [self.runs[one] for one in self.places(place)]

    @property
    def busy(self) -> bool:
        return any(not run.ended for run in list(self.runs.values()))


class Sessions:
    """Sessions by their secret key. Idle ones go after a while, the longest idle first when there are too many."""

    def __init__(self, jobs: Somewhere) -> None:
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
            self._tidy(key, now)
            return session

    def _tidy(self, key: str, now: float) -> None:
        """Drop idle sessions that are old or too many; empty ones first, then the longest idle."""
        idle = self._idle(key)
        for place, name in enumerate(idle):
            if len(idle) - place >= settings.MAX_SESSIONS or now - self._sessions[name].seen > settings.SESSION_IDLE_SECONDS:
                self._drop(name)

    def _idle(self, key: str) -> list[str]:
        """The keys of the other sessions in which nothing runs; those without adapters first, then the longest idle."""
        idle = [name for name, one in self._sessions.items() if name != key and not one.busy]
        return sorted(idle, key=lambda name: bool(self._sessions[name].library.own()))

    def _drop(self, key: str) -> None:
        self._sessions.pop(key).library.clear()

    def add(self, key: str, adapter: Adapter) -> list[Adapter]:
        """
        Keep an adapter for a session; idle sessions give way where all together hold too much. Returns the session's own
        adapters that gave way.
        """
        self._make_room(key, adapter.size())
        return self.get(key).library.add(adapter)

    def check_room(self, key: str, needed: int) -> None:
        """Raises PlaygroundError if an adapter of `needed` bytes cannot be held, even when idle sessions have gone."""
        check_room(needed)
        held = self._make_room(key, needed)
        if held + needed > settings.MAX_ALL_SESSIONS_BYTES:
            raise PlaygroundError("adapters_full", held=round(held / 1e9, 1), needed=round(needed / 1e6))

    def _make_room(self, key: str, needed: int) -> int:
        """Drop idle sessions until `needed` bytes more can be held, or none is left. Returns what the others hold."""
        with self._lock:
            sizes = {name: one.library.size() for name, one in self._sessions.items() if name != key}
            for name in self._idle(key):
                if sum(sizes.values()) + needed > settings.MAX_ALL_SESSIONS_BYTES and sizes[name]:
                    del sizes[name]
                    self._drop(name)
            return sum(sizes.values())

    def submit(
        self,
        key: str,
        lane: Lane,
        start: Start,
        job: Any = None,
        place: Place | None = None,
        size: Size = NOTHING,
        length: Length = ONE,
    ) -> Run:
        """
        Queue a job for a session. It stops the session's previous one of that place (where it is shown; the lane unless
        said otherwise); one that may run long is refused instead (PlaygroundError) while the previous one runs, as is one
        too many of a session.
        """
        place = place or lane
        with self._lock:
            session = self.get(key)
            if lane.long:
                self._check_free(session, place)
            previous = session.runs.get(place)
            running = previous if previous and not previous.ended else None
            others = sum(not run.ended for run in session.runs.values() if run is not running)
            if others >= settings.MAX_SESSION_JOBS:
                raise PlaygroundError("too_many_jobs", running=others)
            new = self.jobs.submit(lane, start, job, size, length)  # may be refused: then the previous one goes on
            session.runs[place] = new
            if running:
                running.replaced = True
                self.jobs.stop(running)
            return new

    def submit_together(self, key: str, lane: Lane, works: Sequence[Work]) -> list[Run]:
        """
        Queue several jobs of a session that are shown together: all of them or none. The former ones make way. Raises
        PlaygroundError as `submit`, also while a single run of the lane's place goes on.
        """
        with self._lock:
            session = self.get(key)
            self._check_free(session, lane)
            former: dict[Place, Run] = {place: session.runs.pop(place) for place in session.places(lane)}
            begun: list[Run] = []
            try:
                for number, (start, job, size, length) in enumerate(works):
                    begun.append(self.submit(key, lane, start, job, (lane, number), size, length))
            except PlaygroundError:
                for number, run in enumerate(begun):
                    self.jobs.stop(run)
                    del session.runs[lane, number]
                session.runs.update(former)
                raise
            return begun

    def _check_free(self, session: Session, place: Place) -> None:
        """Raises PlaygroundError while anything goes on at a place, alone or together with others."""
        here = [session.runs.get(place), *session.together(place)]
        if any(run and not run.ended for run in here):
            raise PlaygroundError("already_training")

    def stop(self, key: str, place: Place) -> None:
        """Stop the session's run of a place, if there is one."""
        run = self.get(key).runs.get(place)
        if run and not run.ended:
            self.jobs.stop(run)

    def stop_together(self, key: str, place: Place) -> None:
        """Stop those of the session's runs that are shown together at a place."""
        for run in self.get(key).together(place):
            self.jobs.stop(run)

    def stop_all(self, key: str) -> int:
        """Stop every run of the session; how many ran or waited."""
        running = [run for run in list(self.get(key).runs.values()) if not run.ended]
        for run in running:
            self.jobs.stop(run)
        return len(running)


JOBS = Jobs()
PLACES = Places(JOBS)
SESSIONS = Sessions(PLACES)
