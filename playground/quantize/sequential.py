"""
A rung of the ladder on every linear layer of a base, one after another, and what is left of it: a base that reads and
answers as any other.

    calibration text ──▶ layer 1 ──▶ rounded on what it reads ──▶ layer 2 ──▶ …

One pass of the text does it: what a layer is given is already what the rounded layers before it put out, and it is rounded
when its turn comes, before it computes. So every family of decoders is served alike. Knows nothing about the page.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from playground import settings
from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.beside import beside
from playground.model.checksum import checksum
from playground.model.memory import STORE
from playground.model.modules import kind_of, layer_of, linear_layers, sides, upright
from playground.model.neutral import text_windows
from playground.quantize.ladder import RUNG, RUNGS, Rung
from playground.quantize.rounding import Grid, output_error
from playground.quantize.wholemodel import Reading, log_probabilities, read_against
from playground.train.evaluation import answers
from playground.train.pauses import Stopped, between

CALIBRATION = ("everyday", "summary")  # tasks whose training examples are read, in the base's own chat format
TOKENS, LENGTH = 2048, 256  # of them, in pieces of this length
ANSWER_TOKENS = 40
PLAIN_GRID = Grid()


@dataclass(frozen=True)
class LadderJob:
    """Apply a rung to a base (a plain id) and see how it reads the neutral text and answers the prompts."""

    base: str
    rung: str = "gptq"
    grid: Grid = PLAIN_GRID
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One linear layer done: how far off what it puts out is, on what it read of the calibration text, relative."""

    module: str
    kind: str
    layer: int | None
    output_error: float
    seconds: float


@dataclass(frozen=True)
class Climbed:
    """
    A base under one rung, as far as it has come: its `reading` and `answers` come last, beside the base's own. `seconds`
    are of the rounding, `bits` a weight with scales.
    """

    rung: str
    bits: float = 0.0
    fraction: float = 0.0
    layers: tuple[Layer, ...] = ()
    seconds: float = 0.0
    reading: Reading | None = None
    answers: tuple[str, ...] = ()
    base_reading: Reading | None = None
    base_answers: tuple[str, ...] = ()


def calibration(base: Base, tokens: int = TOKENS, length: int = LENGTH) -> torch.Tensor:
    """
    The ids that the algorithms look at (pieces, length): as many of each task of CALIBRATION. The neutral text, on which
    all is measured, is none of them. Fewer where the base cannot read so many at once.
    """
    length = min(length, base.context or length)
    ids = [token for name in CALIBRATION for token in _read(base, name)[: tokens // len(CALIBRATION)]]
    return torch.tensor(ids[: len(ids) // length * length]).view(-1, length)


def _read(base: Base, task: str) -> list[int]:
    return [token for example in tasks.task(task).train for token in tasks.encode(base.tokenizer, example)[0]]


def climbed(job: LadderJob, get_base: Callable[[str], Base]) -> Iterator[Climbed]:
    """
    Several times a second while layers are rounded, then after each window of the neutral text; last with the answers.
    Left or closed, it stops at the next layer. Raises PlaygroundError before the first layer: a base, a rung or a grid that
    does not exist, a block that does not fit every layer.
    """
    rung = RUNGS[RUNG.check(job.rung)]
    plain = yield from beside(partial(get_base, job.base), lambda: Climbed(rung.id))
    base, done = yield from rounded(plain, rung, job.grid, calibration(plain))
    windows = text_windows(plain)
    there = []
    for window in windows:
        there.append((yield from beside(partial(log_probabilities, plain, window), partial(replace, done))))
    done = replace(done, base_reading=(yield from between(read_against(there, there, windows), done)))
    here = (log_probabilities(base, window) for window in windows)
    done = replace(done, reading=(yield from between(read_against(here, there, windows), done)))
    yield done
    asked = [tasks.prompt_ids(plain.tokenizer, prompt) for prompt in job.prompts]
    if asked:
        theirs, ours = list[str](), list[str]()
        for told, one in ((theirs, plain), (ours, base)):
            told += yield from beside(partial(answers, one.model, one, asked, ANSWER_TOKENS), partial(replace, done))
        done = replace(done, base_answers=tuple(theirs), answers=tuple(ours))
        yield done


def rounded(plain: Base, rung: Rung, grid: Grid, text: torch.Tensor) -> Generator[Climbed, None, tuple[Base, Climbed]]:
    """The base with every linear layer rounded on what it reads of a text (pieces, length), in a thread of its own."""
    if sum(one.numel() for one in plain.model.parameters()) > settings.MAX_ROUNDED_PARAMETERS:
        raise PlaygroundError("ladder_too_large", base=plain.spec.name, maximum=settings.MAX_ROUNDED_PARAMETERS)
    for layer in linear_layers(plain.model).values():
        grid.checked(sides(layer)[0])
    plain.check_room(text.shape[1])
    work = _Pass(plain, rung, grid)
    STORE.live_beside(work.model, sum(layer.weight.nbytes for layer in work.waiting.values()))
    try:
        yield from beside(partial(work.run, text), work.progress)
    finally:
        work.stop.set()
    base = replace(plain, id=f"{plain.id}:{rung.id}", model=work.model, loaded_checksum=checksum(work.model))
    return base, work.progress()


@dataclass
class _Pass:
    """The one pass of the text, and how far it has come."""

    plain: Base
    rung: Rung
    grid: Grid
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.model = self.plain.view().eval()
        self.waiting: dict[str, Any] = linear_layers(self.model)
        self.every, self.done = len(self.waiting), list[Layer]()
        shapes = [sides(one)[::-1] for one in self.waiting.values()]
        sizes = [math.prod(one) for one in shapes]
        bits = (self.rung.bits(shape, self.grid) * size for shape, size in zip(shapes, sizes, strict=True))
        self.bits = sum(bits) / sum(sizes)

    def progress(self) -> Climbed:
        done = tuple(self.done)
        return Climbed(self.rung.id, self.bits, len(done) / self.every, done, sum(one.seconds for one in done))

    @torch.no_grad()
    def run(self, text: torch.Tensor) -> None:
        hooks = [one.register_forward_pre_hook(partial(self._reached, path)) for path, one in self.waiting.items()]
        self.model.base_model(text.to(self.plain.device), use_cache=False)
        for path, layer in list(self.waiting.items()):  # an expert that no token was sent to reads nothing
            self._round(path, torch.zeros(1, sides(layer)[0]))
        for hook in hooks:
            hook.remove()

    def _reached(self, path: str, layer: Any, given: tuple[torch.Tensor, ...]) -> None:
        if path in self.waiting:  # a layer that several share is rounded once
            self._round(path, given[0].float().cpu().flatten(0, -2))

    def _round(self, path: str, inputs: torch.Tensor) -> None:
        if self.stop.is_set():
            raise Stopped
        begin, layer = time.perf_counter(), self.waiting.pop(path)
        weight = upright(layer, layer.weight).float().cpu().contiguous()
        found = self.rung(weight, inputs, self.grid)
        seconds = time.perf_counter() - begin
        kept = upright(layer, found.weight.to(layer.weight)).contiguous()
        layer.weight = torch.nn.Parameter(kept, requires_grad=False)
        off = output_error(inputs, weight, found)
        self.done.append(Layer(path, kind_of(path), layer_of(path), off, seconds))
