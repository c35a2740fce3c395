"""
One adapter under many edits: what each leaves of it loses on held-out responses. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from playground import settings
from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.tasks import Task
from playground.adapt.variant import Variant
from playground.compare.divergence import kl
from playground.lowrank.edits import Edit
from playground.model.bases import Base
from playground.train.batches import by_length
from playground.train.evaluation import response_logits

if TYPE_CHECKING:
    from playground.train.batches import Encoded


@dataclass(frozen=True)
class SweepJob:
    """
    Measure an adapter under several edits, on the held-out examples of a task: at most MAX_SWEEP_EXAMPLES of them, with at
    most MAX_SWEEP_TOKENS tokens in their responses.
    """

    base: str
    adapter: Adapter
    edits: tuple[Edit, ...]
    task: Task


@dataclass(frozen=True)
class Effect:
    """
    What is left of an adapter under an edit: the loss on held-out responses, and the mean over their tokens of
    KL(edited ‖ base), both in nats.
    """

    edit: Edit
    held_out_loss: float
    kl_from_base: float


@dataclass(frozen=True)
class Sweep:
    """The base's own loss and the effects so far, in the order of the edits."""

    base_loss: float
    effects: tuple[Effect, ...] = ()


def sweep(job: SweepJob, get_base: Callable[[str], Base]) -> Iterator[Sweep | None]:
    """
    The base's loss, then the effects as they come in; None while there is nothing yet. Raises PlaygroundError before the
    first if an edit makes no sense for the adapter.
    """
    edits = [edit.checked(job.adapter) for edit in job.edits]
    whole = Variant.of(job.base, job.adapter)
    base = get_base(whole.base)
    examples = job.task.held_out[: settings.MAX_SWEEP_EXAMPLES]
    read = by_length(_first([tasks.encode(base.tokenizer, example) for example in examples]))
    plain, reference = base.view().eval(), list[tuple[torch.Tensor, torch.Tensor]]()
    for batch in read:
        if reference:
            yield None
        reference.append(_log_probabilities(plain, batch, base))
    done = Sweep(_mean([_losses(log, targets) for log, targets in reference]))
    yield done
    for edit in edits:
        model = attach(base, replace(whole, edit=edit)).model
        losses, divergences = [], []
        for batch, (there, _) in zip(read, reference, strict=True):
            yield done  # now and then, so that other work has its turn and a stop is heard
            here, targets = _log_probabilities(model, batch, base)
            losses.append(_losses(here, targets))
            divergences.append(kl(here, there))
        done = Sweep(done.base_loss, (*done.effects, Effect(edit, _mean(losses), _mean(divergences))))
        yield done


def _first(encoded: list[Encoded]) -> list[Encoded]:
    """The examples that come first, as long as their responses have at most MAX_SWEEP_TOKENS tokens; at least one."""
    heard = accumulate(sum(label != tasks.IGNORE for label in labels) for _, labels in encoded)
    return encoded[: max(1, sum(count <= settings.MAX_SWEEP_TOKENS for count in heard))]


@torch.inference_mode()
def _log_probabilities(model: nn.Module, batch: Sequence[Encoded], base: Base) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every response token of a batch: (tokens, vocabulary), and which one it is (tokens,)."""
    logits, targets = response_logits(model, batch, base.tokenizer.pad_token_id)
    return logits.log_softmax(-1), targets


def _losses(log_probabilities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.nll_loss(log_probabilities, targets, reduction="none")


def _mean(parts: Sequence[torch.Tensor]) -> float:
    return float(torch.cat(list(parts)).double().mean())
