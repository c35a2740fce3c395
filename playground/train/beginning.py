"""
Before the first step: LoRA's factors begin as the job's initialization says (`adapt.initialization`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch

from playground.adapt.initialization import READING, Beginning, begin, chosen
from playground.model.bases import Base
from playground.model.catalogue import in_floats
from playground.train.batches import Encoded, by_length
from playground.train.job import TrainingJob


def beginning(
    job: TrainingJob, base: Base, model: Any, examples: Sequence[Encoded], get_base: Callable[[str], Base]
) -> Generator[None, None, None]:
    """Fill the model's factors in, of the examples that are trained on; pauses in between. Nothing to do for noise."""
    kind = chosen(job.hyperparameters)
    inputs = read(examples, base) if kind in READING else []
    unrounded = get_base(in_floats(base.id)) if kind == "loftq" else None
    yield from begin(Beginning(base, model, job.hyperparameters, inputs, unrounded))


def read(examples: Sequence[Encoded], base: Base) -> list[dict[str, torch.Tensor]]:
    """All examples in batches as a model takes them, like lengths together, padded on the right."""
    return [_padded([ids for ids, _ in batch], base) for batch in by_length(examples)]


def _padded(batch: Sequence[list[int]], base: Base) -> dict[str, torch.Tensor]:
    longest, pad = max(map(len, batch)), base.tokenizer.pad_token_id
    ids = torch.tensor([one + [pad] * (longest - len(one)) for one in batch], device=base.device)
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in batch], device=base.device)
    return {"input_ids": ids, "attention_mask": mask}
