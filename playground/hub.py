"""
The state that the Hugging Face hub is in: one name for whatever its own client raises. What is said of it depends on what
was asked for, so that is up to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from playground.errors import PlaygroundError


class State(Enum):
    """How it was found."""

    GATED = auto()
    MISSING = auto()
    NO_ID = auto()
    NO_FILE = auto()
    OFFLINE = auto()  # as was set here
    UNREACHED = auto()  # there is no network, or it is too slow
    BUSY = auto()  # it was asked too often
    REFUSED = auto()  # with another status
    GARBLED = auto()  # what came is not what was asked for


@dataclass(frozen=True)
class Trouble:
    """Why the hub did not give what it was asked for: the state, its status (0: it did not answer), its own words."""

    state: State
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

    kinds: tuple[tuple[Any, State], ...] = (
        (errors.GatedRepoError, State.GATED),  # before what it is a kind of
        (errors.RepositoryNotFoundError, State.MISSING),
        (errors.HFValidationError, State.NO_ID),
        (errors.OfflineModeIsEnabled, State.OFFLINE),
        (errors.RemoteEntryNotFoundError, State.NO_FILE),
        (errors.SafetensorsParsingError, State.GARBLED),
    )
    causes = list(_causes(error))
    for one in causes:
        answer = getattr(one, "response", None)
        status, said = getattr(answer, "status_code", 0), str(getattr(one, "server_message", None) or "")
        state = next((state for kind, state in kinds if isinstance(one, kind)), None)
        if state or status >= HTTPStatus.BAD_REQUEST:
            file = str(answer.url).rpartition("/")[2] if state is State.NO_FILE and answer is not None else ""
            refused = State.BUSY if status == HTTPStatus.TOO_MANY_REQUESTS else State.REFUSED
            return Trouble(state or refused, status, said, file)
    silent = (
        errors.RevisionResolutionError, errors.LocalEntryNotFoundError, httpx2.HTTPError, ConnectionError,
    )  # fmt: skip
    return Trouble(State.UNREACHED) if any(isinstance(one, silent) for one in causes) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
