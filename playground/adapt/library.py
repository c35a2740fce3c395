"""
The library: the ready-made adapters that everybody sees, and those of one session. Knows nothing about the page.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache

from playground import settings
from playground.adapt.adapters import RECORD, STEP_MARK, Adapter, read, readable
from playground.adapt.methods import METHODS
from playground.adapt.tasks import TASK_IDS
from playground.errors import PlaygroundError
from playground.model.memory import STORE, Store


@lru_cache
def examples() -> dict[str, Adapter]:
    """The ready-made adapters of `examples/adapters`, by id, in the order of the registries."""
    found = [read(path.parent) for path in (settings.EXAMPLES / "adapters").glob(f"*/{RECORD}")]
    order = (*TASK_IDS, *METHODS)
    plain = {f"{one.record.task}-{one.record.method}" for one in found}  # the method's own before its variants
    found.sort(key=lambda one: (order.index(one.record.task), order.index(one.record.method), one.id not in plain, one.id))
    return {adapter.id: adapter for adapter in found}


def check_room(size: int) -> None:
    """Raises PlaygroundError if an adapter of so many bytes is more than a session may hold."""
    if size > settings.MAX_SESSION_BYTES:
        raise PlaygroundError("adapter_too_large", needed=round(size / 1e6), maximum=settings.MAX_SESSION_BYTES // 1_000_000)


class Library:
    """The adapters that one session sees: the examples, and its own, of which it keeps the latest few."""

    def __init__(self, store: Store = STORE) -> None:
        self._store = store
        self._own: OrderedDict[str, Adapter] = OrderedDict()
        self._added = 0

    def add(self, adapter: Adapter) -> list[Adapter]:
        """
        Keep an adapter, with a number and, where its name is taken, the number in its name. Returns those that gave way to
        it: the oldest go when there are too many or they hold too much memory; the newest stays, so whoever makes one asks
        `check_room` before.
        """
        self._added += 1
        taken = adapter.name in self._names()
        name = f"{adapter.name[: settings.MAX_ADAPTER_NAME - 6]} ({self._added})" if taken else adapter.name
        self._keep(replace(adapter, number=self._added, name=name))
        gone = []
        while len(self._own) > 1 and (
            len(self._own) > settings.MAX_SESSION_ADAPTERS or self.size() > settings.MAX_SESSION_BYTES
        ):
            gone.append(self._drop(next(iter(self._own))))
        return gone

    def _keep(self, adapter: Adapter) -> None:
        self._own[adapter.id] = adapter
        self._store.live_beside(adapter, adapter.size())

    def _names(self) -> set[str]:
        return {one.name for one in list(self._own.values()) if one.name}

    def rename(self, adapter_id: str, name: str) -> Adapter:
        """
        Give one of the session's own another name. Raises PlaygroundError if there is no such adapter, or if the name is
        empty, too long, or another one's.
        """
        adapter, name = self._one_of_own(adapter_id), readable(name)
        if not 0 < len(name) <= settings.MAX_ADAPTER_NAME:
            raise PlaygroundError("name_length", maximum=settings.MAX_ADAPTER_NAME)
        if name != adapter.name and name in self._names():
            raise PlaygroundError("name_taken", name=name)
        self._forget(adapter)
        self._keep(replace(adapter, name=name))  # in its old place: the order is that of training
        return self._own[adapter_id]

    def remove(self, adapter_id: str) -> Adapter:
        """Let go of one of the session's own. Raises PlaygroundError if there is no such adapter."""
        return self._drop(self._one_of_own(adapter_id).id)

    def _one_of_own(self, adapter_id: str) -> Adapter:
        if adapter_id not in self._own:
            raise PlaygroundError("unknown_adapter", adapter=str(adapter_id)[:60])
        return self._own[adapter_id]

    def _drop(self, adapter_id: str) -> Adapter:
        adapter = self._own.pop(adapter_id)
        self._forget(adapter)
        return adapter

    def _forget(self, adapter: Adapter) -> None:
        """What was made of it goes."""
        for one in (adapter, *adapter.stages.values()):
            self._store.forget(one)

    def clear(self) -> None:
        """Let go of the session's own adapters and of all that was attached of them."""
        for adapter_id in list(self._own):
            self._drop(adapter_id)

    def size(self) -> int:
        """Bytes of memory that the session's own adapters hold, with what is attached of them."""
        parts = [(one, *one.stages.values()) for one in list(self._own.values())]
        attached = sum(self._store.held_of(part) for stages in parts for part in stages)
        return attached + sum(adapter.size() for adapter, *_ in parts)

    def own(self) -> list[Adapter]:
        """The session's own adapters, newest first."""
        return list(reversed(self._own.values()))

    def knows(self, adapter_id: str) -> bool:
        """Whether `get` would find it."""
        try:
            return self.get(adapter_id) is not None
        except PlaygroundError:
            return False

    def get(self, adapter_id: str) -> Adapter:
        """By id, or `id@step` for a checkpoint. Raises PlaygroundError if this session has no such adapter."""
        name, _, step = str(adapter_id).partition(STEP_MARK)
        adapter = self._own.get(name) or examples().get(name)
        if adapter is None:
            raise PlaygroundError("unknown_adapter", adapter=str(adapter_id)[:60])
        if not step:
            return adapter
        if not re.fullmatch(r"\d{1,6}", step):
            raise PlaygroundError("unknown_adapter", adapter=str(adapter_id)[:60])
        return adapter.at(int(step))
