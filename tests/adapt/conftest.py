"""
One small base of each family, to count on.
"""

from __future__ import annotations

import pytest

from playground.model.bases import Base
from tests.families import tiny_base

FAMILIES = ("llama", "qwen2", "bloom")


@pytest.fixture(scope="module")
def bases() -> dict[str, Base]:
    return {family: tiny_base(family) for family in FAMILIES}
