"""The lab's page with the tiny base."""

from collections.abc import Callable, Iterator

import pytest

from playground.adapt.adapters import Adapter
from playground.adapt.tasks import Task
from playground.model.bases import BASES, Base, Status
from playground.model.catalogue import FORMS
from playground.model.memory import STORE
from playground.train.job import TrainingJob
from playground.train.training import train
from playground.work.sessions import SESSIONS

STEPS = 3


@pytest.fixture
def tiny_here(tiny: Base, loaded: Callable[[Base], Base], monkeypatch: pytest.MonkeyPatch) -> Base:
    """The tiny base as a loaded line of the catalogue; no form of it is there, whatever other tests loaded."""
    for form in FORMS:
        STORE.forget(STORE.find(f"tiny:{form}"))
    monkeypatch.setitem(BASES._status, "tiny", Status("ready"))
    return loaded(tiny)


@pytest.fixture
def own(tiny_here: Base, small_task: Task, request: pytest.FixtureRequest) -> Iterator[tuple[str, Adapter, Adapter]]:
    """A visitor's key, with a LoRA adapter and a soft prompt of theirs, each with a checkpoint a step."""
    key = f"lab-{request.node.name}"[:32].ljust(32, "0")
    made = []
    for method_id in ("lora", "prompt_tuning"):
        *_, ended = train(TrainingJob("tiny", method_id, small_task, {}, STEPS, 0), lambda base_id: tiny_here)
        SESSIONS.get(key).library.add(ended.adapter)
        made.append(ended.adapter)
    lora, soft = made
    yield key, lora, soft
    SESSIONS.get(key).runs.clear()
