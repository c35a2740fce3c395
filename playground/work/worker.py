"""
A worker of a cluster: a process with bases and a batch engine of its own, which does Work that came as a Parcel and tells
its events to whoever asks. A plain class; the cluster makes an actor of it. Knows nothing about the page.
"""

from __future__ import annotations

import io
import pickle
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import Adapter
from playground.model import libraries
from playground.model.bases import BASES
from playground.model.catalogue import CATALOGUE, typed
from playground.model.memory import STORE
from playground.model.needed import pick_device
from playground.work.jobs import ENDED, Jobs, Run, Size

if TYPE_CHECKING:
    from playground.errors import PlaygroundError
    from playground.model.catalogue import BaseSpec
    from playground.work.places import Kind
    from playground.work.waiting import Length

HEARD = 2.0  # seconds after which who asks is answered, also if nothing is new


@dataclass(frozen=True)
class Parcel:
    """
    Work as it travels: the name of its kind, the job without its adapters, these as (name, where it lies), what the bases
    are, what `Jobs.submit` is told, and from where the work goes on (None: it begins).
    """

    kind: str
    job: bytes
    adapters: tuple[tuple[str, Any], ...]
    specs: tuple[BaseSpec, ...]
    size: Size
    length: Length
    state: Any = None


@dataclass(frozen=True)
class Saved:
    """How far a run is, as its kind says it, and how many events it had told by then."""

    events: int
    state: Any


@dataclass(frozen=True)
class Told:
    """
    How a run is: its state, its place in the queue, the seconds it waits still, the events that are new, and what it has
    saved after so many of these, if that is new.
    """

    state: str
    position: int
    wait: float | None
    error: PlaygroundError | None
    events: tuple[Any, ...]
    saved: Saved | None = None


@dataclass(frozen=True)
class About:
    """What a worker computes with."""

    host: str
    device: str


class _Pickler(pickle.Pickler):
    """Leaves adapters out: they travel once, however many jobs are about them."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.adapters: list[Adapter] = []

    def persistent_id(self, one: Any) -> int | None:
        if not isinstance(one, Adapter):
            return None
        if one not in self.adapters:
            self.adapters.append(one)
        return self.adapters.index(one)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, adapters: Sequence[Adapter]) -> None:
        super().__init__(file)
        self.adapters = adapters

    def persistent_load(self, number: int) -> Adapter:
        return self.adapters[number]


def packed(job: Any) -> tuple[bytes, list[Adapter]]:
    """A job without its adapters, and these."""
    pickler = _Pickler(file := io.BytesIO())
    pickler.dump(job)
    return file.getvalue(), pickler.adapters


def unpacked(job: bytes, adapters: Sequence[Adapter]) -> Any:
    """The job again."""
    return _Unpickler(io.BytesIO(job), adapters).load()


def travelling(adapter: Adapter) -> Adapter:
    """An adapter as it is sent: with its tensors, without what only its owner needs."""
    return replace(adapter, loaded=adapter.tensors, folder=None, checkpoints=())


class _Doing:
    """A run that is here, and what it saved last. Raises PlaygroundError if the queue is full."""

    def __init__(self, jobs: Jobs, kind: Kind, job: Any, parcel: Parcel) -> None:
        self._saved, self._heard = Saved(0, None), 0
        self.goes_on = parcel.state is not None
        start = partial(self._events, kind, job, parcel.state)
        self.run: Run = jobs.submit(kind.lane, start, None, parcel.size, parcel.length)
        self.changes = self.run.changes(HEARD)

    def _events(self, kind: Kind, job: Any, state: Any, stop: Callable[[], bool]) -> Iterator[Any]:
        told = 0

        def save(new: Any) -> None:
            self._saved = Saved(told, new)

        more = {"state": state, "save": save} if kind.saves else {}
        with closing(kind.events(job, stop, **more)) as events:
            for event in events:
                told += event is not None
                yield event

    def told(self, seen: int) -> tuple[Sequence[Any], Saved | None]:
        """The events after so many, and the last save if nobody has heard of it; one that is later than they are waits."""
        events = self.run.events[seen:] if self.run.lane.keeps else self.run.events
        saved = self._saved
        if not self._heard < saved.events <= seen + len(events):
            return events, None
        self._heard = saved.events
        return events, Saved(saved.events - seen, saved.state)


class Worker:
    """Called by many threads; one follows each run. `find` knows the kinds, `fetch` brings what lies elsewhere."""

    def __init__(self, find: Callable[[str], Kind], fetch: Callable[[Any], Any]) -> None:
        libraries.import_all()  # whole, before threads ask for parts of them
        self._find, self._fetch = find, fetch
        self._jobs = Jobs()
        self._runs: dict[str, _Doing] = {}
        self._specs: dict[str, BaseSpec] = {}  # that were typed on the page: known as long as somebody keeps them

    def about(self) -> About:
        return About(socket.gethostname(), pick_device()[1])

    def load(self, base_id: str) -> None:
        """Have a base before anybody asks for it. Raises PlaygroundError."""
        BASES.get(base_id)

    def begin(self, name: str, parcel: Parcel) -> None:
        """Queue a run under a name. Raises PlaygroundError if the queue is full."""
        for spec in parcel.specs:
            if spec.id not in CATALOGUE:
                self._specs.setdefault(spec.id, typed(spec))
        kind = self._find(parcel.kind)
        job = unpacked(parcel.job, [self._adapter(*one) for one in parcel.adapters])
        self._runs[name] = _Doing(self._jobs, kind, job, parcel)

    def told(self, name: str, seen: int) -> Told | None:
        """What is new of a run since so many events, as soon as anything is; None if nobody here knows it."""
        if name not in self._runs:
            return None
        doing = self._runs[name]
        next(doing.changes, None)
        run = doing.run
        state = run.state  # before its events: of one that has ended they are all there
        events, saved = doing.told(seen)
        if state in ENDED:
            self._runs.pop(name, None)
        return Told(state, run.position, self._jobs.expected_wait(run), run.error, tuple(events), saved)

    def stop(self, name: str) -> None:
        """Stop a run, if it is here. One that waits to go on has its turn, in which it gives what it has learned."""
        if doing := self._runs.get(name):
            (Run.stop if doing.goes_on else self._jobs.stop)(doing.run)

    def _adapter(self, name: str, lies: Any) -> Adapter:
        """The same value as long as there is room, so that what was made of it is found again."""
        adapter: Adapter | None = STORE.find(("sent", name))
        if adapter is None:
            adapter = self._fetch(lies)
            STORE.keep(("sent", name), adapter, adapter.size())
        return adapter
