"""
Where jobs run: one worker thread beside the page, a queue, stopping, and finding a job again.

A job is a generator. The worker gives each lane its turn, in which the oldest jobs of that lane advance by an event each, so
a short one does not wait for a whole long one, and jobs never run at the same time. Whoever follows a run only watches:
nobody has to. Knows nothing about what jobs and lanes are for.
"""

from __future__ import annotations

import gc
import logging
import math
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playground import settings
from playground.errors import PlaygroundError, unexpected
from playground.model.memory import give_back
from playground.work.waiting import ONE, Length, Pace, Spent, begins_in, ends_in

FRAMES = 60  # a second: what writing, sending and drawing them leaves of two cores is for the work itself
READERS: set[object] = set()  # who follow a run now
ENDED = ("finished", "stopped", "failed")
Start = Callable[[Callable[[], bool]], Iterator[Any]]  # takes "shall I stop?", gives the events
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """The bytes that a job holds while it goes on: its `own`, and those that it shares with others, by what they are."""

    own: float = 0
    shared: Mapping[str, float] = field(default_factory=dict)


NOTHING = Size()


def together(sizes: Iterable[Size]) -> float:
    """The bytes that jobs hold together."""
    sizes = list(sizes)
    shared = {name: held for size in sizes for name, held in size.shared.items()}
    return sum(size.own for size in sizes) + sum(shared.values())


@dataclass(frozen=True)
class Lane:
    """
    A queue of jobs of one sort. `share` is its part of the worker's time while several lanes have work. What may run
    `long` is not pushed out by a newer job of its place: the newer one is refused. What `keeps` a result is asked to stop
    and ends by itself, and all its events stay; of any other only the latest event stays, and it is closed.

    Up to `width` jobs (or as many as it says then) go on together, as long as what they hold is within `room` bytes; `step`,
    if there is one, ends each turn with what they do in common. It is told the seconds that the longest part of one took.
    """

    id: str
    share: float = 1.0
    long: bool = False
    keeps: bool = False
    width: int | Callable[[], int] = 1
    room: float = math.inf
    step: Callable[[float], None] | None = None

    def takes(self, runs: Sequence[Run]) -> bool:
        """Whether these can go on together; one always can."""
        if len(runs) <= 1:
            return True
        width = self.width if isinstance(self.width, int) else self.width()
        return len(runs) <= width and together(one.size for one in runs) <= self.room


class Run:
    """One job on its way: its state, its events so far, its error."""

    def __init__(self, lane: Lane, start: Start, job: Any = None, size: Size = NOTHING, length: Length = ONE) -> None:
        self.id = uuid.uuid4().hex
        self.lane, self.size = lane, size
        self.length, self.spent = length, Spent()  # how much work it is beside others of its lane; what it has taken
        self.job = job  # what was asked for, for whoever shows the run
        self.state = "queued"  # then "running", then one of ENDED
        self.events: list[Any] = []
        self.error: PlaygroundError | None = None
        self.position = 0  # place in the queue, from 1; 0 once it runs
        self.replaced = False  # by a newer run of its place: whoever shows this one may look away
        self.again = 0  # times that it has begun again
        self.kept = 0  # events after which it went on, the last time
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
        self._update()  # so that whoever shows it can say that it was heard

    @property
    def stopping(self) -> bool:
        """It was asked to end, and has not yet."""
        return self._stop.is_set() and not self.ended

    def begin_again(self, kept: int = 0) -> None:
        """It waits once more: where it ran was lost, and its events come again but for the first ones, which are `kept`."""
        self._update(state="queued", position=1, events=self.events[:kept], kept=kept, again=self.again + 1)

    def changes(self, seconds: float = 5.0) -> Iterator[None]:
        """
        Yields now and whenever something has changed, until the run has ended; slow readers skip what is past, and where
        many read, all of them together are told FRAMES a second. Yields every few seconds in any case, so that a reader who
        has gone can be let go.
        """
        seen, reader = -1, object()
        READERS.add(reader)
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._version != seen, timeout=seconds)  # noqa: B023
                    seen, ended = self._version, self.ended
                yield
                if ended:
                    return
                with self._changed:
                    self._changed.wait_for(lambda: self.ended, timeout=len(READERS) / FRAMES)
        finally:
            READERS.discard(reader)

    def _update(self, **values: Any) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(self, name, value)
            if self.ended:  # what it worked on may go
                self._start = self._iterator = None
            self._version += 1
            self._changed.notify_all()

    def _advance(self, clock: Callable[[], float]) -> float:
        """Run the job up to its next event; whatever it raises becomes the run's error. Returns the seconds that took."""
        began = clock()
        event = self._next()
        took = clock() - began
        self.spent.add(took, event)
        return took

    def _next(self) -> Any:
        """Its next event, if there is one."""
        try:
            if self._iterator is None:
                assert self._start is not None
                self._iterator = self._start(self._stop.is_set)
            if self._stop.is_set() and not self.lane.keeps:
                self._iterator.close()  # type: ignore[attr-defined]
                self._update(state="stopped")
                return None
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
            return event
        return None


class Jobs:
    """The worker and its lanes. Submitting starts the worker; it sleeps while there is nothing to do."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock  # seconds
        self._lanes: defaultdict[Lane, list[Run]] = defaultdict(list)
        self._spent: defaultdict[Lane, float] = defaultdict(float)
        self._paces: defaultdict[Lane, Pace] = defaultdict(Pace)
        self._work = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, lane: Lane, start: Start, job: Any = None, size: Size = NOTHING, length: Length = ONE) -> Run:
        """Queue a job of a `size`, and a `length` beside others of its lane. Raises PlaygroundError if the queue is full."""
        run = Run(lane, start, job, size, length)
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

    def expected_wait(self, run: Run) -> float | None:
        """Seconds until a waiting run begins; None where nothing tells."""
        with self._work:
            runs = list(self._lanes[run.lane])
            if run.state != "queued" or run not in runs:
                return None
            going = [one for one in runs if one.state == "running"]
            ahead = [one for one in runs[: runs.index(run)] if one.state == "queued"]
            pace = self._paces[run.lane]
            return begins_in(run, ahead, going, pace, run.lane.takes) if going else None

    def expected_end(self, run: Run) -> float | None:
        """Seconds until a run that goes on ends, in its company; None where nothing tells."""
        with self._work:
            runs = self._lanes[run.lane]
            going, waiting = ([one for one in runs if one.state == state] for state in ("running", "queued"))
            return ends_in(run, going, waiting, self._paces[run.lane], run.lane.takes) if run in going else None

    def busy(self, lane: Lane) -> int:
        """How many runs of a lane go on or wait."""
        with self._work:
            return len(self._lanes[lane])

    def _number(self, lane: Lane) -> None:
        going = self._going(lane)
        waiting = [run for run in self._lanes[lane] if run not in going]
        for place, run in enumerate(waiting, start=1):
            if run.position != place:
                run._update(position=place)

    def _going(self, lane: Lane) -> list[Run]:
        """The runs whose turn it is: the oldest, as many as the lane takes together, at least one."""
        going: list[Run] = []
        for run in self._lanes[lane]:
            if not lane.takes([*going, run]):
                break
            going.append(run)
        return going

    def _begin(self, lane: Lane) -> list[Run]:
        """The same; those that have waited run from now on."""
        going = self._going(lane)
        for run in going:
            if run.state == "queued":  # under the lock: from here on `stop` asks instead of removing
                run._update(state="running", position=0)
        return going

    def _loop(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: any(self._lanes.values()))
                lane = min((one for one, runs in self._lanes.items() if runs), key=self._spent.__getitem__)
                going = self._begin(lane)
            begin = self._clock()
            longest = max(run._advance(self._clock) for run in going)
            if lane.step:
                self._step_together(lane.step, longest, going)
            ended = [run for run in going if run.ended]
            with self._work:
                now, pace = self._clock(), self._paces[lane]
                self._spent[lane] += (now - begin) / lane.share
                pace.turn(begin, now, len(going))
                for run in ended:
                    self._lanes[lane].remove(run)
                    pace.end(run, idle=not self._lanes[lane])
                self._number(lane)
            if ended:
                if lane.long:
                    gc.collect()  # gradients and their functions hold each other in circles
                give_back()

    def _step_together(self, step: Callable[[float], None], longest: float, going: Sequence[Run]) -> None:
        """What a lane's runs do in common; if it raises, all of them have failed, and the worker goes on."""
        begin = self._clock()
        try:
            step(longest)
        except Exception as error:
            log.exception("what jobs do in common failed")
            for run in going:
                if not run.ended:
                    run._update(state="failed", error=unexpected(error))
        for run in going:
            run.spent.seconds += (self._clock() - begin) / len(going)
