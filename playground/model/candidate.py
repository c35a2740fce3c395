"""
A base before it is loaded: what its config, the headers of its weights and its card tell, of the hub or of a folder.

No weight is read and no code that comes with it is run. Knows nothing about methods or labs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.bounds import check_text, shown
from playground.errors import PlaygroundError
from playground.model import hub, libraries
from playground.model.catalogue import CATALOGUE, FOLDER, BaseSpec
from playground.model.claims import check_claims

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONFIG, ADAPTER = "config.json", "adapter_config.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf")  # weights that are not read here
AWAY = ("hub_offline", "no_network", "hub_fails", "hub_rate_limited")  # what is here already goes on without the hub
# What transformers raises for a config that makes no sense
UNREADABLE = (
    OSError, ValueError, RuntimeError, LookupError, AttributeError, TypeError, ImportError, ArithmeticError, AssertionError,
)  # fmt: skip
TEMPLATES = ("chat_template.jinja", "chat_template.json")


@dataclass(frozen=True, eq=False)
class Candidate:
    """
    `spec` as the catalogue would have it; `skeleton` is the model without its numbers (on the meta device). `numbers` are
    counted by the type that the files hold them in; `bytes` are of all weights' files, `licence` is "" where the card names
    none, None without a card.
    """

    spec: BaseSpec
    skeleton: PreTrainedModel
    licence: str | None
    gated: bool
    numbers: Mapping[str, int]
    bytes: int
    chat: bool  # whether it has a chat template
    here: bool  # whether its files are on this machine


def candidate(text: str) -> Candidate:
    """
    What is typed: a hub id, the address of its page, or a folder's whole path. Raises PlaygroundError: neither of them, a
    state of the hub, an adapter, no safetensors, another kind of model.
    """
    text = str(text).strip()[: settings.MAX_TYPED_CHARACTERS]
    check_text("base", text)
    if is_folder(text):
        return _of_folder(path_of(text), "")
    return _of_hub(hub.repository_of(text))


def is_folder(text: str) -> bool:
    """Whether what is typed is a path, and no id of the hub."""
    return Path(text).is_absolute() or text.startswith("~")


def path_of(text: str) -> Path:
    """The folder that is typed. Raises PlaygroundError: nobody's home, a character that no path has."""
    try:
        found = Path(text).expanduser()
        found.resolve()
    except (RuntimeError, ValueError, OSError) as error:  # "~nobody", NUL, links in a circle
        raise PlaygroundError("not_a_repository", text=shown(text.strip(), 80)) from error
    return found


def id_of(text: str) -> str:
    """The id that what is typed has as a base: its own in the catalogue. Raises PlaygroundError for what is no id."""
    if is_folder(text):
        path = str(path_of(text).resolve())
        for spec in CATALOGUE.values():
            if spec.source == "local" and str(Path(spec.repository).resolve()) == path:
                return spec.id
        return FOLDER + hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:10]
    if text.strip() in CATALOGUE:
        return text.strip()
    repository = hub.repository_of(text)
    known = {spec.repository.lower(): spec.id for spec in CATALOGUE.values() if spec.source == "hub"}
    return known.get(repository.lower(), repository)


def _of_folder(folder: Path, repository: str) -> Candidate:
    """Of a folder; of the cache's with its `repository`."""
    try:
        found = {one.name: one.stat().st_size for one in folder.iterdir() if one.is_file()}
    except FileNotFoundError as error:
        raise PlaygroundError("base_no_folder", folder=shown(str(folder), settings.MAX_TYPED_CHARACTERS)) from error
    except OSError:
        found = {}
    name = repository or shown(str(folder), settings.MAX_TYPED_CHARACTERS)
    _check_files(found, name)
    headers = _headers_in(folder, name)
    licence = _licence_in(folder)
    if repository:  # of the cache, into which no card is fetched
        licence = licence or ""
    return _made(folder, repository, licence, gated=False, files=found, headers=headers, here=True)


def _of_hub(repository: str) -> Candidate:
    try:
        told = hub.told(repository)
    except PlaygroundError as error:
        folder = hub.here(repository) if error.key in AWAY else None
        if folder is None:
            raise
        return _of_folder(folder, repository)
    _check_files(told.files, repository)
    config = hub.fetched(repository, CONFIG, told.sha)
    if "tokenizer_config.json" in told.files and not {*TEMPLATES} & {*told.files}:
        hub.fetched(repository, "tokenizer_config.json", told.sha)  # may hold the chat template
    headers = hub.headers(told)
    here = hub.here(repository, told.sha) is not None
    found = _made(config.parent, repository, told.licence, told.gated, told.files, headers, here)
    return replace(found, spec=replace(found.spec, revision=told.sha))


def _check_files(files: Mapping[str, int], name: str) -> None:
    """Raises PlaygroundError by the names and sizes of files alone."""
    if CONFIG not in files and ADAPTER in files:
        raise PlaygroundError("base_is_adapter", base=name)
    weights = [one for one in files if "/" not in one]
    if not any(one.endswith(".safetensors") for one in weights):
        pickle = next((one for one in weights if one.endswith(PICKLES)), "")
        if pickle:
            raise PlaygroundError("base_pickles", base=name, file=pickle)
        raise PlaygroundError("base_no_files", base=name)
    if CONFIG not in files:
        raise PlaygroundError("base_no_files", base=name)
    hub.check_sizes(files, name)


def _headers_in(folder: Path, name: str) -> Any:
    from huggingface_hub import get_local_safetensors_metadata
    from huggingface_hub.errors import NotASafetensorsRepoError, SafetensorsParsingError

    try:
        return get_local_safetensors_metadata(folder)
    except (SafetensorsParsingError, NotASafetensorsRepoError, OSError, ValueError) as error:
        raise PlaygroundError("header_unreadable", base=name) from error


def _licence_in(folder: Path) -> str | None:
    """What the model card in a folder names; None without one that can be read."""
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    try:
        return hub.licence_of(ModelCard.load(folder / "README.md", ignore_metadata_errors=True).data)
    except (OSError, ValueError, TypeError, YAMLError):  # no card, or one that cannot be read
        return None


def _made(
    folder: Path, repository: str, licence: str | None, gated: bool, files: Mapping[str, int], headers: Any, here: bool
) -> Candidate:
    from playground.model.architecture import architecture_of

    path = str(folder.resolve())
    name = repository.rpartition("/")[2] or folder.name
    made = skeleton(folder, name, len(headers.weight_map))
    id, source = (repository, "hub") if repository else (id_of(path), "local")
    spec = BaseSpec(id, name, source, repository or path, architecture_of(made))
    read = [size for file, size in files.items() if file in headers.files_metadata]
    return Candidate(spec, made, licence, gated, dict(headers.parameter_count), sum(read), _chats(folder, files), here)


def _chats(folder: Path, files: Mapping[str, int]) -> bool:
    """Whether a chat template lies beside a model, or in the config of its tokenizer."""
    told = folder / "tokenizer_config.json"
    return bool({*TEMPLATES} & {*files}) or (told.is_file() and '"chat_template"' in told.read_text("utf-8", "replace"))


def skeleton(folder: Path, name: str, tensors: int) -> PreTrainedModel:
    """
    The model that config.json describes, without numbers. `tensors` are in its files: a config that tells of more layers is
    none of theirs, and would take for ever to build. Raises PlaygroundError.
    """
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig, AutoModelForCausalLM

    from playground.model.loading import check_config

    try:
        check_claims(json.loads((folder / CONFIG).read_text("utf-8")), name, tensors)
        with libraries.IMPORTING:  # transformers builds models under global settings
            check_config(folder, name)
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            with torch.device("meta"):
                made: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except PlaygroundError:
        raise
    except (*UNREADABLE, StrictDataclassError) as error:
        raise PlaygroundError("base_unreadable", base=name, folder=CONFIG, reason=str(error)[:200]) from error
    made.config._name_or_path = name
    found: PreTrainedModel = made.eval()
    return found
