"""
An adapter's folder on the Hugging Face hub: its config and its safetensors, fetched if they are not too large.

What the files say is checked as that of a zip (`uploads`). Knows nothing about bases.
"""

from __future__ import annotations

from playground import settings
from playground.adapt.adapters import CONFIG, RECORD, WEIGHTS
from playground.adapt.archive import MAXIMA, PICKLES
from playground.errors import PlaygroundError
from playground.model import hub

READ = (CONFIG, WEIGHTS, RECORD)


def files_of(text: str, token: str = "") -> tuple[str, dict[str, bytes]]:
    """
    The repository that somebody typed, and the files of its adapter by name; with a `token` also of a private one. Raises
    PlaygroundError: a state of the hub, no adapter, no safetensors, too large.
    """
    repository = hub.repository_of(text)
    told = hub.told(repository, token)
    if CONFIG not in told.files:
        raise PlaygroundError("hub_no_adapter", adapter=repository)
    pickle = next((one for one in PICKLES if one in told.files), None)
    if WEIGHTS not in told.files:
        if pickle:
            raise PlaygroundError("upload_pickle", file=pickle)
        raise PlaygroundError("hub_no_adapter", adapter=repository)
    sizes = {name: told.files[name] for name in READ if name in told.files}
    for name, size in sizes.items():
        most = MAXIMA.get(name, settings.MAX_UNPACKED_BYTES)
        if size > most:
            raise PlaygroundError("upload_file_too_large", file=name, maximum=most // 1000)
    if token:
        return repository, {name: hub.private(repository, name, token) for name in sizes}
    return repository, {name: hub.fetched(repository, name).read_bytes() for name in sizes}
