"""
Runs that take a step together: one pass forward and backward for the batches of all that are over one base.

A run asks for the gradients of its next batch, the company answers between two of its events. What a run gets is what it
gets alone: its own mean loss, its own gradients, its own dropout. Who cannot be joined is answered alone, and so is
everybody if a pass fails; then only those that raise alone are told so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch

from playground import settings
from playground.compare.reading import is_prefixed, virtual_tokens
from playground.compare.shared import ApartError
from playground.model.bases import Base
from playground.model.kernels import halved
from playground.model.randomness import drawn_apart
from playground.train import packing
from playground.train.batches import Encoded, by_length, weighed
from playground.train.evaluation import Loss, response_loss
from playground.train.joint import Dice, Rows, joined
from playground.train.passes import Pass, Seat

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Request:
    """
    A run's wish for `share` times a batch's mean loss and, if it `learns`, the gradients, which are added to its parameters'
    own. Answered with that number, or with what was raised.
    """

    base: Base
    model: Any
    parameters: Sequence[torch.nn.Parameter]
    batch: Sequence[Encoded]
    share: float
    seed: int  # of dropout
    halves: Mapping[torch.Tensor, torch.Tensor] = field(default_factory=dict)
    learns: bool = True  # else it is measured, as in use
    loss_of: Loss | None = None  # instead of the mean cross-entropy
    loss: float | None = None
    error: Exception | None = None
    seconds: float = 0.0  # of the pass

    @property
    def answered(self) -> bool:
        return self.loss is not None or self.error is not None

    def result(self) -> float:
        """The loss. Raises what was raised."""
        if self.error:
            raise self.error
        assert self.loss is not None
        return self.loss

    def alone(self) -> None:
        """Answer it by itself. Raises what goes wrong."""
        begin = time.perf_counter()
        self.model.train(self.learns)
        with halved(self.halves), drawn_apart(self.base.device), torch.set_grad_enabled(self.learns):
            torch.manual_seed(self.seed)  # dropout is seeded by the step, whatever else is drawn
            loss_of = self.loss_of or response_loss
            own = self.share * loss_of(self.model, self.batch, self.base.tokenizer.pad_token_id)
            if self.learns:
                own.backward()
        self.loss = own.item()
        self.seconds += time.perf_counter() - begin


def pays(base: Base) -> bool:
    """
    Whether a step together is much faster than one after the other. Not on a CPU, whose time is arithmetic: four LoRA runs
    took 0.86 to 0.94 of the processor time in turn (float32, bfloat16), and would no longer be the same to the last bit.
    """
    return base.device.type != "cpu"


class Company:
    """The runs that step together, whenever somebody steps it. `pays` says for which bases that is worth it."""

    def __init__(self, pays: Callable[[Base], bool] = pays, most: int = settings.MAX_TOKENS_TOGETHER) -> None:
        self.pays, self.most = pays, most
        self._waiting: list[Request] = []
        self._members: WeakKeyDictionary[Any, _Member | None] = WeakKeyDictionary()
        self._passes: dict[tuple[int, ...], Pass] = {}

    def forked(self) -> None:
        """In a process that was forked: the runs go on in the other one."""
        self._waiting = []
        self._members.clear()
        self._passes.clear()

    def ask(self, request: Request) -> Request:
        """Have it answered in the next step."""
        self._waiting.append(request)
        return request

    def answers(self, request: Request) -> Generator[None, None, None]:
        """Pauses until it is answered; asks for that if nobody has."""
        if not request.answered and request not in self._waiting:
            self.ask(request)
        while not request.answered:
            yield

    def held_out_loss(
        self,
        base: Base,
        model: Any,
        encoded: Sequence[Encoded],
        halves: Mapping[torch.Tensor, torch.Tensor],
        spent: Callable[[float], None],
    ) -> Generator[None, None, float]:
        """`evaluation.held_out_losses`, asked of the company all at once; `spent` is told the seconds of the passes."""
        parts = weighed(by_length(encoded))
        requests = [self.ask(Request(base, model, (), part, share, 0, halves, False)) for part, share in parts]
        try:
            for request in requests:
                yield from self.answers(request)
                spent(request.seconds)
        finally:
            self.leave(requests)
        return sum(request.result() for request in requests)

    def leave(self, requests: Sequence[Request]) -> None:
        """Answer these no more."""
        self._waiting = [one for one in self._waiting if one not in requests]

    def step(self) -> None:
        """Answer all that wait."""
        waiting, self._waiting = self._waiting, []
        passes, self._passes = self._passes, {}  # what is not used again may go, and with it a base
        for group in self._groups(waiting):
            requests = [request for request, _ in group]
            failure = self._together(group, passes) if len(group) > 1 else None
            if len(group) == 1 or failure:
                _each_alone(requests)
            if isinstance(failure, torch.OutOfMemoryError):
                self.most //= 2
                log.warning("no memory for a step together; from now on %d tokens at most", self.most)
            elif failure and not any(request.error for request in requests):  # it was their company
                log.warning("%d runs step alone from now on", len(group))
                self._members.update({request.model: None for request in requests})

    def _groups(self, waiting: Sequence[Request]) -> list[list[tuple[Request, Seat]]]:
        """Who is answered in one pass, those with short rows together: at most `most` tokens with their padding."""
        groups: list[list[tuple[Request, Any]]] = []
        seated = [(request, self._seat(request) if len(waiting) > 1 else None) for request in waiting]
        for request, seat in sorted(seated, key=lambda one: one[1].width if one[1] else 0):
            fits = [
                group
                for group in groups
                if seat and group[0][1] and _alike(group[0][0], request) and (len(group) + 1) * seat.width <= self.most
            ]
            if fits:
                fits[-1].append((request, seat))
            else:
                groups.append([(request, seat)])
        return groups

    def _seat(self, request: Request) -> Seat | None:
        """How its batch is read in a row; None if it cannot be."""
        model, base = request.model, request.base
        try:
            if model not in self._members:
                model.train()
                self._members[model] = _Member.of(base, model)
            member = self._members[model]
            drops = member is not None and member.drops and request.learns
            seat = Seat.of(request.batch, member.virtual, drops, base.tokenizer.pad_token_id) if member else None
            return seat if seat and seat.width <= packing.longest(base.model) else None
        except Exception as error:  # noqa: BLE001  if it matters it is raised again, for whoever asked
            log.info("a run steps alone: %s", error)
            return None

    def _together(self, group: list[tuple[Request, Seat]], passes: Mapping[tuple[int, ...], Pass]) -> Exception | None:
        """Answer all of them in one pass; what goes wrong in it, if something does, and nobody is answered."""
        group.sort(key=lambda one: id(one[0].model))  # the same company, the same pass
        requests, seats = zip(*group, strict=True)
        models, begin, base = [request.model for request in requests], time.perf_counter(), requests[0].base
        learns = requests[0].learns
        key = tuple(map(id, models))
        try:
            one = self._passes[key] = passes.get(key) or Pass(base.model, models)
            for model in models:
                if model.training != learns:  # which asks every module
                    model.train(learns)
            with halved(requests[0].halves), torch.set_grad_enabled(learns):
                dice = [Dice(request.seed, base.device) for request in requests]
                losses = one.losses(seats, [request.share for request in requests], dice, base.tokenizer.pad_token_id)
                parameters = [parameter for request in requests for parameter in request.parameters]
                gradients = torch.autograd.grad(losses.sum(), parameters, allow_unused=True) if learns else ()
            sums = [_sum(parameter.grad, new) for parameter, new in zip(parameters, gradients, strict=True)]
            found = losses.tolist()
        except Exception as error:
            log.warning("a step together failed", exc_info=True)
            return error.with_traceback(None)  # which holds what lies in memory
        for parameter, gradient in zip(parameters, sums, strict=True):
            parameter.grad = gradient
        for request, loss in zip(requests, found, strict=True):
            request.loss, request.seconds = loss, time.perf_counter() - begin
        return None


def _sum(before: torch.Tensor | None, new: torch.Tensor | None) -> torch.Tensor | None:
    if new is None or before is None:
        return before if new is None else new.contiguous()
    return before + new


def _each_alone(requests: Sequence[Request]) -> None:
    for request in requests:
        try:
            request.alone()
        except Exception as error:  # noqa: BLE001  raised for whoever asked
            request.error = error


def _alike(one: Request, other: Request) -> bool:
    """Whether two can be read in one pass as far as their bases tell; nobody who learns is in it twice."""
    products = one.halves is other.halves or not (one.halves or other.halves)
    whose = one.learns == other.learns and not (one.learns and one.model is other.model)
    return one.base is other.base and products and whose


@dataclass(frozen=True)
class _Member:
    """What has to be known of a model that can be joined: its virtual tokens, and whether it drops at random."""

    virtual: int
    drops: bool

    @classmethod
    def of(cls, base: Base, model: Any) -> _Member | None:
        if not hasattr(model, "get_base_model") or is_prefixed(model):
            return None
        if not packing.longest(base.model) or _depends_on_others(base.model):
            return None
        tree = model.get_base_model()
        try:
            joined(base.model, [tree], Rows())
        except ApartError as error:
            log.info("%s steps alone: %s", type(model).__name__, error)
            return None
        return cls(virtual_tokens(model), packing.drops(tree))


def _depends_on_others(tree: Any) -> bool:
    """Whether a model draws at random, or rounds a row as its neighbours are: int8 takes columns of outliers out for all."""
    jitters = any("jitter" in name and value for name, value in vars(tree.config.get_text_config()).items())
    return jitters or packing.drops(tree) or any(type(one).__name__ == "Int8Params" for one in tree.parameters())


SHARED = Company()  # of the trainings of all visitors
