"""
README says what is true: the Space's front matter, the tree, the endpoints, the settings.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from playground import settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FLOORS = ("actions", "plots", "ui")  # above the core: named as rooms
FRONT = yaml.safe_load(README.split("---")[1])


def test_the_space_runs_the_gradio_that_is_pinned() -> None:
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line)
    assert FRONT["sdk"] == "gradio"
    assert FRONT["sdk_version"] == pins["gradio"]
    assert (ROOT / FRONT["app_file"]).is_file()


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_every_requirement_is_pinned_exactly(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-r"))]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+==[0-9][0-9.]*", line) for line in lines)


def test_the_tree_names_every_module() -> None:
    tree = README.split("## What is where")[1].split("```")[1]
    rooms = [path.parent.name for path in (ROOT / "playground").rglob("__init__.py")]
    core = [path for path in (ROOT / "playground").rglob("*.py") if path.name != "__init__.py"]
    files = [path.name for path in core if path.relative_to(ROOT / "playground").parts[0] not in FLOORS]
    assert len(files) > 40
    assert [name for name in (*rooms, *files) if name not in tree] == []


def test_every_environment_variable_is_documented() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    names = re.findall(r'environ\.get\("(\w+)"\)', source)
    assert len(names) >= 4
    assert [name for name in names if f"`{name}`" not in README] == []


def test_pictures_that_are_shown_are_there() -> None:
    assert [path for path in re.findall(r"!\[.*?\]\((.+?)\)", README) if not (ROOT / path).is_file()] == []
