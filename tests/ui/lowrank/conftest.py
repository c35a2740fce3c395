"""The lab's page with the tiny base."""

from collections.abc import Callable

import pytest

from playground.model.bases import BASES, Base, Status


@pytest.fixture
def tiny_here(tiny: Base, loaded: Callable[[Base], Base], monkeypatch: pytest.MonkeyPatch) -> Base:
    """The tiny base as a loaded line of the catalogue."""
    monkeypatch.setitem(BASES._status, "tiny", Status("ready"))
    return loaded(tiny)
