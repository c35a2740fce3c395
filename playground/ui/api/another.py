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
    What is known of a base before anything of it is loaded: licence, architecture (layers, width, context in tokens), size
    (parameters, `stored`: how many numbers of each type, `bytes` of its weights' files), the bytes of memory that it takes
    as it is computed here and in NF4, those that are kept of all bases, and what will not work on it, each with its reason.

    Args:
        base: an id of the Hugging Face hub (owner/name), or a folder's whole path on the machine that serves
    """
    found, language = another.examine(base), choose(accepted(request))

    def said(errors: Mapping[str, PlaygroundError]) -> dict[str, str]:
        return {one: error.told(language) for one, error in errors.items()}

    beyond = found["too_large"]
    without = {kind: said(errors) for kind, errors in found["without"].items()}
    return {**found, "too_large": beyond and beyond.told(language), "without": without}


def load_base(base: str, request: gr.Request) -> dict[str, Any]:  # type: ignore[misc]
    """
    Load a base and add it to this session's own: a stream of how that goes, `fraction` of the download from 0 to 1, the last
    one `ready`. Its `id` is what other endpoints take. Cancelling stops the download.

    Args:
        base: as for `examine_base`, or a base id
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
    """
    return another.fetch_adapter(key_of(request), adapter, base)


ENDPOINTS: Mapping[str, Callable[..., Any]] = {
    "examine_base": examine_base,
    "load_base": load_base,
    "fetch_adapter": fetch_adapter,
}
