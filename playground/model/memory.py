"""
One budget in bytes for everything that can be had again: loaded bases, attached models, activations.

Whoever makes such a thing keeps it here under a key and says what it is of; what was least recently used goes first, and
with a thing goes everything that is of it. What cannot be had again (a visitor's adapters) is not kept here, but the more
there is of it, the less is kept. Knows nothing about what the things are. Imports no torch.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import psutil

from playground import settings

CGROUPS = (  # (limit, what is used of it): version 2, version 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True)
class _Kept:
    value: Any
    bytes: int
    of: tuple[Any, ...]

    def is_of(self, thing: Any) -> bool:
        return any(part is thing for part in self.of)


class Store:
    """
    What is kept, the most recently used last, within `budget(beside)` bytes, where `beside` is what lives beside it.
    Threads may share it.
    """

    def __init__(self, budget: Callable[[int], int]) -> None:
        self._budget = budget
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._beside: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._lock = threading.RLock()

    def find(self, key: Hashable) -> Any | None:
        """What is kept under a key; it, and what it is of, is the most recently used now."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            for name in [name for name, one in self._kept.items() if found.is_of(one.value)]:
                self._kept.move_to_end(name)
            self._kept.move_to_end(key)
            return found.value

    def keep(self, key: Hashable, value: Any, size: int, of: tuple[Any, ...] = ()) -> None:
        """
        Keep a value that holds `size` bytes of its own. `of` are the things that it goes with: when one of them is
        forgotten, it is too. What was not used for longest gives way; the newest stays even if it is alone too large.
        """
        with self._lock:
            self._kept.pop(key, None)
            self.make_room(size)
            self._kept[key] = _Kept(value, size, of)

    def make_room(self, size: int) -> None:
        """Let go of what was least recently used until `size` more bytes are within the budget."""
        with self._lock:
            while self._kept and self.held() + size > self.budget():
                self.forget(next(iter(self._kept.values())).value)

    def live_beside(self, thing: Any, size: int) -> None:
        """Count the `size` bytes of a thing that is held elsewhere, for as long as it is alive."""
        with self._lock:
            self._beside[thing] = size
            self.make_room(0)

    def budget(self) -> int:
        """Bytes that may be kept now."""
        with self._lock:
            return self._budget(sum(self._beside.values()))

    def forget(self, thing: Any) -> None:
        """Let go of a thing and of everything that is of it."""
        with self._lock:
            gone, before = [thing], len(self._kept)
            for one in gone:  # grows while what is of it is found
                of_it = [key for key, kept in self._kept.items() if kept.value is one or kept.is_of(one)]
                gone += [self._kept.pop(key).value for key in of_it]
            some = len(self._kept) < before
            del gone
        if some:
            give_back()

    def forked(self) -> None:
        """In a process that was forked: keep nothing, and wait for no thread, as those of the other process are not here."""
        self._lock = threading.RLock()
        self._kept.clear()

    def holds(self, key: Hashable) -> bool:
        """Whether something is kept under a key, without using it."""
        return key in self._kept

    def held(self) -> int:
        """Bytes of everything that is kept."""
        with self._lock:
            return sum(one.bytes for one in self._kept.values())

    def held_of(self, thing: Any) -> int:
        """Bytes of what is kept of a thing."""
        with self._lock:
            return sum(one.bytes for one in self._kept.values() if one.is_of(thing))


def total() -> int:
    """Bytes of memory that this process may use: the machine's, or its cgroup's if that is less."""
    limits = [limit for limit, _ in map(_cgroup, CGROUPS) if limit]
    machine: int = psutil.virtual_memory().total
    return min([machine, *limits])


def available() -> int:
    """Bytes that can still be had without swapping."""
    free = [limit - used for limit, used in map(_cgroup, CGROUPS) if limit]
    machine: int = psutil.virtual_memory().available
    return min([machine, *free])


def _cgroup(files: tuple[str, str]) -> tuple[int, int]:
    """(limit, used) in bytes; (0, 0) where there is no such group or no limit."""
    try:
        limit, used = (Path(file).read_text().strip() for file in files)
    except OSError:
        return 0, 0
    if not limit.isdigit() or int(limit) >= psutil.virtual_memory().total:  # "max", or version 1's huge number
        return 0, 0
    return int(limit), int(used)


def budget(beside: int = 0) -> int:
    """
    Bytes that may be kept while `beside` bytes are held that cannot be had again: settings.KEPT_BYTES, else what those
    leave of a share of the memory; never less than the embedded base needs.
    """
    together = max(settings.USUALLY_KEPT_BYTES, round(settings.KEPT_SHARE * total()))
    return settings.KEPT_BYTES or max(settings.LEAST_KEPT_BYTES, together - beside)


def give_back() -> None:
    """Hand freed memory back to the system: glibc keeps what was freed in small pieces, which layers of a model are."""
    trim = _malloc_trim()
    if trim:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's, where the program runs on it."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


STORE = Store(budget)
