"""
A base that nobody has put into the catalogue, and adapters for it from the hub: looked at before anything is loaded, then
loaded for whoever typed it.

Its memory is everybody's, as that of every base; the list that it stands in is one visitor's.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.actions import catalogue
from playground.actions.labs import lab_misfits
from playground.adapt import fitting
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.catalogue import CATALOGUE, TYPED, in_floats, typed
from playground.model.memory import STORE
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.model.candidate import Candidate


def check_allowed() -> None:
    """Raises PlaygroundError where the page's settings allow nothing but the catalogue."""
    if not settings.ANY_BASE:
        raise PlaygroundError("any_base_off")


def examine(text: str) -> dict[str, Any]:
    """
    What is known of a base before it is loaded: size, licence, architecture, memory, what will work on it and what not. The
    values of `methods` and `labs` that will not are PlaygroundErrors. Raises PlaygroundError: see `candidate`.
    """
    from playground.model.candidate import candidate

    check_allowed()
    return described(candidate(text))


def described(found: Candidate) -> dict[str, Any]:
    from playground.model.needed import check_machine, expected_bytes
    from playground.model.tokens import context_of

    spec, config = found.spec, found.skeleton.config.get_text_config()
    architecture = spec.architecture
    assert architecture is not None, "a candidate's is always known"
    try:
        check_machine(spec)
        beyond = None
    except PlaygroundError as error:
        beyond = error
    return {
        "id": spec.id,
        "name": spec.name,
        "source": spec.source,
        "repository": spec.repository if spec.source == "hub" else "",
        "licence": found.licence,
        "gated": found.gated,
        "here": found.here,
        "kind": str(found.skeleton.config.model_type),
        "layers": int(config.num_hidden_layers),
        "width": architecture.hidden_size,
        "context": context_of(found.skeleton),
        "chat": found.chat,
        "parameters": architecture.parameters,
        "stored": dict(found.numbers),
        "bytes": found.bytes,
        "memory": expected_bytes(spec, None),
        "memory_nf4": expected_bytes(spec, "nf4"),
        "kept": STORE.budget(),
        "too_large": beyond,
        "without": {"methods": fitting.misfits(spec.id, architecture), "labs": lab_misfits(found)},
    }


def add(key: str, text: str) -> str:
    """
    Put a base into a session's own list, and nobody else's; its id, by which everything else asks for it. What the catalogue
    has already is that. Raises PlaygroundError as `examine`, and where the session has too many.
    """
    from playground.model.candidate import candidate, id_of

    session, base_id = SESSIONS.get(key), id_of(text) if settings.ANY_BASE else text
    if base_id in CATALOGUE or base_id in session.bases:
        return base_id
    check_allowed()
    if len(session.bases) >= settings.MAX_TYPED_BASES:
        raise PlaygroundError("too_many_bases", maximum=settings.MAX_TYPED_BASES)
    spec = TYPED.get(base_id) or candidate(text).spec
    session.bases[base_id] = typed(spec)
    return base_id


def bring(key: str, text: str) -> Generator[dict[str, Any], None, None]:
    """
    Load what is typed and add it to the session's list: how that goes (`catalogue.base_status`, with its `id`). Closing it
    stops the download, unless somebody else waits for it too. Raises PlaygroundError; then the list is as it was.
    """
    before = dict(SESSIONS.get(key).bases)
    base_id = add(key, text)
    try:
        for _ in BASES.follow(base_id):
            yield {"id": base_id, **catalogue.base_status(base_id)}
    except BaseException:  # also when it is stopped
        if base_id not in before:
            SESSIONS.get(key).bases.pop(base_id, None)
        raise
    yield {"id": base_id, **catalogue.base_status(base_id)}


def fetch_adapter(key: str, text: str, base_id: str) -> dict[str, Any]:
    """An adapter's folder on the hub, added to the session as an uploaded zip is; its summary. Raises PlaygroundError."""
    check_allowed()
    return receive(key, text, base_id)


def receive(key: str, text: str, base_id: str, token: str = "") -> dict[str, Any]:
    """The same wherever it comes from by itself, as from a visitor's own job; with a `token` of a private repository."""
    from playground.adapt import fetched, uploads
    from playground.train.record import new_id

    repository, files = fetched.files_of(text, token)
    SESSIONS.check_room(key, settings.MAX_UNPACKED_BYTES)
    adapter = uploads.checked(files, repository.rpartition("/")[2], BASES.get(in_floats(base_id)), new_id())
    SESSIONS.add(key, adapter)
    return SESSIONS.get(key).library.get(adapter.id).summary()
