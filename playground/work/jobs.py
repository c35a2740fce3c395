"""
Where jobs run: one worker thread beside the page, a queue, stopping, and finding a job again.

A job is a generator. The worker advances the oldest job of each lane in turns, so a short one does not wait for a whole
long one, and jobs never run at the same time. Whoever follows a run only watches: nobody has to. Knows nothing about what
jobs and lanes are for.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from playground import settings
from playground.errors import PlaygroundError, unexpected
from playground.model.memory import give_back

ENDED = ("finished", "stopped", "failed")
Start = Callable[[Callable[[], bool]], Iterator[Any]]  # takes "shall I stop?", gives the events
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lane:
    """
    A queue of jobs of one sort. `share` is its part of the worker's time while several lanes have work. What may run
    `long` is not pushed out by a newer job of its place: the newer one is refused. What `keeps` a result is asked to stop
    and ends by itself, and all its events stay; of any other only the latest event stays, and it is closed.
    """

    id: str
    share: float = 1.0
    long: bool = False
    keeps: bool = False


class Run:
    """One job on its way: its state, its events so far, its error."""

    def __init__(self, lane: Lane, start: Start, job: Any = None) -> None:
        self.id = uuid.uuid4().hex
        self.lane = lane
        self.job = job  # what was asked for, for whoever shows the run
        self.state = "queued"  # then "running", then one of ENDED
        self.events: list[Any] = []
        self.error: PlaygroundError | None = None
        self.position = 0  # place in the queue, from 1; 0 once it runs
        self.replaced = False  # by a newer run of its place: whoever shows this one may look away
        self._stop = threading.Event()
        self._start: Start | None = start
        self._iterator: Iterator[Any] | None = None
        self._changed = threading.Condition()
        self._version = 0

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def stop(self) -> None:
        """Ask the job to end; a training keeps what it has learned. Takes effect at its next event."""
        self._stop.set()

    def changes(self, seconds: float = 5.0) -> Iterator[None]:
        """
        Yields now and whenever something has changed, until the run has ended; slow readers skip what is past. Yields
        every few seconds in any case, so that a reader who has gone can be let go.
        """
        seen = -1
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._version != seen, timeout=seconds)  # noqa: B023
                seen, ended = self._version, self.ended
            yield
            if ended:
                return

    def _update(self, **values: Any) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(self, name, value)
            if self.ended:  # what it worked on may go
                self._start = self._iterator = None
            self._version += 1
            self._changed.notify_all()

    def _advance(self) -> None:
        """Run the job up to its next event; whatever it raises becomes the run's error."""
        try:
            if self._iterator is None:
                assert self._start is not None
                self._iterator = self._start(self._stop.is_set)
            if self._stop.is_set() and not self.lane.keeps:
                self._iterator.close()  # type: ignore[attr-defined]
                self._update(state="stopped")
                return
            event = next(self._iterator)
        except StopIteration:
            self._update(state="stopped" if self._stop.is_set() else "finished")
        except Exception as error:
            if not isinstance(error, PlaygroundError):
                log.exception("job %s failed", self.id)
            self._update(state="failed", error=unexpected(error))
        else:
            if event is not None or not self.lane.keeps:  # None: a pause, in which others have their turn
                self._update(events=[*self.events, event] if self.lane.keeps else [event])


class Jobs:
    """The worker and its lanes. Submitting starts the worker; it sleeps while there is nothing to do."""

    def __init__(self) -> None:
        self._lanes: defaultdict[Lane, list[Run]] = defaultdict(list)
        self._spent: defaultdict[Lane, float] = defaultdict(float)
        self._work = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, lane: Lane, start: Start, job: Any = None) -> Run:
        """Queue a job. Raises PlaygroundError if the queue is full."""
        run = Run(lane, start, job)
        with self._work:
            waiting = self._lanes[lane]
            if len(waiting) >= settings.MAX_QUEUE:
                raise PlaygroundError("queue_full", waiting=len(waiting))
            if not waiting:  # an idle lane has no claim on the time that it did not use
                others = [self._spent[one] for one, runs in self._lanes.items() if runs]
                self._spent[lane] = min(others, default=0.0)
            waiting.append(run)
            self._number(lane)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="jobs", daemon=True)
                self._thread.start()
            self._work.notify()
        return run

    def stop(self, run: Run) -> None:
        """Stop a run; one that still waits leaves the queue at once."""
        run.stop()
        with self._work:
            if run.state == "queued" and run in self._lanes[run.lane]:
                self._lanes[run.lane].remove(run)
                run._update(state="stopped")
                self._number(run.lane)

    def _number(self, lane: Lane) -> None:
        for place, run in enumerate(self._lanes[lane]):
            if run.state == "queued" and run.position != place:
                run._update(position=place)

    def _loop(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: any(self._lanes.values()))
                lane = min((one for one, runs in self._lanes.items() if runs), key=self._spent.__getitem__)
                run = self._lanes[lane][0]
                if run.state == "queued":  # under the lock: from here on `stop` asks instead of removing
                    run._update(state="running", position=0)
            begin = time.perf_counter()
            run._advance()
            with self._work:
                self._spent[lane] += (time.perf_counter() - begin) / lane.share
                if run.ended:
                    self._lanes[lane].remove(run)
                    self._number(lane)
            if run.ended:
                if lane.long:
                    gc.collect()  # gradients and their functions hold each other in circles
                give_back()
