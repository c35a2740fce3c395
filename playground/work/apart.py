"""
What places have in common whose runs are done in another process: a thread here for each, which mostly waits, and tells the
run what came.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.errors import PlaygroundError, unexpected
from playground.work.jobs import NOTHING, Run
from playground.work.places import Work
from playground.work.waiting import ONE

if TYPE_CHECKING:
    from playground.work.jobs import Lane, Size, Start
    from playground.work.places import Where
    from playground.work.waiting import Length

log = logging.getLogger(__name__)


class Apart(ABC):
    """A `places.Away`: it says where a run goes and follows it there (`_do`)."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._waits: dict[Run, float | None] = {}  # seconds; of all runs that have not ended

    @abstractmethod
    def where(self) -> Where: ...

    @abstractmethod
    def _do(self, run: Run, work: Work) -> None:
        """A run from its beginning to its end. Raises what it raises."""

    def submit(self, lane: Lane, start: Start, job: Any = None, size: Size = NOTHING, length: Length = ONE) -> Run:
        assert isinstance(start, Work)
        run = Run(lane, start, job, size, length)
        run.position = 1
        with self._change:
            waiting = sum(one.lane is lane for one in self._waits)
            if waiting >= settings.MAX_QUEUE:
                raise PlaygroundError("queue_full", waiting=waiting)
            self._waits[run] = None
        request = copy_context()  # a place may ask whose request this is
        threading.Thread(target=request.run, args=(self._done, run, start), name=f"run {run.id}", daemon=True).start()
        return run

    def stop(self, run: Run) -> None:
        run.stop()

    def expected_wait(self, run: Run) -> float | None:
        with self._change:
            return self._waits.get(run) if run.state == "queued" else None

    def busy(self, lane: Lane) -> int:
        with self._change:
            return sum(run.lane is lane for run in self._waits)

    def _done(self, run: Run, work: Work) -> None:
        try:
            self._do(run, work)
        except Exception as error:
            if not isinstance(error, PlaygroundError):
                log.exception("job %s failed", run.id)
            run._update(state="failed", error=unexpected(error))
        finally:
            with self._change:
                self._waits.pop(run, None)


def tell(run: Run, work: Work, events: Iterable[Any], **values: Any) -> None:
    """Give a run the events that came, as the session keeps them, and other values with them."""
    came = [work.receive(one) for one in events if one is not None]
    came = [one for one in came if one is not None]
    run._update(events=[*run.events, *came] if run.lane.keeps else came[-1:] or run.events, **values)
