"""
One short LoRA run in several precisions: float32, mixed precision in bfloat16 and in float16 with and without loss scaling
(Micikevicius et al. 2018, arXiv 1710.03740, section 3), and pure float16. `make examples` records them in RECORD.

Mixed means torch's autocast: matrix products are computed and differentiated in 16 bits, norms and the loss in float32. What
is trained, LoRA's factors, its gradients as the optimizer sees them and AdamW's moments are float32, so that a small step is
not rounded away. In pure float16 all three are float16 as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt import tasks
from playground.adapt.methods import METHODS
from playground.bounds import finite
from playground.model.randomness import drawn_apart

if TYPE_CHECKING:
    import torch
    from torch import nn

    from playground.model.bases import Base

RECORD = settings.EXAMPLES / "mixed_precision.json"
TASK, STEPS, BATCH, SEED = "pirate", 8, 1, 0
BEGINS_AT = 2.0**16  # the loss scale: GradScaler's own default, halved after an overflow


@dataclass(frozen=True)
class Way:
    """What products are computed in ("float32": no autocast), whether the loss is scaled, and whether nothing is float32."""

    dtype: str
    scaled: bool = False
    pure: bool = False


WAYS = {
    "float32": Way("float32"),
    "bfloat16": Way("bfloat16"),
    "float16": Way("float16"),
    "float16_scaled": Way("float16", scaled=True),
    "float16_pure": Way("float16", pure=True),
}


@dataclass
class Seen:
    """What came back through the linear layers in one step: how many gradients, how many of them 0, the largest."""

    numbers: int = 0
    zeros: int = 0
    largest: float = 0.0

    def watch(self, module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        """A forward hook: see what comes back to this output."""
        if output.requires_grad:
            output.register_hook(self.see)

    def see(self, gradient: torch.Tensor) -> None:
        self.numbers += gradient.numel()
        self.zeros += int((gradient == 0).sum())
        self.largest = max(self.largest, float(gradient.abs().max()))


@dataclass(frozen=True)
class PrecisionStep:
    """
    One step: the mean loss in nats, the share of the gradients at the outputs of linear layers that are exactly 0, the
    largest of these, the loss scale, and whether the step was skipped because they overflowed.
    """

    step: int
    loss: float  # NaN once something overflowed or was divided by 0
    zeros: float
    largest: float
    scale: float = 1.0
    skipped: bool = False


def study(base: Base, way: Way, steps: int = STEPS) -> Iterator[PrecisionStep]:
    """
    The run's steps, with LoRA's defaults on TASK; no dropout, so that all ways read the same. It ends early where the loss
    is no number any more.
    """
    import torch

    from playground.train.batches import shuffled
    from playground.train.evaluation import padded_logits
    from playground.train.trainable import wrap

    values = METHODS["lora"].complete({})
    with drawn_apart(base.device):
        torch.manual_seed(SEED)
        model, _ = wrap(base, METHODS["lora"], values)
    if way.pure:
        for one in model.parameters():
            one.data = one.data.to(getattr(torch, way.dtype)) if one.requires_grad else one.data
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=values["learning_rate"], weight_decay=0.0)
    scaler = torch.amp.GradScaler(base.device.type, init_scale=BEGINS_AT, enabled=way.scaled)
    encoded = [tasks.encode(base.tokenizer, one) for one in tasks.task(TASK).train]
    linear = [one for one in model.modules() if type(one) is torch.nn.Linear]
    for step, batch in enumerate(islice(shuffled(encoded, BATCH, SEED), steps), start=1):
        seen = Seen()
        hooks = [one.register_forward_hook(seen.watch) for one in linear]
        with _products(base.device.type, way):
            logits, targets = padded_logits(model, batch, base.tokenizer.pad_token_id)
            loss = torch.nn.functional.cross_entropy(logits, targets)
        scale = scaler.get_scale()
        scaler.scale(loss).backward()
        for hook in hooks:
            hook.remove()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        yield PrecisionStep(step, value, seen.zeros / seen.numbers, seen.largest, scale, scaler.get_scale() < scale)
        if not math.isfinite(value):
            return


def _products(device: str, way: Way) -> AbstractContextManager[Any]:
    import torch

    return nullcontext() if way.dtype == "float32" else torch.autocast(device, getattr(torch, way.dtype))


def recording(base: Base, machine: str) -> dict[str, Any]:
    """What `make examples` writes: every way's steps."""
    runs = {name: [finite(asdict(step)) for step in study(base, way)] for name, way in WAYS.items()}
    return {"base": base.id, "task": TASK, "machine": machine, "runs": runs}


@cache
def _recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def machine() -> str:
    """On which the runs were recorded."""
    return str(_recorded()["machine"])


@cache
def recorded() -> dict[str, list[PrecisionStep]]:
    """The recorded runs by the names of WAYS."""

    def step(one: dict[str, Any]) -> PrecisionStep:
        known: dict[str, Any] = {name: math.nan if value is None else value for name, value in one.items()}
        return PrecisionStep(**known)

    return {name: [step(one) for one in steps] for name, steps in _recorded()["runs"].items()}
