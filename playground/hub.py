"""
The state that the Hugging Face hub is in: one name for whatever its own client raises. What is said of it depends on what
was asked for, so that is up to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playground.errors import PlaygroundError

GATED, MISSING, NO_ID, NO_FILE = "gated", "missing", "no id", "no file"
OFFLINE, UNREACHED = "offline", "unreached"  # as was set here; there is no network, or it is too slow
REFUSED, GARBLED = "refused", "garbled"  # with a status; what came is not what was asked for
REFUSALS, TOO_MANY = 400, 429  # statuses: the first that is one; of a hub that was asked too often


@dataclass(frozen=True)
class Trouble:
    """Why the hub did not give what it was asked for: the state, its status (0: it did not answer), its own words."""

    state: str
    status: int = 0
    said: str = ""
    file: str = ""  # its name, where there is no such


@contextmanager
def in_words(word: Callable[[Trouble], PlaygroundError]) -> Iterator[None]:
    """Raises what `word` makes of the trouble, for whatever the hub's client raises because of the state of the hub."""
    try:
        yield
    except PlaygroundError:
        raise
    except Exception as error:
        found = trouble(error)
        if found is None:
            raise
        raise word(found) from error


def trouble(error: BaseException) -> Trouble | None:
    """Of an error or of what it came from; None for one that has nothing to do with the hub."""
    import httpx2  # huggingface_hub's own
    from huggingface_hub import errors

    kinds: tuple[tuple[Any, str], ...] = (
        (errors.GatedRepoError, GATED),  # before what it is a kind of
        (errors.RepositoryNotFoundError, MISSING),
        (errors.HFValidationError, NO_ID),
        (errors.OfflineModeIsEnabled, OFFLINE),
        (errors.RemoteEntryNotFoundError, NO_FILE),
        (errors.SafetensorsParsingError, GARBLED),
    )
    for one in _causes(error):
        answer = getattr(one, "response", None)
        status, said = getattr(answer, "status_code", 0), str(getattr(one, "server_message", None) or "")
        state = next((name for kind, name in kinds if isinstance(one, kind)), REFUSED if status >= REFUSALS else "")
        if state:
            file = str(answer.url).rpartition("/")[2] if state == NO_FILE and answer is not None else ""
            return Trouble(state, status, said, file)
    reached = (errors.LocalEntryNotFoundError, httpx2.HTTPError, ConnectionError)
    return Trouble(UNREACHED) if isinstance(error, reached) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
