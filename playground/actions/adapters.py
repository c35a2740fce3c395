"""
Adapters as a visitor or a program handles them: list, look up, upload; `export` has what is taken home of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt import adapters, tasks
from playground.adapt.adapters import Adapter
from playground.adapt.library import examples
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.catalogue import in_floats
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.model.bases import Base


def list_adapters(key: str | None, base_id: str | None = None) -> list[dict[str, Any]]:
    """The session's adapters, newest first, then the examples (without a key only those); of one base if asked for."""
    own = SESSIONS.get(key).library.own() if key else []
    found = [adapter.summary() for adapter in (*own, *examples().values())]
    return [one for one in found if base_id is None or one["base"].partition(":")[0] == base_id.partition(":")[0]]


def examined(key: str, adapter_id: str) -> tuple[Base, Adapter]:
    """An adapter of the session and the base that it runs on, loaded. Raises PlaygroundError."""
    adapter = SESSIONS.get(key).library.get(adapter_id)
    return BASES.get(Variant.of(adapter.record.base, adapter).base), adapter


def held_out_task(adapter: Adapter) -> tasks.Task | None:
    """The task whose held-out examples an adapter is measured on; None if those examples are not here any more."""
    return tasks.task(adapter.record.task) if adapter.record.task in tasks.TASK_IDS else adapter.examples


def described(key: str, adapter_id: str) -> dict[str, Any]:
    """An adapter of the session as `list_adapters` has it, also at a checkpoint. Raises PlaygroundError if it is gone."""
    return SESSIONS.get(key).library.get(adapter_id).summary()


def plain_name(adapter: Adapter) -> str:
    """What an adapter is called where no language is known: its name, or "lora pirate 3 step 12"."""
    _, mark, step = adapter.id.partition(adapters.STEP_MARK)
    parts = (adapter.record.method, adapter.record.task, str(adapter.number or ""))
    name = adapter.name or " ".join(part for part in parts if part)
    return f"{name} step {step}" if mark else name


def rename(key: str, adapter_id: str, name: str) -> dict[str, Any]:
    """Give one of the session's own adapters another name; its summary. Raises PlaygroundError with the reason."""
    return SESSIONS.get(key).library.rename(adapter_id, name).summary()


def remove(key: str, adapter_id: str) -> dict[str, Any]:
    """Let go of one of the session's own adapters; its summary, for the last time. Raises PlaygroundError."""
    return SESSIONS.get(key).library.remove(adapter_id).summary()


def upload(key: str, path: str | None, base_id: str) -> dict[str, Any]:
    """Check a zip and add its adapter to the session; its summary. Raises PlaygroundError with the reason for a refusal."""
    from playground.adapt import uploads
    from playground.train.record import new_id

    if not path:
        raise PlaygroundError("no_file")
    SESSIONS.check_room(key, settings.MAX_UNPACKED_BYTES)
    adapter = uploads.unpack(Path(path), BASES.get(in_floats(base_id)), new_id())  # a form has the same shapes
    SESSIONS.add(key, adapter)
    return SESSIONS.get(key).library.get(adapter.id).summary()
