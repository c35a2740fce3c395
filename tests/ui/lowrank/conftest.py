"""The lab's page with the tiny base."""

import pytest

from playground.model.bases import BASES, Base, Status
from playground.model.catalogue import CATALOGUE


@pytest.fixture
def tiny_here(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> Base:
    """The tiny base as a loaded line of the catalogue."""
    monkeypatch.setitem(CATALOGUE, "tiny", tiny.spec)
    monkeypatch.setitem(BASES._loaded, "tiny", tiny)
    monkeypatch.setitem(BASES._status, "tiny", Status("ready"))
    return tiny
