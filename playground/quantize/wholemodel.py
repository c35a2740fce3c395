"""
A whole base in each number format: what it takes, how far off every module is, and how well it still reads a text.

    a base and its form ──▶ SQNR of every linear layer ──▶ losses on the text ──▶ one Measured per format

The linear layers of the decoder are in the format, embeddings and norms stay as they are: what bitsandbytes does. Forms
that it has modules for are those (measured); the others are simulated, so their size is computed. Knows nothing about
the page.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional

from playground.adapt.attach import attached
from playground.adapt.variant import Variant
from playground.compare.divergence import kl
from playground.disk import explained
from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.formats.statistics import errors
from playground.model.bases import Base
from playground.model.beside import beside
from playground.model.catalogue import BITSANDBYTES, split_id
from playground.model.modules import kind_of, layer_of, linear_layers, sides
from playground.model.neutral import text_windows
from playground.model.weights import held_bytes, weight_of
from playground.train.pauses import between

PLAIN = "float32"  # the id of the base as it was loaded
EVERY = 15  # modules between two looks at the map
CHUNK = 128  # tokens whose distributions are held against each other at a time
GetBase = Callable[[str], Base]


@dataclass(frozen=True)
class WholeJob:
    """Measure a base as it is and in some of its forms, each once. `base` is a plain id."""

    base: str
    formats: tuple[str, ...]

    def checked(self) -> WholeJob:
        """The same job with every format once. Raises PlaygroundError for a base or a format that does not exist."""
        spec, _ = split_id(self.base)
        names = dict.fromkeys(format_of(name).id for name in self.formats)
        return WholeJob(spec.id, tuple(name for name in names if name != PLAIN))


@dataclass(frozen=True)
class Module:
    """How far off one module's weight is; `sqnr_db` is None where not one number changed."""

    kind: str
    layer: int | None
    sqnr_db: float | None


@dataclass(frozen=True)
class Reading:
    """
    How a model reads the text: mean loss in nats a token, `perplexity` = exp(loss), and against the base as it was loaded
    KL(format ‖ base) in nats and the share of tokens whose likeliest successor is the same, means over all tokens.
    """

    tokens: int
    loss: float
    perplexity: float
    kl_from_base: float
    same_top: float


@dataclass(frozen=True)
class Measured:
    """
    One format, as far as it has been measured. `bits` are those of the linear layers, scales included; bytes are of the
    whole model, `memory` as held and `disk` as a file. `real`: in bitsandbytes' modules (or as loaded), and both are
    measured; otherwise they are computed from the bits.
    """

    format: str
    real: bool
    bits: float
    memory: int = 0
    disk: int = 0
    modules: tuple[Module, ...] = ()
    reading: Reading | None = None

    @property
    def sqnr_db(self) -> float | None:
        """The mean over all modules; None where nothing changed."""
        known = [module.sqnr_db for module in self.modules if module.sqnr_db is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class Survey:
    """
    All formats of `base` so far, itself first; `working` is the one being measured, `fraction` of the whole job is done.
    `dtype` is what the base was loaded in, `rest` the bytes of what stays so: embeddings and norms.
    """

    base: str
    dtype: str = PLAIN
    found: tuple[Measured, ...] = ()
    working: Measured | None = None
    fraction: float = 0.0
    rest: int = 0


_KNOWN: WeakKeyDictionary[Base, dict[str, Measured]] = WeakKeyDictionary()


def survey(job: WholeJob, get_base: GetBase) -> Iterator[Survey]:
    """
    Surveys that grow, often, so that other work has its turn. What was measured before is not measured again. Raises
    PlaygroundError before the first for a job that makes no sense.
    """
    job = job.checked()
    wanted = (PLAIN, *job.formats)
    plain = yield from beside(partial(get_base, job.base), lambda: Survey(job.base))
    known = _KNOWN.setdefault(plain, {})
    done = Survey(job.base, plain.dtype, rest=computed_bytes(plain, PLAIN) - linear_bytes(plain, PLAIN))
    windows = text_windows(plain)
    there: list[torch.Tensor] = []  # the base's own log-probabilities of each window
    for window in windows if any(name not in known for name in wanted) else ():
        yield done
        there.append(log_probabilities(plain, window))
    for place, name in enumerate(wanted):
        done = replace(done, fraction=place / len(wanted), working=None)
        if name not in known:
            known[name] = yield from _measure(name, plain, get_base, windows, there, done)
        done = replace(done, found=(*done.found, known[name]), fraction=(place + 1) / len(wanted))
        yield done


def _measure(
    name: str, plain: Base, get_base: GetBase, windows: list[torch.Tensor], there: list[torch.Tensor], done: Survey
) -> Generator[Survey, None, Measured]:
    """One format: surveys meanwhile, at last what was found."""
    real = name == PLAIN or name in BITSANDBYTES
    one = Measured(name, real, bits_of(plain, name))
    yield replace(done, working=one)
    if name == PLAIN:
        base = plain
    else:
        started = replace(done, working=one)
        base = yield from beside(partial(get_base, f"{plain.id}:{name}"), lambda: started)
    for place, path in enumerate(linear_layers(plain.model)):
        one = replace(one, modules=(*one.modules, module_error(plain, base, path)))
        if place % EVERY == 0:
            yield replace(done, working=one)
    yield replace(done, working=one)
    here = there if base is plain else (log_probabilities(base, window) for window in windows)
    reading = yield from between(read_against(here, there, windows), replace(done, working=one))
    if not real:
        computed = computed_bytes(plain, name)
        return replace(one, reading=reading, memory=computed, disk=computed)
    measured = replace(done, working=one)
    disk = yield from beside(partial(file_bytes, base), lambda: measured)
    return replace(one, reading=reading, memory=held_bytes(base.model), disk=disk)


# Sizes and errors


def bits_of(plain: Base, name: str) -> float:
    """Per weight of this base's linear layers, scales included; of the base itself those of its own floats."""
    layers = linear_layers(plain.model).values()
    if not layers:
        raise PlaygroundError("no_linear_layers", base=plain.spec.name)
    if name == PLAIN:
        return 8.0 * plain.model.dtype.itemsize
    stored = sum(format_of(name).bits_per_parameter(sides(layer)[::-1]) * layer.weight.numel() for layer in layers)
    bits: float = stored / sum(layer.weight.numel() for layer in layers)
    return bits


def computed_bytes(plain: Base, name: str) -> int:
    """The linear layers in that format, everything else as it is held."""
    return linear_bytes(plain, name) + held_bytes(plain.model) - linear_bytes(plain, PLAIN)


def linear_bytes(plain: Base, name: str) -> int:
    """What the linear layers take in a format."""
    weights: int = sum(layer.weight.numel() for layer in linear_layers(plain.model).values())
    return math.ceil(weights * bits_of(plain, name) / 8)


def file_bytes(base: Base) -> int:
    """The safetensors files of a base: of a plain one its own, of a form those that transformers writes for it."""

    def total(folder: Path) -> int:
        return sum(file.stat().st_size for file in folder.glob("*.safetensors"))

    if base.id == base.spec.id and total(base.folder):
        return total(base.folder)
    needed = held_bytes(base.model)
    with explained(tempfile.gettempdir(), needed), tempfile.TemporaryDirectory() as folder:
        base.model.save_pretrained(folder)
        return total(Path(folder))


def module_error(plain: Base, base: Base, path: str) -> Module:
    """How far a module's weight in `base` is from the same one in `plain`."""
    exact = weight_of(plain.model, path)
    return Module(kind_of(path), layer_of(path), errors(exact, weight_of(base.model, path)).sqnr_db)


# Reading a text


@torch.inference_mode()
def log_probabilities(base: Base, window: torch.Tensor) -> torch.Tensor:
    """Of every next token, (tokens - 1, vocabulary) float32 on the CPU: the first token of a window has no context."""
    model = attached(base, Variant(base.id)).model
    logits: torch.Tensor = model(input_ids=window[None].to(base.device), use_cache=False).logits[0, :-1]
    return logits.float().log_softmax(-1).cpu()


def read_against(
    here: Iterable[torch.Tensor], there: Iterable[torch.Tensor], windows: Sequence[torch.Tensor]
) -> Generator[None, None, Reading]:
    """How a model reads the windows, from its `log_probabilities` of each and the base's; pauses after each."""
    sums = torch.zeros(3, dtype=torch.float64)
    for ours, theirs, window in zip(here, there, windows, strict=True):
        sums += _sums(ours, theirs, window)
        yield
    tokens = sum(len(window) - 1 for window in windows)
    loss, divergence, same = (sums / tokens).tolist()
    return Reading(tokens, loss, math.exp(loss), divergence, same)


@torch.inference_mode()
def _sums(here: torch.Tensor, there: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """Over a window's tokens: loss, KL(here ‖ there), and how many have the same likeliest next token, float64."""
    total = torch.zeros(3, dtype=torch.float64)
    for ours, theirs, target in zip(here.split(CHUNK), there.split(CHUNK), window[1:].split(CHUNK), strict=True):
        same = ours.argmax(-1) == theirs.argmax(-1)
        loss = functional.nll_loss(ours, target, reduction="none")
        total += torch.stack([part.double().sum() for part in (loss, kl(ours, theirs), same)])
    return total
