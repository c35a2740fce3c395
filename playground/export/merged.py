"""
A model folder with the adapter in its weights, zipped, as plain transformers loads it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, ZipFile

from playground import settings
from playground.adapt.adapters import Adapter
from playground.adapt.attach import FEW_SHOT, attach
from playground.adapt.variant import MERGEABLE, Variant
from playground.errors import PlaygroundError
from playground.model.weights import held_bytes

if TYPE_CHECKING:
    from playground.model.bases import Base


def check(adapter: Adapter) -> None:
    """Raises PlaygroundError for a method that leaves the weights as they are."""
    if adapter.record.method == FEW_SHOT or (adapter.config and adapter.record.method not in MERGEABLE):
        raise PlaygroundError("nothing_to_merge", method=adapter.record.method)


def write(adapter: Adapter, base: Base, path: Path) -> None:
    """
    The adapter and a base in floats, which stays as it is; one that was trained over rounded weights is added to the whole
    ones. Raises PlaygroundError (`check`, `check_size`).
    """
    check(adapter)
    check_size(base.model)
    model = attach(base, Variant(base.id, adapter, merged=adapter.config is not None)).model
    zip_model(model, base.tokenizer, path)


def check_size(model: Any) -> int:
    """The bytes of a model that is to be taken away. Raises PlaygroundError for too many."""
    size = held_bytes(model)
    if size > settings.MAX_MODEL_BYTES:
        maximum = round(settings.MAX_MODEL_BYTES / 1e9, 1)
        raise PlaygroundError("model_too_large", size=round(size / 1e9, 1), maximum=maximum)
    return size


def zip_model(model: Any, tokenizer: Any, path: Path) -> None:
    """Config, safetensors, tokenizer and chat template in a folder called as the zip is."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, ZipFile(path, "w", ZIP_STORED) as packed:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        for one in sorted(Path(folder).iterdir()):
            packed.write(one, f"{path.stem}/{one.name}")
