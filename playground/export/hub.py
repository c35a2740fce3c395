"""
A folder to a repository of the Hugging Face Hub, by its own client, with a visitor's token that nobody keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playground.errors import PlaygroundError

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


def put(folder: Path, repository: str, token: str, private: bool = True) -> There:
    """
    Create `name` or `owner/name` if it is not there, and put all files of the folder into it in one commit. HF_ENDPOINT
    says where the hub is. Raises PlaygroundError: no name, no token, no network, and what the hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    repository, token = repository.strip(), token.strip()
    if not repository:
        raise PlaygroundError("push_no_name")
    if not token:
        raise PlaygroundError("push_no_token")
    hub = HfApi(token=token)
    with in_words(partial(_refused, repository)):
        try:
            place = hub.create_repo(repository, private=private, exist_ok=True)
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
