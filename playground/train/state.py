"""
How far a training is, as a value: with it another process goes on as if nothing had happened. Batches and dropout are not
in it, since the seed and the step decide them, nor what an initialization did before the first step, which is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from playground import settings
from playground.train import allocation
from playground.train.effort import Account
from playground.train.job import checkpoint_bytes
from playground.train.record import Progress

CPU = torch.device("cpu")


@dataclass(frozen=True)
class State:
    """After `step`, when that was looked at and told. All tensors are copies on the CPU."""

    step: int
    trained: Mapping[str, torch.Tensor]  # under the model's own names
    optimizer: Mapping[str, Any]
    schedule: Mapping[str, Any]
    progress: Progress
    best: tuple[int, Mapping[str, torch.Tensor]]
    account: Account
    allocation: Mapping[str, Any]

    @classmethod
    def of(
        cls, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: LRScheduler,
        progress: Progress, best: tuple[int, Mapping[str, torch.Tensor]], account: Account,
    ) -> State:  # fmt: skip
        return cls(
            step,
            _copied({name: one for name, one in model.named_parameters() if one.requires_grad}),
            _copied(optimizer.state_dict()),
            _copied(schedule.state_dict()),
            progress.copy(),
            best,
            account.paused(),
            _copied(allocation.kept(model)),
        )

    def put_back(self, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: LRScheduler) -> None:
        """All three as they were; they were made for the same job."""
        with torch.no_grad():
            for name, tensor in self.trained.items():
                model.get_parameter(name).copy_(tensor)
        optimizer.load_state_dict(deepcopy(dict(self.optimizer)))  # which would move the very tensors
        schedule.load_state_dict(deepcopy(dict(self.schedule)))
        allocation.put_back(model, _copied(self.allocation, next(model.parameters()).device))


Save = Callable[[State], None]


def is_small(changed: int, held: int, allocated: int = 0) -> bool:
    """
    Whether the state of a run may travel that changes so many numbers of an adapter of so many bytes: weights, AdamW's two
    moments, the best adapter, checkpoints, and the numbers by which ranks are allocated.
    """
    return 4 * (3 * changed + allocated) + held + checkpoint_bytes(changed) <= settings.MAX_STATE_BYTES


def _copied(value: Any, device: torch.device = CPU) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, Mapping):
        return {name: _copied(one, device) for name, one in value.items()}
    return [_copied(one, device) for one in value] if isinstance(value, list) else value
