"""
QLoRA beside LoRA: one recipe trained on the 4-bit and on the float base, what each holds in memory, and what merging
the update into 4-bit weights loses (Dettmers et al. 2023, arXiv 2305.14314).

Knows nothing about where it runs or who watches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from peft.utils.integrations import dequantize_bnb_weight
from torch import nn
from torch.nn import functional

from playground import adapters, settings, tasks
from playground.adapters import LESS, Adapter
from playground.bases import Base, _tensors, split_id
from playground.errors import PlaygroundError
from playground.evaluation import Encoded, response_logits
from playground.generation import at_least_zero
from playground.methods import METHODS
from playground.tasks import Task
from playground.training import Ended, Evaluation, Event, Started, Step, TrainingJob, train
from playground.updates import updates, weight_of

COMPARED = ("lora", "qlora")
FOUR_BIT = ("nf4", "nf4_double")
BATCH = 8  # held-out examples read together

# Two trainings in turns


@dataclass(frozen=True)
class PairJob:
    """
    LoRA on the float base and QLoRA on its NF4 form, with the same task, `hyperparameters` (see `METHODS["qlora"]`; what
    is left out takes its default), steps and seed. `base` may be any form of the base.
    """

    base: str
    task: Task
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 8
    seed: int = 0

    def trainings(self) -> tuple[TrainingJob, TrainingJob]:
        """The checked job of each method. Raises PlaygroundError if they cannot be served."""
        steps = self.steps
        if not isinstance(steps, int) or isinstance(steps, bool):  # None would be each method's own, and no pair any more
            raise PlaygroundError("out_of_range", name="steps", value=steps, minimum=1, maximum=settings.MAX_STEPS)
        base, values = split_id(self.base)[0].id, METHODS["qlora"].complete(self.hyperparameters)
        shared = {name: value for name, value in values.items() if name != "double_quantization"}
        return (
            TrainingJob(base, "lora", self.task, shared, self.steps, self.seed).checked(),
            TrainingJob(base, "qlora", self.task, values, self.steps, self.seed).checked(),
        )

    def bases(self) -> tuple[str, str]:
        """The base that each method trains on. Raises PlaygroundError as `trainings`."""
        lora, qlora = self.trainings()
        return lora.base, METHODS["qlora"].base_id(qlora.base, qlora.hyperparameters)


@dataclass(frozen=True)
class Memory:
    """
    Bytes while training on this machine: the frozen `weights` as they are loaded, of them `unquantized` (embeddings and
    norms), and in float32 what is trained, its gradients and AdamW's two moments. Activations come on top.
    """

    weights: int
    unquantized: int
    adapter: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        return self.weights + self.adapter + self.gradients + self.optimizer


@dataclass(frozen=True)
class Side:
    """One of the two trainings so far; `seconds` of its steps. `state` is "running" or the event of `training.Ended`."""

    method: str
    losses: tuple[tuple[int, float], ...] = ()
    held_out: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0
    memory: Memory | None = None
    state: str = "running"
    adapter: Adapter | None = None
    error: PlaygroundError | None = None

    @property
    def step(self) -> int:
        return self.losses[-1][0] if self.losses else 0


@dataclass(frozen=True)
class Pair:
    """Both trainings so far, out of `steps`; `elapsed` is wall time in seconds."""

    steps: int
    lora: Side = Side("lora")
    qlora: Side = Side("qlora")
    elapsed: float = 0.0

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.lora, self.qlora

    @property
    def ended(self) -> bool:
        return all(side.state != "running" for side in self.sides)


def train_pair(job: PairJob, get_base: Callable[[str], Base], stop: Callable[[], bool] = lambda: False) -> Iterator[Pair]:
    """
    Both trainings in turns, event by event, so that their curves grow side by side; each seeds what it draws, so each
    adapter is the one that it would be alone. `stop` is asked once a round: both end at the same step.

    Raises PlaygroundError before the first Pair if the job cannot be served.
    """
    trainings, asked = job.trainings(), False
    pair, started = Pair(job.steps), time.perf_counter()
    used = dict(zip(COMPARED, job.bases(), strict=True))
    under_way = {one.method: train(one, get_base, lambda: asked) for one in trainings}
    while under_way:
        asked = asked or stop()
        for method_id, events in list(under_way.items()):
            begin = time.perf_counter()
            event = next(events, None)
            now = time.perf_counter()
            if event is None:
                del under_way[method_id]
                continue
            side = _advanced(getattr(pair, method_id), event, now - begin, get_base, used[method_id])
            sides: dict[str, Any] = {method_id: side}
            pair = replace(pair, **sides, elapsed=now - started)
            yield pair


def _advanced(side: Side, event: Event, seconds: float, get_base: Callable[[str], Base], base_id: str) -> Side:
    if isinstance(event, Started):
        return replace(side, memory=memory(get_base(base_id), event.bytes))
    if isinstance(event, Step):
        return replace(side, losses=(*side.losses, (event.step, event.loss)), seconds=side.seconds + seconds)
    if isinstance(event, Evaluation):
        return replace(side, held_out=(*side.held_out, (event.step, event.held_out_loss)))
    if isinstance(event, Ended):
        return replace(side, state=event.event, adapter=event.adapter, error=event.error)
    return side


# Memory


def memory(base: Base, trained: int) -> Memory:
    """What training `trained` bytes of parameters (float32) on a loaded base holds."""
    packed = {id(p) for p in base.model.parameters() if _quantized(p)}
    unquantized = stored_bytes([one for one in base.model.parameters() if id(one) not in packed])
    return Memory(stored_bytes(held_tensors(base.model)), unquantized, trained, trained, 2 * trained)


def _quantized(parameter: torch.Tensor) -> bool:
    return type(parameter).__name__ in ("Params4bit", "Int8Params")


def held_tensors(model: Any) -> list[torch.Tensor]:
    """Every tensor that a loaded model holds: also the scales and tables that bitsandbytes keeps beside the codes."""
    found = _tensors(model)
    for parameter in model.parameters():
        state: Any = getattr(parameter, "quant_state", None)
        for part in (state, getattr(state, "state2", None)):
            found += [value for value in vars(part).values() if torch.is_tensor(value)] if part is not None else []
        found += [value for value in [getattr(parameter, "SCB", None)] if value is not None]
    return found


def stored_bytes(tensors: Sequence[torch.Tensor]) -> int:
    """The bytes of their storage; what several of them share counts once."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


# Merging


def merged(adapter: Adapter, name: str = "") -> Adapter:
    """
    The same adapter, to be added into the weights where it is attached (see `adapters.attach`).

    Raises PlaygroundError for a method that leaves nothing to add.
    """
    if adapter.record.method not in adapters.MERGEABLE:
        raise PlaygroundError("not_mergeable", method=adapter.record.method)
    return replace(adapter, id=adapter.id + LESS, name=name or adapter.name, checkpoints=(), merged=True)


def four_bit_id(adapter: Adapter) -> str:
    """The NF4 form that an adapter is merged into: QLoRA's own; for one trained on float weights the usual one."""
    used = adapters.base_id(adapter, adapter.record.base)
    spec, form = split_id(used)
    return used if form in FOUR_BIT else f"{spec.id}:nf4_double"


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
    whole = adapters.attach(base, merged(job.adapter))
    found = Merging(base.id, ())
    for module in updates(base, job.adapter):
        found = replace(found, modules=(*found.modules, merge_of(base, job.adapter, whole, module)))
        yield found
    yield from _predictions(found, job, base, get_base(base.spec.id), whole)


def merge_of(base: Base, adapter: Adapter, whole: nn.Module, module: str) -> Merge:
    """One module of `whole`, the base with the adapter merged into it."""
    weight = weight_of(base, module)
    written: Any = whole.get_submodule(module).weight
    update = updates(base, adapter)[module].delta(weight)
    off = dequantize_bnb_weight(written).float().cpu() - (weight + update)
    size = float(torch.linalg.norm(update))
    same = codes(base.model.get_submodule(module).weight) == codes(written)
    return Merge(module, float(torch.linalg.norm(off)) / size if size else None, int(same.sum()), same.numel())


def codes(weight: Any) -> torch.Tensor:
    """The 4-bit codes of a bitsandbytes weight, two of each byte, in no particular order."""
    packed = weight.detach().data.view(torch.uint8).flatten()
    return torch.stack([packed >> 4, packed & 15])


def _predictions(found: Merging, job: MergeJob, base: Base, plain: Base, whole: nn.Module) -> Iterator[Merging]:
    """Batch by batch, so that only one batch's logits are held; yields in between, so that other work has its turn."""
    models = {
        "base": base.view().eval(),
        "adapter": adapters.attach(base, job.adapter),
        "merged": whole,
        "float": adapters.attach(plain, job.adapter),
        "merged_float": adapters.attach(plain, merged(job.adapter)),
    }
    encoded = sorted((tasks.encode(base.tokenizer, one) for one in job.task.held_out), key=lambda one: len(one[0]))
    sums, divergence, difference, count = dict.fromkeys(models, 0.0), 0.0, 0.0, 0
    for start in range(0, len(encoded), BATCH):
        logits: dict[str, torch.Tensor] = {}
        for name, model in models.items():
            logits[name], targets = _logits(model, encoded[start : start + BATCH], base)
            sums[name] += float(functional.cross_entropy(logits[name], targets, reduction="sum"))
            yield found
        count += len(targets)
        here, there = (logits[name].double().log_softmax(-1) for name in ("merged", "adapter"))
        divergence += float((here.exp() * (here - there)).sum())
        difference = max(difference, float((logits["merged_float"] - logits["float"]).abs().max()))
    means = {name: sums[name] / count for name in ("base", "adapter", "merged", "merged_float")}
    yield replace(
        found, losses=Losses(**means, kl=at_least_zero(divergence / count), float_difference=difference, tokens=count)
    )


@torch.inference_mode()
def _logits(model: nn.Module, batch: Sequence[Encoded], base: Base) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every response token of a batch: (tokens, vocabulary), and which one it is (tokens,)."""
    return response_logits(model, batch, base.tokenizer.pad_token_id)
