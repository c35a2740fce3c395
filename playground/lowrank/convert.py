"""
Any adapter that adds to weights as plain LoRA: PEFT's `convert_to_lora`, and what that loses. Knows nothing about the page.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from peft import convert_to_lora
from peft.tuners.tuners_utils import BaseTunerLayer

from playground.adapt.adapters import Adapter, Record, config_json
from playground.adapt.attach import attach
from playground.adapt.ranks_left import as_lora
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.lowrank.intruders import Alone
from playground.lowrank.settings import AS_RANK
from playground.lowrank.updates import forget
from playground.model.bases import Base
from playground.train.forgetting import Forgetting, forgetting
from playground.train.pauses import Stopped, between, finished
from playground.train.scoring import Scored, ScoreJob, worth

if TYPE_CHECKING:
    import torch

    from playground.adapt.tasks import Task

_CONVERTED: WeakKeyDictionary[Base, WeakKeyDictionary[Adapter, dict[int, Adapter]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class AsLora:
    """An edit of a variant: the same as plain LoRA of a rank, as near as such factors come."""

    rank: int

    def applied(self, base: Base, adapter: Adapter) -> Adapter:
        """Raises PlaygroundError as `converted`."""
        return finished(converted(base, adapter, self.rank))


def converted(base: Base, adapter: Adapter, rank: int) -> Generator[None, None, Adapter]:
    """
    The adapter as PEFT's `convert_to_lora` makes it of the whole model, remembered; pauses after every module, a dense SVD
    each. Raises PlaygroundError for what PEFT does not convert, and for a rank that is larger than a weight.
    """
    rank = AS_RANK.check(rank)
    known = _CONVERTED.setdefault(base, WeakKeyDictionary())
    found = known.setdefault(adapter, {})
    forget(known)
    if rank not in found:
        config, tensors = yield from _converted(base, adapter, rank)
        record = _record(adapter, rank, sum(tensor.numel() for tensor in tensors.values()))
        plain = config_json(config, base.spec.repository)
        found[rank] = replace(adapter, record=record, config=plain, loaded=tensors, folder=None, checkpoints=())
    return found[rank]


def told(adapter: Adapter, rank: int) -> dict[str, Any]:
    """As the record tells it: what finds the adapter again that was converted, and the rank."""
    record = adapter.record
    return {"id": adapter.id, "name": adapter.name, "method": record.method, "task": record.task, "rank": rank}


def _record(adapter: Adapter, rank: int, count: int) -> Record:
    """Of a LoRA of `count` numbers that nobody trained; over the base that the adapter has."""
    known, values = adapter.record, {"rank": rank, "alpha": rank}
    if "double_quantization" in known.hyperparameters:  # names the form that QLoRA's base has
        values["double_quantization"] = known.hyperparameters["double_quantization"]
    return Record(
        base=known.base, method="qlora" if known.method == "qlora" else "lora", task=known.task, hyperparameters=values,
        seed=known.seed, steps=0, trainable_parameters=count,
        total_parameters=known.total_parameters - known.trainable_parameters + count, bytes=4 * count,
        questions=list(known.questions), converted=told(adapter, rank),
    )  # fmt: skip


def _converted(base: Base, adapter: Adapter, rank: int) -> Generator[None, None, tuple[Any, dict[str, torch.Tensor]]]:
    layers: list[tuple[str, Any]] = []
    if adapter.config is not None:
        model: Any = attach(base, Variant(base.id, as_lora(adapter))).model
        layers = [(name, one) for name, one in model.named_modules() if isinstance(one, BaseTunerLayer)]
    if not layers or not all(layer.supports_lora_conversion("default") for _, layer in layers):
        raise PlaygroundError("not_convertible")
    parts = list[Any]()
    tensors: dict[str, torch.Tensor] = {}
    for name, layer in layers:
        config, found = _one(base, Alone(name, layer, model.peft_config), rank)
        tensors |= {path: tensor.detach().cpu().contiguous() for path, tensor in found.items()}
        parts.append(config)
        yield
    return _joined(parts), tensors


def _joined(parts: Sequence[Any]) -> Any:
    """PEFT's config of all layers, out of those of each."""
    whole = parts[0]
    for config in parts[1:]:
        if not isinstance(whole.target_modules, str):
            whole.target_modules |= config.target_modules
        whole.rank_pattern |= config.rank_pattern
        whole.alpha_pattern |= config.alpha_pattern
    whole.task_type = "CAUSAL_LM"
    return whole


def _one(base: Base, alone: Alone, rank: int) -> tuple[Any, dict[str, torch.Tensor]]:
    """PEFT's config and tensors of one layer. Raises PlaygroundError."""
    layer: Any = alone
    try:
        with warnings.catch_warnings(action="ignore"):  # that it is LoRA already
            found: tuple[Any, dict[str, torch.Tensor]] = convert_to_lora(layer, rank)
    except ValueError as error:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=str(error)[:200]) from error
    return found


@dataclass(frozen=True)
class ConvertJob:
    """Convert an adapter and measure it before and after, on the held-out examples of a task."""

    base: str  # with its form
    adapter: Adapter
    rank: int
    task: Task


@dataclass(frozen=True)
class Converted:
    """
    What is known so far: the adapter as LoRA of a rank, what base, adapter and conversion are worth, in this order, and how
    the conversion reads the neutral text beside the adapter.
    """

    rank: int
    made: Adapter | None = None
    worth: tuple[Scored, ...] = ()
    apart: Forgetting | None = None


def convert(
    job: ConvertJob, get_base: Callable[[str], Base], stop: Callable[[], bool] = lambda: False
) -> Iterator[Converted]:
    """What is known, again and again, also where it has only paused. Raises PlaygroundError as `converted`."""
    base, whole, done = get_base(job.base), Variant(job.base, job.adapter), Converted(job.rank)
    plain = yield from between(converted(base, job.adapter, job.rank), done)
    done = replace(done, made=plain)
    yield done
    variants = (Variant(job.base), whole, replace(whole, edit=AsLora(job.rank)))
    try:
        for variant in variants:
            scored = yield from between(worth(ScoreJob(job.task, variants, neutral=True), variant, base, stop, None), done)
            done = replace(done, worth=(*done.worth, scored))
            yield done
    except Stopped:
        return
    apart = yield from between(forgetting(base, variants[-1], whole), done)
    yield replace(done, apart=apart)
