"""
Where work runs. Every place takes runs, stops them, and says what it is: `jobs.Jobs`, the thread beside the page, takes any;
other places take Work alone, which is a value and can travel.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from playground.work.jobs import NOTHING
from playground.work.waiting import ONE

if TYPE_CHECKING:
    from playground.work.jobs import Jobs, Lane, Run, Size, Start
    from playground.work.waiting import Length


@dataclass(frozen=True)
class Kind:
    """
    A sort of work that any place can do, found there by its `id`: the events of a job, until "shall I stop?" says so. What
    `saves` also takes `save`, which it calls with how far it is, now and then between two events, and `state`, one of those
    values (picklable) or None: then the events are those that came after it.
    """

    id: str
    lane: Lane
    events: Callable[..., Generator[Any, None, None]]
    saves: bool = False


def as_it_is(event: Any) -> Any:
    return event


@dataclass(frozen=True)
class Work:
    """
    A job that any place can do: its kind, the job itself (frozen, picklable), and the ids of the bases that it needs. What
    becomes of each event for the session (`receive`; None: nothing to tell) is done beside the page, wherever it ran.
    """

    kind: Kind
    job: Any
    bases: tuple[str, ...] = ()
    receive: Callable[[Any], Any] = as_it_is

    def __call__(self, stop: Callable[[], bool]) -> Iterator[Any]:
        """Done here: a `jobs.Start` like any other."""
        with closing(self.kind.events(self.job, stop)) as events:
            for event in events:
                yield None if event is None else self.receive(event)


@dataclass(frozen=True)
class Where:
    """What a place says of itself: the name of its words (`where.<name>`; why: `where.<name>.why`), and their values."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)


HERE = Where("thread")


class Place(Protocol):
    """Where runs go. Their events come in order, and `submit` raises PlaygroundError where the queue is full."""

    def submit(self, lane: Lane, start: Start, job: Any = None, size: Size = NOTHING, length: Length = ONE) -> Run: ...

    def stop(self, run: Run) -> None: ...

    def expected_wait(self, run: Run) -> float | None: ...

    def busy(self, lane: Lane) -> int: ...


class Away(Place, Protocol):
    """A place that takes Work alone, and says what it is."""

    def where(self) -> Where: ...


class Places:
    """All places as one: Work goes `away`, where there is such a place; all else is done here."""

    def __init__(self, here: Jobs, away: Away | None = None) -> None:
        self.here, self.away = here, away
        self._sent: WeakSet[Run] = WeakSet()

    def submit(self, lane: Lane, start: Start, job: Any = None, size: Size = NOTHING, length: Length = ONE) -> Run:
        if self.away is None or not isinstance(start, Work):
            return self.here.submit(lane, start, job, size, length)
        run = self.away.submit(lane, start, job, size, length)
        self._sent.add(run)
        return run

    def stop(self, run: Run) -> None:
        self._of(run).stop(run)

    def expected_wait(self, run: Run) -> float | None:
        return self._of(run).expected_wait(run)

    def expected_end(self, run: Run) -> float | None:
        """Seconds until it ends, where it is done here and others go on beside it."""
        return None if self._of(run) is self.away else self.here.expected_end(run)

    def busy(self, lane: Lane) -> int:
        return self.here.busy(lane) + (self.away.busy(lane) if self.away else 0)

    def where(self) -> Where:
        return self.away.where() if self.away else HERE

    def _of(self, run: Run) -> Place:
        return self.away if self.away and run in self._sent else self.here
