"""
The Hugging Face hub through its own client: what it tells of a repository before anything is fetched, files fetched with
progress, and the state that it is in as a sentence.

Of a model only what is named in BESIDE and its safetensors are ever fetched, of the commit that was looked at. Knows nothing
about what a repository is for.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playground import settings
from playground.errors import PlaygroundError
from playground.hub import State, Trouble, in_words

CONFIG, WHOLE, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
BESIDE = {  # what is fetched of a model besides its weights, and the most bytes of each
    CONFIG: settings.MAX_BASE_CONFIG_BYTES,
    **dict.fromkeys(("generation_config.json", "quantize_config.json", "quant_config.json"), 1_000_000),
    **dict.fromkeys(("special_tokens_map.json", "chat_template.json", "chat_template.jinja"), 1_000_000),
    **dict.fromkeys(("tokenizer_config.json", "added_tokens.json"), 10_000_000),
    **dict.fromkeys(("vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", INDEX), 50_000_000),
    "tokenizer.json": 100_000_000,
}
SHARD = re.compile(r"[\w.-]+\.safetensors", re.ASCII)  # a file beside config.json
MAX_SHARDS = 1000
ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
ADDRESS = re.compile(r"https?://(www\.)?(huggingface\.co|hf\.co)/", re.ASCII)
SECONDS = 20.0  # until the hub counts as out of reach
Report = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Told:
    """
    What the hub tells of a repository: its licence as the card names it, "" without one; the files of the commit `sha`, with
    their bytes.
    """

    repository: str
    licence: str
    gated: bool
    files: Mapping[str, int]
    sha: str


def repository_of(text: str) -> str:
    """The `owner/name` that somebody typed, or its page's address. Raises PlaygroundError for what is none."""
    told = ADDRESS.sub("", text.strip()).strip("/").partition("/tree/")[0]
    if not ID.fullmatch(told):
        raise PlaygroundError("not_a_repository", text=text.strip()[:80])
    return told


def told(repository: str, token: str = "", sha: str = "") -> Told:
    """
    What the hub says of a model's or an adapter's repository, to whoever has the `token`: of its commit `sha`, or of the
    latest, which is then known offline too. Raises PlaygroundError for its states.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token or None)
    with _in_words(repository):
        if not sha and not token:
            sha = api.resolve_revision(repository).resolved
        info = api.model_info(repository, revision=sha or None, files_metadata=True, timeout=SECONDS)
    files = {one.rfilename: one.size or 0 for one in info.siblings or ()}
    return Told(repository, licence_of(info.card_data), bool(info.gated), files, info.sha or sha)


def check_sizes(files: Mapping[str, int], name: str) -> None:
    """Raises PlaygroundError for a file beside the weights that is larger than any model's."""
    for file, maximum in BESIDE.items():
        if files.get(file, 0) > maximum:
            raise PlaygroundError("base_file_too_large", base=name, file=file, maximum=maximum // 1_000_000)


def weights_of(found: Told) -> list[str]:
    """
    The files with a model's weights, beside config.json: one, or the shards that its index names. Raises PlaygroundError
    for an index that names others or too many, and as `check_sizes`.
    """
    check_sizes(found.files, found.repository)
    if WHOLE in found.files:
        return [WHOLE]
    if INDEX not in found.files:
        return []
    return _shards(fetched(found.repository, INDEX, found.sha), found.repository, found.files)


def _shards(index: Path, name: str, files: Collection[str]) -> list[str]:
    try:
        shards = {str(one) for one in json.loads(index.read_text("utf-8"))["weight_map"].values()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise PlaygroundError("header_unreadable", base=name) from error
    if len(shards) > MAX_SHARDS or not all(SHARD.fullmatch(one) and one in files for one in shards):
        raise PlaygroundError("header_unreadable", base=name)
    return sorted(shards)


def licence_of(card: Any) -> str:
    """What a model card names: its own name for a licence that is none of the usual ones."""
    names = (getattr(card, name, None) for name in ("license_name", "license"))
    first = next((one for one in names if one), "")
    return ", ".join(map(str, first)) if isinstance(first, list) else str(first)


def headers(found: Told) -> Any:
    """huggingface_hub's SafetensorsRepoMetadata: of every tensor name, type and shape, none of its numbers."""
    from huggingface_hub import HfApi

    weights_of(found)  # it would ask for whatever an index names
    with _in_words(found.repository):
        return HfApi().get_safetensors_metadata(found.repository, revision=found.sha or None, timeout=SECONDS)


def fetched(repository: str, name: str, sha: str = "") -> Path:
    """One small file of a repository, from the cache if it is there."""
    from huggingface_hub import hf_hub_download

    with _in_words(repository):
        return Path(hf_hub_download(repository, name, revision=sha or None))


def private(repository: str, name: str, token: str) -> bytes:
    """One file for whoever has the `token`; nothing of it stays in the cache, which is everybody's."""
    from huggingface_hub import hf_hub_download

    with _in_words(repository), tempfile.TemporaryDirectory() as folder:
        return Path(hf_hub_download(repository, name, token=token, local_dir=folder)).read_bytes()


def here(repository: str, sha: str = "") -> Path | None:
    """The folder in the cache with the weights of a model that was fetched before, without asking anybody."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(repository, revision=sha or None, allow_patterns=[CONFIG], local_files_only=True)
    except LocalEntryNotFoundError:
        return None
    folder = Path(found)
    names = {one.name for one in folder.iterdir()}
    if WHOLE in names:
        return folder
    try:
        return folder if INDEX in names and _shards(folder / INDEX, repository, names) else None
    except PlaygroundError:  # some are not here
        return None


def download(repository: str, report: Report, sha: str = "") -> Path:
    """
    The folder in the cache with a model's files, those of the commit `sha` where it was examined before; what is there
    already is not fetched again, nor what a stopped download has of a file. `report` is told how far it is; what it raises
    stops the download. Raises PlaygroundError: a state of the hub without which nothing is here, and as `weights_of`.
    """
    from huggingface_hub import constants, snapshot_download

    constants.HF_HUB_DISABLE_XET = True  # what hf_xet has begun, nobody can stop
    report("downloading", None)
    try:
        found = told(repository, sha=sha)
    except PlaygroundError:
        folder = here(repository, sha)
        if folder is None:
            raise
        return folder
    names = [one for one in (*BESIDE, *weights_of(found)) if one in found.files]
    bar = progress(report, sum(found.files[one] for one in names))
    with _in_words(repository):  # names are patterns too; none of them has a letter that means more
        return Path(snapshot_download(repository, revision=found.sha or None, allow_patterns=names, tqdm_class=bar))


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


def _in_words(repository: str) -> AbstractContextManager[None]:
    return in_words(partial(_said, repository))


def _said(repository: str, found: Trouble) -> PlaygroundError:
    match found.state:
        case State.GATED:
            return PlaygroundError("base_gated", base=repository)
        case State.MISSING | State.NO_ID:
            return PlaygroundError("base_not_on_hub", base=repository)
        case State.NO_FILE:
            return PlaygroundError("hub_no_file", base=repository, file=found.file[:60])
        case State.OFFLINE:
            return PlaygroundError("hub_offline", what=repository)
        case State.UNREACHED:
            return PlaygroundError("no_network", what=repository)
        case State.BUSY:
            return PlaygroundError("hub_rate_limited")
        case State.REFUSED:
            return PlaygroundError("hub_fails", status=str(found.status), what=repository)
        case State.GARBLED:
            return PlaygroundError("header_unreadable", base=repository)
