"""
A neutral text that no task and no format is made for, which a model reads before and after something was done to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground import settings

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base

TEXT = settings.EXAMPLES / "texts" / "harbour.txt"
WINDOW = 512  # tokens that are read at a time


def text_windows(base: Base) -> list[torch.Tensor]:
    """
    The shipped text as it is, without chat format: ids in windows of WINDOW tokens, or as many as the base can read, that
    do not overlap.
    """
    ids = base.tokenizer(TEXT.read_text(encoding="utf-8"), return_tensors="pt")["input_ids"][0]
    return [window for window in ids.split(min(WINDOW, base.context or WINDOW)) if len(window) > 1]
