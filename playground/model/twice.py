"""
A base twice, where a GPU is lent for seconds: on the processor for the page and its labs, on the GPU for whoever runs there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from playground import settings
from playground.model import libraries
from playground.model.bases import BASES


def twice(base_id: str) -> Callable[[], None]:
    """
    Load a base on the processor, where this process computes from now on, and once more on "cuda"; what is returned has a
    process on the GPU find that one, and load others there. Raises PlaygroundError if the base cannot be had.
    """
    import torch

    from playground.model.loading import load_folder

    settings.DEVICE = "cpu"
    here = BASES.get(base_id)
    model, _ = load_folder(here.folder, here.spec, "cuda", None)
    there = replace(here, model=model, device_name=torch.cuda.get_device_name(), products=None)

    def arrive() -> None:
        settings.DEVICE = "cuda"
        libraries.forked()
        BASES.forked(there)

    return arrive
