"""
A folder to a repository of the Hugging Face Hub, by its own client, with a visitor's token that nobody keeps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

from playground.errors import PlaygroundError
from playground.hub import State, Trouble, in_words

TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class There:
    """A repository by its `owner/name` and its page, and the commit that was put into it."""

    repository: str
    address: str
    commit: str


def push(folder: Path, repository: str, token: str, private: bool = True) -> str:
    """As `put`; the address of the repository."""
    return put(folder, repository, token, private).address


def clean(token: str) -> str:
    """A token as a request can carry it. Raises PlaygroundError for none, and for what can be none."""
    if not (token := token.strip()):
        raise PlaygroundError("push_no_token")
    if not TOKEN.fullmatch(token):
        raise PlaygroundError("push_token")
    return token


def put(folder: Path, repository: str, token: str, private: bool = True, own: bool = False) -> There:
    """
    Create `name` or `owner/name` if it is not there, and put all files of the folder into it in one commit. HF_ENDPOINT
    says where the hub is. Raises PlaygroundError: no name, no token, no network, what the hub refuses, and a repository
    that has been public before where the files are the visitor's `own`.
    """
    from huggingface_hub import HfApi

    repository, token = repository.strip(), clean(token)
    if not repository:
        raise PlaygroundError("push_no_name")
    hub = HfApi(token=token)
    with in_words(partial(_said, repository)):
        place = hub.create_repo(repository, private=private, exist_ok=True)
        if own and not hub.model_info(place.repo_id).private:
            raise PlaygroundError("gpu_public", name=place.repo_id)
        commit = hub.upload_folder(repo_id=place.repo_id, folder_path=folder, commit_message="From PEFT Playground")
    return There(place.repo_id, str(place), commit.oid)


def usual(found: Trouble) -> PlaygroundError | None:
    """What is said whatever was asked for: the hub is not reached, does not know the token, was asked too often."""
    if found.state in (State.OFFLINE, State.UNREACHED):
        return PlaygroundError("push_offline")
    if found.status == HTTPStatus.UNAUTHORIZED:
        return PlaygroundError("push_token")
    return PlaygroundError("push_rate") if found.state is State.BUSY else None


def _said(repository: str, found: Trouble) -> PlaygroundError:
    if found.state is State.NO_ID:
        return PlaygroundError("push_name", name=repository[:100])
    if found.status == HTTPStatus.FORBIDDEN:
        return PlaygroundError("push_forbidden", name=repository)
    return usual(found) or PlaygroundError("push_refused", status=found.status, name=repository)
