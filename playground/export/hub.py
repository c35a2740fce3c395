"""
A folder to a repository of the Hugging Face Hub, by its own client, with a visitor's token that nobody keeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playground.errors import PlaygroundError

TOKEN = re.compile(r"[!-~]+")
NO_TOKEN, FORBIDDEN, TOO_MANY = 401, 403, 429  # the hub's answers


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
    from huggingface_hub.errors import HFValidationError

    repository, token = repository.strip(), clean(token)
    if not repository:
        raise PlaygroundError("push_no_name")
    hub = HfApi(token=token)
    with in_words(partial(_refused, repository)):
        try:
            place = hub.create_repo(repository, private=private, exist_ok=True)
            if own and not hub.model_info(place.repo_id).private:
                raise PlaygroundError("gpu_public", name=place.repo_id)
            commit = hub.upload_folder(repo_id=place.repo_id, folder_path=folder, commit_message="From PEFT Playground")
        except HFValidationError as error:
            raise PlaygroundError("push_name", name=repository[:100]) from error
    return There(place.repo_id, str(place), commit.oid)


@contextmanager
def in_words(refused: Callable[[int, str], PlaygroundError]) -> Iterator[None]:
    """Raises PlaygroundError where the hub is not reached, and what `refused` makes of its status and its own words."""
    import httpx2  # the one of huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        raise refused(error.response.status_code, str(error.server_message or "")[:200]) from error
    except (OfflineModeIsEnabled, httpx2.TransportError, ConnectionError) as error:
        raise PlaygroundError("push_offline") from error


def _refused(repository: str, status: int, said: str) -> PlaygroundError:
    if status == NO_TOKEN:
        return PlaygroundError("push_token")
    if status == FORBIDDEN:
        return PlaygroundError("push_forbidden", name=repository)
    if status == TOO_MANY:
        return PlaygroundError("push_rate")
    return PlaygroundError("push_refused", status=status, name=repository)
