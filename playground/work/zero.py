"""
ZeroGPU as a place: a GPU of a Space that is lent for seconds. `spaces.GPU` runs a generator in a process that is forked for
it; what it takes and yields is pickled; whoever's request it is pays with a quota.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from playground.errors import PlaygroundError, unexpected
from playground.work.apart import Apart, tell
from playground.work.places import Where

if TYPE_CHECKING:
    from playground.work.jobs import Run
    from playground.work.places import Kind, Work

FIRST = 60.0  # seconds that are asked for while nothing of the kind has ended here: what `spaces` asks for if not told
SPARE = 1.5  # times what the last ones took
LEAST, MOST = 10.0, 110.0  # seconds: to begin at all; what a visitor who is not signed in has a day is two minutes
SAVING = 5.0  # seconds before the end in which a run that keeps what it has learned is asked to
LATEST = 8  # runs of a kind whose mean is what is expected
FAILED, ABORTED = "ZeroGPU worker error", "aborted"  # a title that has two meanings, and the word of the one that is meant
SAYS: dict[str, Callable[[int], PlaygroundError]] = {  # the titles of `spaces`' errors: what they mean for so many seconds
    "ZeroGPU quota exceeded": lambda seconds: PlaygroundError("zero_quota", seconds=seconds),
    "ZeroGPU pending credits exceeded": lambda seconds: PlaygroundError("zero_quota", seconds=seconds),
    "ZeroGPU illegal duration": lambda seconds: PlaygroundError("zero_too_long", seconds=seconds),
    "ZeroGPU queue timeout": lambda seconds: PlaygroundError("zero_full"),
    FAILED: lambda seconds: PlaygroundError("zero_aborted", seconds=seconds),
}


@dataclass(frozen=True)
class Call:
    """What crosses into the process: the kind's name, the job, a file that is there to say stop, the seconds asked for."""

    kind: str
    job: Any
    stop: Path
    seconds: float


@dataclass(frozen=True)
class Begun:
    """A GPU is there."""


@dataclass(frozen=True)
class Failed:
    """What was raised there; `spaces` would hand on the name of its class alone."""

    error: PlaygroundError


def is_here() -> bool:
    """Whether this is a Space with ZeroGPU, as `spaces` finds it out."""
    return (os.environ.get("SPACES_ZERO_GPU") or "").lower() in ("1", "t", "true")


def seconds_of(call: Call) -> float:
    """How long a call may take: `spaces` asks this before, with what the call is given."""
    return call.seconds


class ZeroGPU(Apart):
    """
    `find` knows the kinds of work, by name. `prepare` puts on "cuda" what every run finds there, and gives what a process
    on a GPU has to do first. Made before torch is imported and the page is served: `spaces` packs then what lies on "cuda",
    and has to have seen what it wraps.
    """

    def __init__(self, find: Callable[[str], Kind], prepare: Callable[[], Callable[[], None]]) -> None:
        super().__init__()
        lend = import_module("spaces").GPU
        arrive = cache(prepare())  # a process may be lent the GPU again

        def doing(call: Call) -> Iterator[Any]:
            yield Begun()
            arrive()
            try:
                yield from _stepped(find(call.kind), call.job, call.stop.exists)
            except Exception as error:  # noqa: BLE001  told where it can be said
                yield Failed(unexpected(error))

        self._call = lend(duration=seconds_of)(doing)
        self._flags = tempfile.TemporaryDirectory(prefix="peft-playground-stop-")
        self._took: defaultdict[str, list[float]] = defaultdict(list)  # seconds a unit of length, by kind

    def where(self) -> Where:
        return Where("zero")

    def stop(self, run: Run) -> None:
        """One that waits for a GPU ends as soon as it has one: `spaces` cannot be told before."""
        super().stop(run)
        self._flag(run).touch()

    def seconds(self, kind: str, length: float) -> float:
        """How many to ask for, of a run of so much work."""
        took = self._took[kind][-LATEST:]
        return min(MOST, max(LEAST, SPARE * length * mean(took))) if took else FIRST

    def _do(self, run: Run, work: Work) -> None:
        call = Call(work.kind.id, work.job, self._flag(run), self.seconds(work.kind.id, run.length.work))
        events, begun = self._call(call), time.perf_counter()
        ending = threading.Timer(call.seconds - SAVING, call.stop.touch)
        try:
            for told in events:
                if isinstance(told, Failed):
                    raise told.error
                if isinstance(told, Begun):
                    begun = time.perf_counter()
                    if run.lane.keeps:
                        ending.start()
                    run._update(state="running", position=0)
                elif run.stopping and not run.lane.keeps:
                    break
                else:
                    tell(run, work, [told])
        except PlaygroundError:
            raise
        except Exception as error:
            if run.state == "running":  # it takes longer than that
                self._took[work.kind.id].append(call.seconds / run.length.work)
            raise _said(error, call.seconds) from error
        finally:
            ending.cancel()
            events.close()
            call.stop.unlink(missing_ok=True)
        if not run.stopping:
            self._took[work.kind.id].append((time.perf_counter() - begun) / run.length.work)
        run._update(state="stopped" if run.stopping else "finished")

    def _flag(self, run: Run) -> Path:
        return Path(self._flags.name) / run.id


def _stepped(kind: Kind, job: Any, stop: Callable[[], bool]) -> Iterator[Any]:
    """A job alone: what its lane does in common is done after each of its events."""
    for event in kind.events(job, stop):
        if event is not None:
            yield event
        if kind.lane.step:
            kind.lane.step(0.0)


def _said(error: Exception, seconds: float) -> Exception:
    """What `spaces` raises, by its title, as a sentence of ours; anything else as it is."""
    title = getattr(error, "title", "")
    if title == FAILED and ABORTED not in str(error):
        return error
    return SAYS[title](round(seconds)) if title in SAYS else error
