"""
The zip of an adapter from outside: which of its files are read, which are passed over, which are refused.

Nothing is written to disk, and what is passed over is never opened. Knows nothing about what the files say.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from playground import settings
from playground.adapt.adapters import CONFIG, RECORD, WEIGHTS
from playground.errors import PlaygroundError

READ = (CONFIG, WEIGHTS, RECORD)
PICKLES = ("adapter_model.bin", "adapter_model.pt", "adapter_model.pth")
MAXIMA = {CONFIG: settings.MAX_CONFIG_BYTES, RECORD: settings.MAX_RECORD_BYTES}
# What stands beside an adapter where people keep one: passed over by name (lower case), never opened
PASSED_OVER = (
    ".*", "thumbs.db", "desktop.ini",
    "*.md", "*.txt", "*.yaml", "*.yml", "*.log", "*.png", "*.jpg",
    "readme*", "license*", "licence*", "notice*", "use_policy*",
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "spiece.model", "sentencepiece*.model", "tekken.json", "*.tiktoken", "chat_template*",
    "config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
    "additional_config.json", "args.json",
    "training_args.*", "optimizer*", "scheduler*", "scaler*", "rng_state*", "random_states*", "*_states.pt",
    "trainer_state.json", "*.jsonl", "*_results.json", "*tfevents*", "zero_to_fp32.py", "latest", "recipe.py", "*.ipynb",
)  # fmt: skip
HIDDEN_FOLDERS = ("__macosx", ".*")
FOLDERS_PASSED_OVER = (*HIDDEN_FOLDERS, "runs", "logs", "wandb", "global_step*", "additional_chat_templates")


def files_of(path: Path) -> dict[str, bytes]:
    """
    The files of the one adapter in a zip, by name, wherever in it they lie. Raises PlaygroundError: too large, two
    adapters, a file that has no place beside one, no safetensors; zipfile's own errors for what is no zip.
    """
    if path.stat().st_size > settings.MAX_UPLOAD_BYTES or _directory_bytes(path) > settings.MAX_ZIP_DIRECTORY_BYTES:
        raise PlaygroundError("upload_too_large", maximum=settings.MAX_UPLOAD_BYTES // 1_000_000)
    with zipfile.ZipFile(path) as archive:
        entries = _checked([entry for entry in archive.infolist() if not entry.is_dir()])
        return {name: _read(archive, entry) for name, entry in entries.items()}


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """As many bytes as the entry claims: without a number zipfile inflates all that there is before it cuts."""
    with archive.open(entry) as file:
        return file.read(entry.file_size)


def _directory_bytes(path: Path) -> int:
    """What the list of entries takes, as the end of the zip says (APPNOTE 4.3.16); zipfile holds it in memory at once."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_557))  # the end record, and the longest comment after it
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    return int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0


def begins_as_zip(path: Path) -> bool:
    """Whether it is a zip, or was one before it was damaged or cut off."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04" or zipfile.is_zipfile(path)


def passed_over(name: str) -> bool:
    """Whether a file of the archive is none of ours, by its name or by a folder that it lies in."""
    path = PurePosixPath(name.lower())
    ours = path.name in (*READ, *PICKLES)  # people also keep adapters in folders called `runs`
    patterns = HIDDEN_FOLDERS if ours else FOLDERS_PASSED_OVER
    if any(fnmatchcase(folder, pattern) for folder in path.parts[:-1] for pattern in patterns if folder != "."):
        return True
    return not ours and any(fnmatchcase(path.name, pattern) for pattern in PASSED_OVER)


def _checked(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries to read, by name. Raises PlaygroundError."""
    folders: defaultdict[str, list[zipfile.ZipInfo]] = defaultdict(list)
    for entry in entries:
        if _leads_elsewhere(entry.filename):
            raise _forbidden(entry)
        if not passed_over(entry.filename):
            folders[entry.filename.rpartition("/")[0]].append(entry)
    adapters = [folder for folder, held in folders.items() for one in held if _name(one) == CONFIG]
    if len(adapters) > 1:
        raise PlaygroundError("upload_two", count=len(adapters), folders=", ".join(one[:40] or "." for one in adapters[:3]))
    home = adapters[0] if adapters else min(folders, default="", key=len)
    for entry in (one for held in folders.values() for one in held):
        if _name(entry) in PICKLES:
            raise PlaygroundError("upload_pickle", file=_name(entry))
        if _name(entry) not in READ or entry.filename.rpartition("/")[0] != home or _is_link(entry):
            raise _forbidden(entry)
    found = {_name(entry): entry for entry in folders[home]}
    if len(found) < len(folders[home]):  # two entries of one name
        raise _forbidden(folders[home][-1])
    _check_sizes(found)
    return found


def _check_sizes(found: dict[str, zipfile.ZipInfo]) -> None:
    """By what the entries claim, of which no more is read. Raises PlaygroundError."""
    missing = [name for name in (CONFIG, WEIGHTS) if name not in found]
    if missing:
        raise PlaygroundError("upload_missing", files=", ".join(missing))
    if sum(entry.file_size for entry in found.values()) > settings.MAX_UNPACKED_BYTES:
        raise PlaygroundError("upload_too_large", maximum=settings.MAX_UNPACKED_BYTES // 1_000_000)
    for name, entry in found.items():
        if entry.file_size > MAXIMA.get(name, settings.MAX_UNPACKED_BYTES):
            raise PlaygroundError("upload_file_too_large", file=name, maximum=MAXIMA[name] // 1000)
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PlaygroundError("upload_unreadable", reason=f"{name}: encrypted, or compressed in an unusual way")


def _name(entry: zipfile.ZipInfo) -> str:
    return entry.filename.rpartition("/")[2]


def _leads_elsewhere(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/") or "\\" in name or name[1:3] == ":/"


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return (entry.external_attr >> 16) & 0o170000 == 0o120000


def _forbidden(entry: zipfile.ZipInfo) -> PlaygroundError:
    return PlaygroundError("upload_forbidden", file=entry.filename[:80])
