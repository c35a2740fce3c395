"""
A Ray cluster as a place: an actor a GPU, or a few cores where there is none. Work goes to the worker that has its base and
its adapters already, unless others have less to do by more than loading is worth. Each worker is a `worker.Worker`, so
turns and fairness there are those of the thread. One that dies is started again by Ray, and what it did begins again, from
what it has saved last.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from playground import settings
from playground.errors import PlaygroundError
from playground.model.catalogue import split_id
from playground.work.apart import Apart, tell
from playground.work.jobs import Run
from playground.work.places import Where
from playground.work.worker import Parcel, Saved, Worker, packed, travelling

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.work.jobs import Run
    from playground.work.places import Kind, Work
    from playground.work.worker import About, Told

LOADING = 2  # jobs that somebody rather waits for than for a base that is loaded elsewhere
AGAIN = 3  # times that a run begins again: whatever kills its worker every time is perhaps the run
BACK = 120.0  # seconds until a worker that died is given up for those who wait
LOOK = 0.2  # seconds from one look whether it is there again to the next
NOTHING = Saved(0, None)
CALLS = settings.MAX_QUEUE + 8  # at once, of one worker: who follows runs, and who stops them
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Seat:
    """A worker as it is seen from here: what it was given to hold, what it has to do, whether it is there."""

    number: int
    actor: Any
    about: About | None = None
    runs: int = 0
    bases: set[str] = field(default_factory=set)
    adapters: set[str] = field(default_factory=set)

    @property
    def alive(self) -> bool:
        return self.about is not None

    def cost(self, bases: Sequence[str], adapters: Sequence[str]) -> tuple[float, ...]:
        """The least goes first: what there is to do before, with loading; then what would have to be sent."""
        cold = LOADING if not self.bases.issuperset(bases) else 0
        return self.runs + cold, self.runs, len(set(adapters) - self.adapters), self.number


class LostError(Exception):
    """A worker has died, or knows nothing of a run that it was given."""


class Cluster(Apart):
    """
    The workers of a cluster. `find` knows the kinds of work, by name. `address` as Ray has it: "auto", "ray://host:10001".
    Raises PlaygroundError where Ray is not installed or the cluster is not there.
    """

    def __init__(self, address: str, find: Callable[[str], Kind], cores: int = settings.RAY_CORES, warm: str = "") -> None:
        super().__init__()
        self._ray, (count, share) = _connected(address, cores)
        actor = self._ray.remote(Worker).options(max_restarts=-1, max_task_retries=0, max_concurrency=CALLS, **share)
        self._seats = [Seat(number, actor.remote(find, self._ray.get)) for number in range(1, count + 1)]
        self._warm = warm  # the id of a base that every worker has from the start
        self._sent: WeakKeyDictionary[Adapter, tuple[str, Any]] = WeakKeyDictionary()
        self._at: dict[Run, tuple[Seat, str]] = {}  # where a run is, and its name there
        self._saved: dict[Run, Saved] = {}  # with the events that the run has told here
        for seat in self._seats:
            self._greet(seat)

    def stop(self, run: Run) -> None:
        run.stop()
        with self._change:
            seat, name = self._at.get(run, (None, ""))
            self._change.notify_all()
        if seat:
            seat.actor.stop.remote(name)

    def where(self) -> Where:
        with self._change:
            there = [seat.about for seat in self._seats if seat.about]
        devices = ", ".join(dict.fromkeys(one.device for one in there)) or "–"
        return Where("ray", {"count": len(there), "whole": len(self._seats), "devices": devices})

    def _do(self, run: Run, work: Work) -> None:
        job, adapters = packed(work.job)
        lie = tuple(map(self._lying, adapters))
        specs = tuple(dict.fromkeys(split_id(one)[0] for one in work.bases))
        parcel = Parcel(work.kind.id, job, lie, specs, run.size, run.length)
        try:
            while not self._at_a_worker(run, work, parcel):
                if run.again == AGAIN:
                    raise PlaygroundError("worker_lost", count=AGAIN + 1)
                saved = self._saved.get(run, NOTHING)
                parcel = replace(parcel, state=saved.state)
                run.begin_again(saved.events)
        finally:
            self._saved.pop(run, None)

    def _at_a_worker(self, run: Run, work: Work, parcel: Parcel) -> bool:
        """Whether a run has come to its end at a worker; False where that died first. Raises what the run raises."""
        name = f"{run.id}-{run.again}"
        with self._seated(run, name, work.bases, [one for one, _ in parcel.adapters]) as seat:
            if seat is None:
                run._update(state="stopped")
                return True
            try:
                self._call(seat.actor.begin, name, parcel)
                if run.stopping:
                    seat.actor.stop.remote(name)
                self._follow(seat, run, work, name)
            except LostError as error:
                log.warning("worker %d was lost: %s", seat.number, error)
                self._lost(seat)
                return run.ended
            except BaseException:
                seat.actor.stop.remote(name)
                raise
        return True

    def _follow(self, seat: Seat, run: Run, work: Work, name: str) -> None:
        """Tell a run what its worker tells, until it has ended."""
        seen = 0
        while not run.ended:
            told: Told | None = self._call(seat.actor.told, name, seen)
            if told is None:
                raise LostError("it knows nothing of the run")
            seen += len(told.events)
            with self._change:
                self._waits[run] = told.wait
            events = told.events
            if told.saved:
                before, events = events[: told.saved.events], events[told.saved.events :]
                tell(run, work, before)
                self._saved[run] = Saved(len(run.events), told.saved.state)
            tell(run, work, events, state=told.state, position=told.position, error=told.error)

    def _call(self, method: Any, *given: Any) -> Any:
        """What a worker answers. Raises what it raises, and LostError where it is not there."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(method.remote(*given))
        except errors.RayTaskError as error:
            raise (error.cause or error) from None
        except errors.RayError as error:
            raise LostError(str(error).partition("\n")[0]) from None

    def _lying(self, adapter: Adapter) -> tuple[str, Any]:
        """Where an adapter lies for all workers; as long as somebody here has it."""
        with self._change:
            if adapter not in self._sent:
                self._sent[adapter] = uuid.uuid4().hex, self._ray.put(travelling(adapter))
            return self._sent[adapter]

    @contextmanager
    def _seated(self, run: Run, name: str, bases: Sequence[str], adapters: Sequence[str]) -> Iterator[Seat | None]:
        """
        A run at the worker that suits it best, once there is one; None if it was stopped before, unless it has saved what it
        would then give. Raises PlaygroundError if none comes back.
        """

        def leaves() -> bool:
            return run.stopping and run not in self._saved

        with self._change:
            if not self._change.wait_for(lambda: leaves() or any(one.alive for one in self._seats), BACK):
                raise PlaygroundError("no_worker", workers=len(self._seats), seconds=round(BACK))
            alive = [] if leaves() else [one for one in self._seats if one.alive]
            seat = min(alive, key=lambda one: one.cost(bases, adapters), default=None)
            if seat:
                seat.bases.update(bases)
                seat.adapters.update(adapters)
                seat.runs += 1
                self._at[run] = seat, name
        try:
            yield seat
        finally:
            with self._change:
                if self._at.pop(run, None) and seat:
                    seat.runs -= 1

    def _lost(self, seat: Seat) -> None:
        """Nobody goes to this worker until it answers again."""
        with self._change:
            if not seat.alive:
                return
            seat.about = None
            seat.bases.clear()
            seat.adapters.clear()
        self._greet(seat)

    def _greet(self, seat: Seat) -> None:
        """Wait beside everything else until a worker answers, and have it load what all of them have."""

        def greet() -> None:
            while True:
                try:
                    about = self._call(seat.actor.about)
                    break
                except LostError:
                    time.sleep(LOOK)
            with self._change:
                seat.about = about
                seat.bases.update(filter(None, [self._warm]))
                self._change.notify_all()
            if self._warm:
                seat.actor.load.remote(self._warm)

        threading.Thread(target=greet, name=f"worker {seat.number}", daemon=True).start()


def _connected(address: str, cores: int) -> tuple[Any, tuple[int, dict[str, int]]]:
    """Ray, in touch with a cluster; how many workers it has room for, and what one takes. Raises PlaygroundError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = import_module("ray")
    except ImportError:
        raise PlaygroundError("no_ray") from None
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False)
        except (ConnectionError, OSError, RuntimeError, ValueError, TimeoutError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise PlaygroundError("no_cluster", address=address, reason=reason) from error
    machines = [one["Resources"] for one in ray.nodes() if one["Alive"]]
    gpus = sum(int(one.get("GPU", 0)) for one in machines)
    shares = sum(int(one.get("CPU", 0)) // cores for one in machines)
    if not gpus + shares:
        raise PlaygroundError("cluster_too_small", cores=cores)
    return ray, (gpus, {"num_gpus": 1}) if gpus else (shares, {"num_cpus": cores})
