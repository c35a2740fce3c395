"""
The endpoints for bases that are not in the catalogue, and for adapters of the hub.
"""

# No postponed annotations here: see endpoints.py.
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import gradio as gr

from playground import settings
from playground.actions import another
from playground.errors import PlaygroundError
from playground.locales import choose
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import accepted, gone


def examine_base(base: str, request: gr.Request) -> dict[str, Any]:
    """
    What is known of a base before anything of it is loaded: licence, architecture, size, the memory that it takes here and
    in NF4, and what will not work on it.

    Args:
        base: an id of the Hugging Face hub (owner/name), or a folder's whole path on the machine that serves

    Returns:
        {id, name, source, repository, licence, gated, here, kind, layers, width, context, chat, parameters, stored, bytes,
            memory, memory_nf4, kept, too_large, without: {methods, labs}}: context is in tokens; stored says how many
            numbers of each type; bytes are those of the weights' files, kept those that are kept of all bases; what will
            not work on it has its reason

    Raises:
        other bases are not allowed here, an id or a folder that does not exist, a hub that is not reached or wants a
            token, a model without safetensors or of a kind that is not served
    """
    found, language = another.examine(base), choose(accepted(request))

    def said(errors: Mapping[str, PlaygroundError]) -> dict[str, str]:
        return {one: error.told(language) for one, error in errors.items()}

    beyond = found["too_large"]
    without = {kind: said(errors) for kind, errors in found["without"].items()}
    return {**found, "too_large": beyond and beyond.told(language), "without": without}


def load_base(base: str, request: gr.Request) -> dict[str, Any]:  # type: ignore[misc]
    """
    Load a base and add it to this session's own. Cancelling stops the download.

    Args:
        base: as for examine_base, or a base id

    Returns:
        a stream of {id, name, state, fraction, device, dtype}: fraction of the download from 0 to 1, the last state is
            ready; the id is what other endpoints take

    Raises:
        as examine_base, or too little memory
    """
    with closing(another.bring(key_of(request), base)) as going:
        for status in going:
            if gone():
                return
            yield {name: status[name] for name in ("id", "name", "state", "fraction", "device", "dtype")}


def fetch_adapter(adapter: str, request: gr.Request, base: str = settings.DEFAULT_BASE) -> dict[str, Any]:
    """
    An adapter's folder on the hub, as PEFT saves it, checked as an uploaded zip is and added to this session; its summary.

    Args:
        adapter: an id of the Hugging Face hub (owner/name) with adapter_config.json and adapter_model.safetensors
        base: the base id that it is put on

    Returns:
        the adapter, as in /adapters

    Raises:
        a hub that is not reached or wants a token, a folder that is no adapter of PEFT, without safetensors, or for
            another base
    """
    return another.fetch_adapter(key_of(request), adapter, base)


ENDPOINTS: Mapping[str, Callable[..., Any]] = {
    "examine_base": examine_base,
    "load_base": load_base,
    "fetch_adapter": fetch_adapter,
}
