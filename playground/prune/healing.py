"""
Healing: what pruning took, an adapter learns back. Trained on examples as on any base (`train`), or by
distillation, which also holds the pruned model's distributions to those of the whole one (Hinton et al. 2015, arXiv
1503.02531).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from playground.adapt.attach import attached
from playground.adapt.variant import Variant
from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.model.bases import BASES, Base
from playground.model.catalogue import steps_of
from playground.train.batches import Encoded
from playground.train.evaluation import Loss, response_logits
from playground.train.job import Event, TrainingJob
from playground.train.schedule import USUAL, Pace
from playground.train.training import train

TEMPERATURE = Bound("temperature", 2.0, 0.5, 10.0)
SOFT = Bound("soft", 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class DistillationJob:
    """
    A training on a pruned base, and how its loss looks at the whole one: `soft` of it is KL at `temperature`, the rest the
    cross-entropy with the examples. With soft = 0 it is the training alone.
    """

    training: TrainingJob
    temperature: float = TEMPERATURE.default
    soft: float = SOFT.default

    def checked(self) -> DistillationJob:
        """Raises PlaygroundError for a base of which nothing was pruned, and values out of range."""
        if steps_of(self.training.base)[1] is None:
            raise PlaygroundError("nothing_to_heal", base=self.training.base)
        return DistillationJob(self.training.checked(), TEMPERATURE.check(self.temperature), SOFT.check(self.soft))


def distill(
    job: DistillationJob,
    get_base: Callable[[str], Base] = BASES.get,
    stop: Callable[[], bool] = lambda: False,
    pace: Pace = USUAL,
) -> Iterator[Event]:
    """
    The events of a training, whose losses are the job's. Held-out losses are cross-entropy, as those of any run. Raises
    PlaygroundError before the first event if the job cannot be served.
    """
    job = job.checked()
    if not job.soft:
        yield from train(job.training, get_base, stop, pace=pace)
        return
    whole = steps_of(job.training.base)[0].id
    teacher = attached(get_base(whole), Variant(whole)).model
    loss: Loss = partial(distillation_loss, teacher, job.temperature, job.soft)
    yield from train(job.training, get_base, stop, pace=pace, loss=loss)


def distillation_loss(
    teacher: nn.Module, temperature: float, soft: float, model: nn.Module, batch: Sequence[Encoded], pad: int
) -> torch.Tensor:
    """
    soft · T² · KL(teacher ‖ model) at temperature T + (1 − soft) · cross-entropy, means over the response tokens, in nats;
    a scalar with gradient. T² keeps the gradients of the first as large as they are at 1.
    """
    logits, targets = response_logits(model, batch, pad)
    with torch.no_grad():
        theirs, _ = response_logits(teacher, batch, pad)
    wanted, ours = ((one / temperature).log_softmax(-1) for one in (theirs, logits))
    divergence = functional.kl_div(ours, wanted, reduction="batchmean", log_target=True)
    return soft * temperature**2 * divergence + (1 - soft) * functional.cross_entropy(logits, targets)
