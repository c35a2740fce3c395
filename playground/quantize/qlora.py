"""
QLoRA beside LoRA: one recipe trained on the 4-bit and on the float base, and what each holds in memory (Dettmers et al.
2023, arXiv 2305.14314).

Knows nothing about where it runs or who watches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from playground.adapt.adapters import Adapter
from playground.adapt.cost import Memory
from playground.adapt.methods import METHODS
from playground.adapt.tasks import Task
from playground.bounds import SEED
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.catalogue import split_id
from playground.model.weights import held_tensors, is_quantized, stored_bytes
from playground.train.job import STEPS, Ended, Evaluation, Event, Started, Step, TrainingJob, Working
from playground.train.training import train

COMPARED = ("lora", "qlora")
FOUR_BIT = ("nf4", "nf4_double")


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
    seed: int = SEED.default

    def trainings(self) -> tuple[TrainingJob, TrainingJob]:
        """The checked job of each method. Raises PlaygroundError if they cannot be served."""
        steps = STEPS.check(self.steps)  # None would be each method's own, and no pair any more
        base, values = split_id(self.base)[0].id, METHODS["qlora"].complete(self.hyperparameters)
        shared = {name: value for name, value in values.items() if name != "double_quantization"}
        return (
            TrainingJob(base, "lora", self.task, shared, steps, self.seed).checked(),
            TrainingJob(base, "qlora", self.task, values, steps, self.seed).checked(),
        )

    def bases(self) -> tuple[str, str]:
        """The base that each method trains on. Raises PlaygroundError as `trainings`."""
        lora, qlora = self.trainings()
        return lora.base, METHODS["qlora"].base_id(qlora.base, qlora.hyperparameters)


@dataclass(frozen=True)
class Side:
    """
    One of the two trainings so far; `seconds` of its steps. `memory` is what it holds on this machine, and of its frozen
    weights `unquantized` bytes are embeddings and norms. `state` is "running" or the event of `training.Ended`.
    """

    method: str
    losses: tuple[tuple[int, float], ...] = ()
    held_out: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0
    memory: Memory | None = None
    unquantized: int = 0
    state: str = "running"
    adapter: Adapter | None = None
    error: PlaygroundError | None = None
    left: float = 1.0  # the share of its work

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

    def outline(self) -> Pair:
        """The same without the adapters' tensors."""
        lora, qlora = (replace(one, adapter=one.adapter.outline() if one.adapter else None) for one in self.sides)
        return replace(self, lora=lora, qlora=qlora)

    @property
    def left(self) -> float:
        """The share of the work that is left."""
        return sum(side.left for side in self.sides) / len(self.sides)

    @property
    def ended(self) -> bool:
        return all(side.state != "running" for side in self.sides)


def train_pair(job: PairJob, get_base: Callable[[str], Base], stop: Callable[[], bool] = lambda: False) -> Iterator[Pair]:
    """
    Both trainings in turns, event by event, so that their curves grow side by side; each seeds what it draws, so each
    adapter is the one that it would be alone. `stop` is asked once a round, of one event of each: both end at the same step.

    Raises PlaygroundError before the first Pair if the job cannot be served.
    """
    trainings, asked = job.trainings(), False
    pair, started = Pair(trainings[0].steps or 0), time.perf_counter()
    used = dict(zip(COMPARED, job.bases(), strict=True))
    under_way = {one.method: train(one, get_base, lambda: asked) for one in trainings}
    while under_way:
        asked = asked or stop()
        for method_id, events in list(under_way.items()):
            event, seconds = None, 0.0
            while event is None or isinstance(event, Working):  # its pauses are those of others, not the rival's
                begin = time.perf_counter()
                event = next(events, None)
                now = time.perf_counter()
                seconds += now - begin
                if event is None:
                    del under_way[method_id]
                    break
                sides: dict[str, Any] = {
                    method_id: _advanced(getattr(pair, method_id), event, seconds, get_base, used[method_id])
                }
                pair = replace(pair, **sides, elapsed=now - started)
                yield pair


def _advanced(side: Side, event: Event, seconds: float, get_base: Callable[[str], Base], base_id: str) -> Side:
    side = replace(side, left=getattr(event, "left", 0.0 if isinstance(event, Ended) else side.left))
    if isinstance(event, Started):
        base = get_base(base_id)
        return replace(side, memory=memory(side.method, base, event.bytes), unquantized=unquantized(base))
    if isinstance(event, Step):
        return replace(side, losses=(*side.losses, (event.step, event.loss)), seconds=side.seconds + seconds)
    if isinstance(event, Evaluation):
        return replace(side, held_out=(*side.held_out, (event.step, event.held_out_loss)))
    if isinstance(event, Ended):
        return replace(side, state=event.event, adapter=event.adapter, error=event.error)
    return side


# Memory


def memory(way: str, base: Base, trained: int) -> Memory:
    """
    What training `trained` bytes of parameters (float32) on a loaded base holds: the weights as they are loaded, and in
    float32 what is trained, its gradients and AdamW's two moments.
    """
    return Memory(way, stored_bytes(held_tensors(base.model)), trained, trained, 2 * trained)


def unquantized(base: Base) -> int:
    """Bytes of a base's parameters that no format packs: embeddings and norms, or all of them."""
    packed = {id(p) for p in base.model.parameters() if is_quantized(p)}
    return stored_bytes([one for one in base.model.parameters() if id(one) not in packed])
