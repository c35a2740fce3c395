"""
What a recipe needs besides Python, as it was when a run was made: the head by which `uv run` finds it (PEP 723).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version

from playground.adapt.adapters import Record

VERSION = re.compile(r"\d+(\.\w+)*")  # without what says for which device it was built: torch 2.13.0+cpu is torch 2.13.0
PYTHON = ">=3.11"


def requirements(record: Record, names: Sequence[str]) -> list[str]:
    """`torch==2.13.0` and so on, as the record says or, where it does not, as they are installed here."""
    return [f"{name}=={_version(record, name)}" for name in names]


def _version(record: Record, name: str) -> str:
    told = VERSION.match(str(record.versions.get(name, "")))
    found = told or VERSION.match(version(name))
    assert found is not None
    return found[0]


def header(needed: Sequence[str]) -> str:
    """The comment that uv reads."""
    listed = "".join(f'#   "{one}",\n' for one in needed)
    return f'# /// script\n# requires-python = "{PYTHON}"\n# dependencies = [\n{listed}# ]\n# ///\n'
