"""What the tests of trainings share: a visitor, and a base that is loaded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from playground.model.bases import Base
from playground.work.sessions import SESSIONS


@pytest.fixture
def key() -> Iterator[str]:
    """A visitor, whose work is stopped in the end."""
    key = uuid.uuid4().hex
    yield key
    SESSIONS.stop_all(key)


@pytest.fixture
def here(tiny: Base, loaded: Callable[[Base], Base]) -> Base:
    return loaded(tiny)
