"""
The Hugging Face hub through its own client: what it tells of a repository before anything is fetched, files fetched with
progress, and the state that it is in as a sentence.

Of a model only JSON, templates, tokenizers and safetensors are ever fetched. Knows nothing about what a repository is for.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError

FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt"]  # of a model
ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
ADDRESS = re.compile(r"https?://(www\.)?(huggingface\.co|hf\.co)/", re.ASCII)
SECONDS = 20.0  # until the hub counts as out of reach
Report = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Told:
    """What the hub tells of a repository: its licence as the card names it, "" without one; the files, with their bytes."""

    repository: str
    licence: str
    gated: bool
    files: Mapping[str, int]


def repository_of(text: str) -> str:
    """The `owner/name` that somebody typed, or its page's address. Raises PlaygroundError for what is none."""
    told = ADDRESS.sub("", text.strip()).strip("/").partition("/tree/")[0]
    if not ID.fullmatch(told):
        raise PlaygroundError("not_a_repository", text=text.strip()[:80])
    return told


def told(repository: str, token: str = "") -> Told:
    """
    What the hub says of a model's or an adapter's repository, to whoever has the `token`. Raises PlaygroundError for its
    states.
    """
    from huggingface_hub import HfApi

    with in_words(repository):
        info = HfApi(token=token or None).model_info(repository, files_metadata=True, timeout=SECONDS)
    files = {one.rfilename: one.size or 0 for one in info.siblings or ()}
    return Told(repository, licence_of(info.card_data), bool(info.gated), files)


def licence_of(card: Any) -> str:
    """What a model card names: its own name for a licence that is none of the usual ones."""
    names = (getattr(card, name, None) for name in ("license_name", "license"))
    first = next((one for one in names if one), "")
    return ", ".join(map(str, first)) if isinstance(first, list) else str(first)


def headers(repository: str) -> Any:
    """huggingface_hub's SafetensorsRepoMetadata: of every tensor name, type and shape, none of its numbers."""
    from huggingface_hub import HfApi

    with in_words(repository):
        return HfApi().get_safetensors_metadata(repository, timeout=SECONDS)


def fetched(repository: str, name: str) -> Path:
    """One small file of a repository, from the cache if it is there."""
    from huggingface_hub import hf_hub_download

    with in_words(repository):
        return Path(hf_hub_download(repository, name))


def private(repository: str, name: str, token: str) -> bytes:
    """One file for whoever has the `token`; nothing of it stays in the cache, which is everybody's."""
    from huggingface_hub import hf_hub_download

    with in_words(repository), tempfile.TemporaryDirectory() as folder:
        return Path(hf_hub_download(repository, name, token=token, local_dir=folder)).read_bytes()


def here(repository: str) -> Path | None:
    """The folder in the cache with the weights of a model that was fetched before, without asking anybody."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, allow_patterns=FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if any(folder.glob("*.safetensors")) else None


def download(repository: str, report: Report) -> Path:
    """
    The folder in the cache with a model's files; what is there already is not fetched again, nor what a stopped download
    has of a file. `report` is told how far it is; what it raises stops the download.
    """
    from huggingface_hub import constants, snapshot_download

    constants.HF_HUB_DISABLE_XET = True  # what hf_xet has begun, nobody can stop
    report("downloading", None)
    bar = progress(report, _bytes(repository))
    with in_words(repository):
        return Path(snapshot_download(repository, allow_patterns=FILES, tqdm_class=bar))


def _bytes(repository: str) -> int:
    """Of all files of a model; 0 where the hub does not say, which is then said of the download itself."""
    try:
        files = told(repository).files
    except PlaygroundError:
        return 0
    return sum(size for name, size in files.items() if any(fnmatchcase(name, one) for one in FILES))


def progress(report: Report, total: int = 0) -> Any:
    """
    A progress bar as huggingface_hub makes one, which draws nothing and reports the share of all bytes: of `total`, since
    it learns of a file's bytes only when they begin to come.
    """
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *given: Any, **told: Any) -> None:
            self.counts = told.get("name") == "huggingface_hub.snapshot_download"  # others count files, traffic
            super().__init__(*given, **{**told, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if self.counts:
                every = max(total, self.total or 0)
                report("downloading", min(1.0, self.n / every) if every else None)

    return Bar


@contextmanager
def in_words(repository: str) -> Iterator[None]:
    """Raises PlaygroundError for whatever huggingface_hub raises because of the state that the hub is in."""
    try:
        yield
    except Exception as error:
        found = None if isinstance(error, PlaygroundError) else _said(error, repository)
        if found is None:
            raise
        raise found from error


def _said(error: BaseException, repository: str) -> PlaygroundError | None:
    """The sentence for an error or for what it came from; None for one that has nothing to do with the hub."""
    import httpx2  # huggingface_hub's own
    from huggingface_hub import errors

    for one in _causes(error):
        status = getattr(getattr(one, "response", None), "status_code", 0)
        if isinstance(one, errors.GatedRepoError):  # before what it is a kind of
            return PlaygroundError("base_gated", base=repository)
        if isinstance(one, errors.RepositoryNotFoundError | errors.HFValidationError):
            return PlaygroundError("base_not_on_hub", base=repository)
        if isinstance(one, errors.OfflineModeIsEnabled):
            return PlaygroundError("hub_offline", what=repository)
        if status == 429:
            return PlaygroundError("hub_rate_limited")
        if isinstance(one, errors.RemoteEntryNotFoundError):
            return PlaygroundError("hub_no_file", base=repository, file=str(one.response.url).rpartition("/")[2][:60])
        if status >= 400:
            return PlaygroundError("hub_fails", status=str(status), what=repository)
        if isinstance(one, errors.SafetensorsParsingError):
            return PlaygroundError("header_unreadable", base=repository)
    reached = (errors.LocalEntryNotFoundError, httpx2.HTTPError, ConnectionError)
    return PlaygroundError("no_network", what=repository) if isinstance(error, reached) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
