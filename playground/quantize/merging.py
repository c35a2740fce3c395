"""
What merging an update into 4-bit weights loses, in weights and in predictions (Dettmers et al. 2023, arXiv 2305.14314).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft.utils.integrations import dequantize_bnb_weight
from torch import nn
from torch.nn import functional

from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.tasks import Task
from playground.adapt.variant import Variant
from playground.compare.divergence import kl
from playground.errors import PlaygroundError
from playground.lowrank.updates import updates
from playground.model.bases import Base
from playground.model.catalogue import held_in, in_floats, split_id
from playground.model.weights import weight_of
from playground.quantize.qlora import COMPARED, FOUR_BIT
from playground.train.batches import Encoded, by_length
from playground.train.evaluation import response_logits


def four_bit_id(adapter: Adapter) -> str:
    """The NF4 form that an adapter is merged into: QLoRA's own; for one trained on float weights the usual one."""
    used = Variant.of(adapter.record.base, adapter).base
    return used if split_id(used)[1] in FOUR_BIT else held_in(used, "nf4_double")


@dataclass(frozen=True)
class MergeJob:
    """Measure what merging a LoRA or QLoRA adapter into NF4 weights costs, on the held-out examples of a task."""

    adapter: Adapter
    task: Task


@dataclass(frozen=True)
class Merge:
    """
    One module's W + ΔW written into 4 bits as W′. `rounding` is ‖W′ − (W + ΔW)‖ / ‖ΔW‖ (1: as large as the update
    itself; None for an update of zeros), `kept` how many of its `entries` have the 4-bit code of W.
    """

    module: str
    rounding: float | None
    kept: int
    entries: int


@dataclass(frozen=True)
class Losses:
    """
    Held-out losses in nats of the NF4 base, the adapter on it, merged into it, and merged into the float base.
    `kl` is the mean over `tokens` of KL(merged ‖ adapter); `float_difference` the largest change of a logit by merging
    into the float base.
    """

    base: float
    adapter: float
    merged: float
    merged_float: float
    kl: float
    float_difference: float
    tokens: int


@dataclass(frozen=True)
class Merging:
    """What merging costs, in weights and, once measured, in predictions."""

    base: str
    modules: tuple[Merge, ...]
    losses: Losses | None = None

    @property
    def rounding(self) -> float | None:
        """Mean over the modules whose update is not zero."""
        known = [one.rounding for one in self.modules if one.rounding is not None]
        return sum(known) / len(known) if known else None

    @property
    def kept(self) -> float:
        """The share of entries whose code is what it was."""
        return sum(one.kept for one in self.modules) / sum(one.entries for one in self.modules)


def merging(job: MergeJob, get_base: Callable[[str], Base]) -> Iterator[Merging]:
    """
    What the weights lose, module by module, then what the predictions lose.

    Raises PlaygroundError before the first value for an adapter that is no LoRA or that does not fit.
    """
    if job.adapter.record.method not in COMPARED:
        raise PlaygroundError("not_mergeable", method=job.adapter.record.method)
    base = get_base(four_bit_id(job.adapter))
    whole = attach(base, Variant(base.id, job.adapter, merged=True)).model
    found = Merging(base.id, ())
    for module in updates(base, job.adapter):
        found = replace(found, modules=(*found.modules, merge_of(base, job.adapter, whole, module)))
        yield found
    yield from _predictions(found, job, base, get_base(in_floats(base.id)), whole)


def merge_of(base: Base, adapter: Adapter, whole: nn.Module, module: str) -> Merge:
    """One module of `whole`, the base with the adapter merged into it."""
    weight = weight_of(base.model, module)
    written: Any = whole.get_submodule(module).weight
    update = updates(base, adapter)[module].delta(weight)
    off = dequantize_bnb_weight(written).float().cpu() - (weight + update)
    size = float(torch.linalg.norm(update.double()))
    same = codes(base.model.get_submodule(module).weight) == codes(written)
    return Merge(module, float(torch.linalg.norm(off.double())) / size if size else None, int(same.sum()), same.numel())


def codes(weight: Any) -> torch.Tensor:
    """The 4-bit codes of a bitsandbytes weight, two of each byte, in no particular order."""
    packed = weight.detach().data.view(torch.uint8).flatten()
    return torch.stack([packed >> 4, packed & 15])


def _predictions(found: Merging, job: MergeJob, base: Base, plain: Base, whole: nn.Module) -> Iterator[Merging]:
    """Batch by batch, so that only one batch's logits are held; yields in between, so that other work has its turn."""
    models = {
        "base": base.view().eval(),
        "adapter": attach(base, Variant(base.id, job.adapter)).model,
        "merged": whole,
        "float": attach(plain, Variant(plain.id, job.adapter)).model,
        "merged_float": attach(plain, Variant(plain.id, job.adapter, merged=True)).model,
    }
    read = by_length([tasks.encode(base.tokenizer, one) for one in job.task.held_out])
    sums, divergence, difference, count = dict.fromkeys(models, 0.0), 0.0, 0.0, 0
    for batch in read:
        logits: dict[str, torch.Tensor] = {}
        for name, model in models.items():
            logits[name], targets = _logits(model, batch, base)
            sums[name] += float(functional.cross_entropy(logits[name], targets, reduction="sum"))
            yield found
        count += len(targets)
        here, there = (logits[name].double().log_softmax(-1) for name in ("merged", "adapter"))
        divergence += float(kl(here, there).sum())
        difference = max(difference, float((logits["merged_float"] - logits["float"]).abs().max()))
    means = {name: sums[name] / count for name in ("base", "adapter", "merged", "merged_float")}
    losses = Losses(**means, kl=divergence / count, float_difference=difference, tokens=count)
    yield replace(found, losses=losses)


@torch.inference_mode()
def _logits(model: nn.Module, batch: Sequence[Encoded], base: Base) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every response token of a batch: (tokens, vocabulary), and which one it is (tokens,)."""
    return response_logits(model, batch, base.tokenizer.pad_token_id)
