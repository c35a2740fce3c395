"""
Files and folders that are there whole or not at all, whatever happens while they are written; a full disk in words.
Knows nothing about what they hold.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playground.errors import PlaygroundError, disk_is_full

PARTIAL = "partial-"  # begins the name of a folder in which something is being written
STALE = 3600.0  # seconds after which nobody writes there any more: the process was killed


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """
    Where to write a file or a folder that becomes `target` in one rename when the block ends. It lies in a folder beside,
    in which the block may write what else it needs, and which then goes. `target` stays as it was if the block raises, or
    writes nothing. A folder that takes another one's place does so in two renames: between them there is none.

    Raises PlaygroundError where the disk is full.
    """
    with explained():
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=PARTIAL) as folder:
            written = Path(folder) / target.name
            yield written
            if not written.exists():
                return
            if target.is_dir():  # no rename takes the place of a folder
                os.replace(target, Path(folder) / f"former-{target.name}")
            os.replace(written, target)


def sweep(folder: Path, older: float = STALE) -> None:
    """Remove what processes that were killed have left half-written in a folder, so many seconds ago or more."""
    for partial in folder.glob(f"{PARTIAL}*"):
        try:
            stale = time.time() - partial.stat().st_mtime >= older
        except FileNotFoundError:  # finished meanwhile
            continue
        if stale:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def explained(folder: str | Path = "", needed: float = 0.0) -> Iterator[None]:
    """
    Raises PlaygroundError for a full disk: `disk_full` where the bytes are known that were needed in a folder, else
    `no_space`.
    """
    try:
        yield
    except Exception as error:
        if not disk_is_full(error):
            raise
        if needed:
            raise PlaygroundError("disk_full", folder=folder, needed=round(needed / 1e9, 1)) from error
        raise PlaygroundError("no_space") from error
