"""
A data set of the Hugging Face hub, by its id, through the hub's own client: one of its files, read from its beginning and
no further than needed. Nothing is kept on disk, and nobody's token is used.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from playground import settings
from playground.bounds import shown
from playground.errors import PlaygroundError
from playground.hub import State, Trouble, in_words

if TYPE_CHECKING:
    from huggingface_hub import HfFileSystem

KINDS = (".parquet", ".jsonl", ".json", ".csv", ".tsv")  # the first that there is
SECONDS = 10.0  # for one answer
PIECE = 1 << 20  # bytes that are asked for at once


def chosen(dataset: str) -> tuple[str, str, str]:
    """
    A data set's id, the file that is read (that behind the id, or the first that looks like training data), and the state
    that both are in. Raises PlaygroundError: no such data set or file, gated, none that can be read, no connection.
    """
    name, path = _parts(dataset)
    with _explained(name):
        from huggingface_hub import HfApi

        found = HfApi(token=False).dataset_info(name, timeout=SECONDS)
    if found.gated:
        raise PlaygroundError("dataset_gated", dataset=name)
    files = [one.rfilename for one in found.siblings or [] if PurePosixPath(one.rfilename).suffix.lower() in KINDS]
    if path and path not in files:
        raise PlaygroundError("dataset_file", dataset=name, file=shown(path), known=_some(files))
    if not files:
        raise PlaygroundError("dataset_files", dataset=name)
    return name, path or min(files, key=_rank), found.sha or "main"


@contextmanager
def opened(name: str, path: str, state: str) -> Iterator[tuple[BinaryIO, bool]]:
    """
    A file of a data set, and whether that is only its beginning: Parquet is read piece by piece, JSON must be whole, of the
    others there is as much as a file of one's own may hold, up to a line's end. Raises PlaygroundError as `chosen`.
    """
    kind = PurePosixPath(path).suffix.lower()
    pieces = {"block_size": PIECE, "cache_type": "blockcache"}  # columns of Parquet lie apart: some pieces stay at hand
    with _explained(name), _files().open(f"datasets/{name}@{state}/{path}", "rb", **pieces) as file:
        if kind == ".parquet":
            yield file, False
            return
        data = bytes(file.read(settings.MAX_OWN_BYTES + 1))
        more = len(data) > settings.MAX_OWN_BYTES
        if more and kind == ".json":
            raise PlaygroundError("dataset_too_large", file=shown(path), maximum=settings.MAX_OWN_BYTES // 1_000_000)
        yield io.BytesIO(data[: data.rfind(b"\n", 0, settings.MAX_OWN_BYTES) + 1] if more else data), more


def _files() -> HfFileSystem:
    from huggingface_hub import HfFileSystem

    return HfFileSystem(token=False, skip_instance_cache=True, use_listings_cache=False)


def _parts(dataset: str) -> tuple[str, str]:
    """owner/name and, behind it, a file's path; an address of the hub counts as its id."""
    if dataset.strip().startswith(("/", "~", ".")):
        raise PlaygroundError("dataset_path", found=shown(dataset.strip()))
    told = dataset.strip().removeprefix("https://huggingface.co/").removeprefix("datasets/").strip("/")
    parts = told.split("/")
    if len(parts) < 2 or not all(parts) or ".." in parts or any(letter in told for letter in "?#@ \\\n"):
        raise PlaygroundError("dataset_id", found=shown(dataset))
    return "/".join(parts[:2]), "/".join(parts[2:])


def _rank(path: str) -> tuple[Any, ...]:
    """Training data first, then by kind and name."""
    return "train" not in path.lower(), KINDS.index(PurePosixPath(path).suffix.lower()), path


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:5]) + ("…" if len(files) > 5 else "") or "–"


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """What goes wrong on the hub, in words; its files are read by fsspec, which has errors of its own."""
    try:
        with in_words(partial(_said, name)):
            yield
    except FileNotFoundError as error:
        raise PlaygroundError("dataset_missing", dataset=name) from error
    except OSError as error:
        raise PlaygroundError("dataset_unread", dataset=name) from error


def _said(name: str, found: Trouble) -> PlaygroundError:
    match found.state:
        case State.GATED:
            return PlaygroundError("dataset_gated", dataset=name)
        case State.MISSING | State.NO_FILE:
            return PlaygroundError("dataset_missing", dataset=name)
        case State.NO_ID:
            return PlaygroundError("dataset_id", found=shown(name))
        case State.OFFLINE:
            return PlaygroundError("dataset_offline", dataset=name)
        case State.BUSY:
            return PlaygroundError("dataset_limited", dataset=name)
        case _:
            return PlaygroundError("dataset_unread", dataset=name)
