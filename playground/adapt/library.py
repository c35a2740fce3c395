"""
The library: the ready-made adapters that everybody sees, and those of one session. Knows nothing about the page.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import lru_cache

from playground import settings
from playground.adapt.adapters import BASE, QUANTIZED, RECORD, STEP_MARK, Adapter, Record, read
from playground.adapt.methods import METHODS
from playground.adapt.tasks import TASK_IDS
from playground.errors import PlaygroundError
from playground.model.catalogue import split_id


@lru_cache
def examples() -> dict[str, Adapter]:
    """The ready-made adapters of `examples/adapters`, by id, in the order of the registries."""
    found = [read(path.parent) for path in (settings.EXAMPLES / "adapters").glob(f"*/{RECORD}")]
    order = (*TASK_IDS, *METHODS)
    plain = {f"{one.record.task}-{one.record.method}" for one in found}  # the method's own before its variants
    found.sort(key=lambda one: (order.index(one.record.task), order.index(one.record.method), one.id not in plain, one.id))
    return {adapter.id: adapter for adapter in found}


@lru_cache
def quantized(base_id: str) -> Adapter:
    """
    The pane of a base in fewer bits, such as "smollm2-135m:nf4": nothing is trained, the base itself is another one (see
    `bases.load`). Raises PlaygroundError for a form that does not exist.
    """
    spec, form = split_id(base_id)
    record = Record(base_id, QUANTIZED, "", {"format": form}, 0, 0, 0, spec.parameters or 1, 0)
    return Adapter(f"{BASE}:{form}", record)


class Library:
    """The adapters that one session sees: the examples, and its own, of which it keeps the latest few."""

    def __init__(self) -> None:
        self._own: OrderedDict[str, Adapter] = OrderedDict()

    def add(self, adapter: Adapter) -> None:
        """Keep an adapter; the oldest give way when there are too many or they hold too much memory."""
        self._own[adapter.id] = adapter
        while len(self._own) > 1 and (
            len(self._own) > settings.MAX_SESSION_ADAPTERS or self.size() > settings.MAX_SESSION_BYTES
        ):
            self._own.popitem(last=False)

    def size(self) -> int:
        """Bytes of memory that the session's own adapters hold."""
        return sum(adapter.size() for adapter in list(self._own.values()))

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
