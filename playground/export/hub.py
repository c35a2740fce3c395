"""
A folder to a repository of the Hugging Face Hub, by its own client, with a visitor's token that nobody keeps.
"""

from __future__ import annotations

from pathlib import Path

from playground.errors import PlaygroundError

NO_TOKEN, FORBIDDEN, TOO_MANY = 401, 403, 429  # the hub's answers


def push(folder: Path, repository: str, token: str, private: bool = True) -> str:
    """
    Create `name` or `owner/name` if it is not there, put all files of the folder into it in one commit, and give its
    address. HF_ENDPOINT says where the hub is. Raises PlaygroundError: no name, no token, no network, and what the hub
    refuses.
    """
    import httpx2  # the one of huggingface_hub
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    repository, token = repository.strip(), token.strip()
    if not repository:
        raise PlaygroundError("push_no_name")
    if not token:
        raise PlaygroundError("push_no_token")
    hub = HfApi(token=token)
    try:
        place = hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(repo_id=place.repo_id, folder_path=folder, commit_message="From PEFT Playground")
    except HFValidationError as error:
        raise PlaygroundError("push_name", name=repository[:100]) from error
    except HfHubHTTPError as error:
        raise _refused(error.response.status_code, repository) from error
    except (OfflineModeIsEnabled, httpx2.TransportError, ConnectionError) as error:
        raise PlaygroundError("push_offline") from error
    return str(place)


def _refused(status: int, repository: str) -> PlaygroundError:
    if status == NO_TOKEN:
        return PlaygroundError("push_token")
    if status == FORBIDDEN:
        return PlaygroundError("push_forbidden", name=repository)
    if status == TOO_MANY:
        return PlaygroundError("push_rate")
    return PlaygroundError("push_refused", status=status, name=repository)
