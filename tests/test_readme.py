"""
README and its neighbours say what is true: the Space's front matter, the tree, the endpoints, the settings, the commands,
the places to change, the pins.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from playground import settings
from playground.model.bases import Base
from playground.ui.api.reference import FILE, public, reference, told
from playground.ui.api.served import parameters
from playground.ui.page import build_page

ROOT = Path(__file__).resolve().parent.parent
README, CONTRIBUTING, CHANGELOG = (
    (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in ("README", "CONTRIBUTING", "CHANGELOG")
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FLOORS = ("actions", "plots", "ui")  # above the core: named as rooms
FRONT = yaml.safe_load(README.split("---")[1])

both_guides = pytest.mark.parametrize("guide", [README, CONTRIBUTING], ids=["readme", "contributing"])


# Dependencies


def pins(name: str) -> dict[str, str]:
    """Project and version of every line of a file of requirements."""
    return dict(line.split("==") for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if "==" in line)


def test_the_space_runs_the_gradio_that_is_pinned() -> None:
    assert FRONT["sdk"] == "gradio"
    assert FRONT["sdk_version"] == pins("requirements.txt")["gradio"]
    assert (ROOT / FRONT["app_file"]).is_file()


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt", "constraints.txt"])
def test_every_requirement_is_pinned_exactly(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-r"))]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+==[0-9][0-9.]*(post[0-9]+)?", line) for line in lines)


def test_the_lock_agrees_with_the_requirements() -> None:
    """Where it does not, `make lock` was forgotten."""
    asked, locked = pins("requirements.txt") | pins("tests/requirements.txt"), pins("constraints.txt")
    assert {name: locked.get(name) for name in asked} == asked
    assert len(locked) > 2 * len(asked)  # what they bring along is there too


# The package


def test_the_package_holds_the_files_that_are_read_beside_its_modules() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path.name for path in (ROOT / "playground").rglob("*.*") if path.suffix not in (".py", ".pyc")]
    assert len(files) >= 3
    assert [name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_the_newest_version_of_the_changelog_is_the_package_s() -> None:
    assert re.findall(r"^## ([0-9.]+) - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)[0] == PROJECT["project"]["version"]


def test_the_snippet_for_notebooks_runs_in_any_folder(tiny: Base, tmp_path: Path) -> None:
    """As it is written, on a base that takes seconds."""
    (snippet,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import BASES" in block]
    added = {"PLAYGROUND_LOCAL_BASE": str(tiny.folder), "PLAYGROUND_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-X", "utf8", "-c", snippet.replace("smollm2-135m", "local")]
    environment = {**os.environ, **added, "PYTHONPATH": str(ROOT)}  # so that it passes where the package is not installed
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    plain, adapted = ast.literal_eval(done.stdout)
    assert plain != adapted


# Commands


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)


def made(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_make_lists_every_target_with_a_sentence() -> None:
    listed = made("help")
    assert re.findall(r"^make ([a-z-]+) +\S", listed, re.MULTILINE) == targets()
    assert made() == listed


def test_the_hooks_run_what_make_lint_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert entries == [f"make {target}" for target in re.findall(r"^LINT := (.*)$", MAKEFILE, re.MULTILINE)[0].split()]


@both_guides
def test_every_command_that_is_named_exists(guide: str) -> None:
    named = re.findall(r"(?:^|`)make ([a-z-]+)", guide, re.MULTILINE)
    assert len(named) >= 2
    assert [target for target in named if target not in targets()] == []


# Places


def missing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if not (ROOT / path).exists()]


def test_the_tree_names_every_module() -> None:
    tree = README.split("## What is where")[1].split("```")[1]
    rooms = [path.parent.name for path in (ROOT / "playground").rglob("__init__.py")]
    core = [path for path in (ROOT / "playground").rglob("*.py") if path.name != "__init__.py"]
    files = [path.name for path in core if path.relative_to(ROOT / "playground").parts[0] not in FLOORS]
    assert len(files) > 40
    assert [name for name in (*rooms, *files) if name not in tree] == []


@both_guides
def test_links_pictures_and_files_that_are_named_are_there(guide: str) -> None:
    assert missing(re.findall(r"\]\((?!https?:)(.+?)\)", guide)) == []
    assert missing(re.findall(r"`((?:playground|tests|examples)/[\w./-]*)`", guide)) == []


def test_what_is_to_be_changed_is_in_the_file_that_is_named() -> None:
    places = re.findall(r"`(\w+)`\s+of\s+`([\w/]+\.py)`", CONTRIBUTING)
    assert len(places) >= 8
    assert [(name, path) for name, path in places if name not in (ROOT / path).read_text(encoding="utf-8")] == []


def test_every_environment_variable_is_documented() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    names = re.findall(r'environ\.get\("(\w+)"\)', source)
    assert len(names) >= 4
    assert [name for name in names if f"`{name}`" not in README] == []


def test_the_reference_is_what_the_endpoints_say() -> None:
    """Where it is not, `make api` was forgotten."""
    assert (ROOT / FILE).read_text(encoding="utf-8") == reference(public(build_page()))


def test_every_endpoint_says_what_it_takes_gives_and_refuses() -> None:
    endpoints = public(build_page())
    assert len(endpoints) > 20
    for name, endpoint in endpoints.items():
        one = told(endpoint)
        assert list(one.parameters) == parameters(endpoint), name
        assert all([one.summary, one.returns, one.raises, *one.parameters.values()]), name
