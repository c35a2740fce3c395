"""
Products of the embedded base's own layers, timed here in each type: how long, how many operations a second, how many bytes
moved; and the two ceilings of a roofline (Williams et al. 2009) that they are held against.

A layer reads one token, as in writing, or many at once, as in reading a prompt. A model writes a token with all of its
layers, so that none of them finds its weights in a cache: a product takes turns with so many copies of its weight that they
fill more than that. `make examples` records a run in RECORD.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.bounds import Bound
from playground.learn.families import model
from playground.learn.products import KINDS, Made

if TYPE_CHECKING:
    from playground.quantize.energy import Meter

RECORD = settings.EXAMPLES / "products.json"
HEAD = "head"
LAYERS = ("q_proj", "k_proj", "up_proj", "down_proj", HEAD)
LAYER = "up_proj"  # the lesson's
TOKENS = (1, 16, 64, 256)
BATCHES = (1, 64)  # the lesson's tokens
ASKED = Bound("layer", LAYER, choices=LAYERS)
# By type: what torch calls the instructions that a processor may have for its products (torch.cpu.get_capabilities)
INSTRUCTIONS = {
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"), "float16": ("avx512_fp16", "amx_fp16", "fp16_arith"),
    "int8": ("avx512_vnni", "avx_vnni", "amx_int8", "dot", "i8mm"),
}  # fmt: skip
SECONDS, LEAST, MOST = 0.12, 3, 50  # for one product, and how often it is repeated
LONG = 0.5  # seconds after which a slow one is not repeated: others wait for their turn
COLD = 128 * 2**20  # bytes of copies that one product takes turns with, and of a copy that is timed
SIDE, AGAIN = 1536, 8  # of the square product that is a ceiling; how often one is repeated at least
Multiply = Callable[[], object]


@dataclass(frozen=True)
class Product:
    """
    The product of `tokens` with a layer's weight in one of KINDS: `seconds`, the shortest of several times (what disturbs
    only adds to one, as the documentation of `timeit` says), None where this machine has no such product; operations; and
    the bytes that it has to move: weights as they are held (and, where they are turned back into float32, that copy written
    and read), what goes in and what comes out. `native`: whether torch finds instructions for such products on this
    processor; None for what it is not asked about. `joules`, where a meter was there.
    """

    kind: str
    tokens: int
    seconds: float | None
    operations: int
    moved: int
    native: bool | None = None
    layer: str = LAYER
    joules: float | None = None

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds if self.seconds else 0.0

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return self.operations / self.moved


@dataclass(frozen=True)
class Ceilings:
    """
    What a machine does at most: `moved` bytes a second of a large copy or of a large matrix that is read once, whichever is
    faster; `rate` operations a second of a large float32 product.
    """

    moved: float
    rate: float

    @property
    def ridge(self) -> float:
        """Operations for each byte from which on the arithmetic is what holds up, not the memory."""
        return self.rate / self.moved

    def most(self, intensity: float) -> float:
        """Operations a second, at so many for each byte."""
        return min(self.rate, self.moved * intensity)


@dataclass(frozen=True)
class Timed:
    """A layer's products as far as they are measured, and the ceilings; where, unless it is here."""

    ceilings: Ceilings
    products: tuple[Product, ...] = ()
    machine: str = ""


def shape(layer: str = LAYER) -> tuple[int, int]:
    """Inputs and outputs of a layer. Raises PlaygroundError for one that is not in LAYERS."""
    base = model()
    if ASKED.check(layer) == HEAD:  # the embedding, once more
        inside = sum(one.inputs * one.outputs * one.count for one in base.linears)
        return base.hidden_size, (base.parameters - base.norms - inside) // base.hidden_size
    one = next(one for one in base.linears if one.name == layer)
    return one.inputs, one.outputs


def timed(layer: str, batches: Sequence[int], device: str = "cpu", meter: Meter | None = None) -> Iterator[Timed]:
    """The ceilings, and one product after the other; somebody else may have a turn in between."""
    found = Timed(ceilings(device))
    yield found
    for product in products(layer, batches, device, meter):
        found = Timed(found.ceilings, (*found.products, product))
        yield found


def products(
    layer: str = LAYER, batches: Sequence[int] = BATCHES, device: str = "cpu", meter: Meter | None = None
) -> Iterator[Product]:
    """Every kind with every number of tokens. The energy is that of one token: of writing."""
    import torch

    inputs, outputs = shape(layer)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(outputs, inputs, generator=generator).to(device)
    for tokens in batches:
        x = torch.randn(tokens, inputs, generator=generator).to(device)
        for name, kind in KINDS.items():
            spent = joules = None
            moved = tokens * (inputs * kind.given + outputs * kind.out)
            try:
                made = kind.make(weight, x)
                moved += made.bytes + made.more
                multiply = in_turn(made)
                spent = fastest(multiply, device)
                joules = _joules(multiply, device, meter) if meter and tokens == 1 else None
            except (RuntimeError, NotImplementedError):  # torch's for a type or a size without a kernel
                pass
            yield Product(name, tokens, spent, 2 * tokens * inputs * outputs, moved, native(name, device), layer, joules)


def ceilings(device: str = "cpu") -> Ceilings:
    """What no cache holds is copied, and multiplied with a vector; in a square product each number is used SIDE times."""
    import torch

    source = torch.ones(max(COLD // 4 // SIDE, 1), SIDE, device=device)
    target, square = torch.empty_like(source), torch.ones(SIDE, SIDE, device=device)
    copied = fastest(lambda: target.copy_(source), device, AGAIN)
    read = fastest(lambda: source @ square[0], device, AGAIN)
    rate = 2 * SIDE**3 / fastest(lambda: square @ square, device, AGAIN)
    return Ceilings(source.nbytes * max(2 / copied, 1 / read), rate)


def native(kind: str, device: str) -> bool | None:
    """Whether torch finds instructions of its own for products of a type; None on what is no processor, and for others."""
    import torch

    if device != "cpu" or kind not in INSTRUCTIONS:
        return None
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in INSTRUCTIONS[kind])


def in_turn(made: Made) -> Multiply:
    """The product with one copy of the weight after the other."""
    copies = [made.held, *(tuple(one.clone() for one in made.held) for _ in range(math.ceil(COLD / made.bytes) - 1))]
    turns = cycle(copies)
    return lambda: made.multiply(*next(turns))


def fastest(multiply: Multiply, device: str, least: int = 0) -> float:
    """Seconds of one product, undisturbed as far as that can be had."""
    spent: list[float] = []
    _waited(multiply, device)  # the first time prepares
    least = max(least, LEAST)
    while not spent or (sum(spent) < LONG and len(spent) < least) or (sum(spent) < SECONDS and len(spent) < MOST):
        began = time.perf_counter()
        _waited(multiply, device)
        spent.append(time.perf_counter() - began)
    return min(spent)


def _joules(multiply: Multiply, device: str, meter: Meter) -> float | None:
    """Of one product, from as many as fill the time that the meter needs."""
    count = 0

    def repeated() -> None:
        nonlocal count
        until = time.perf_counter() + meter.seconds
        while not count or time.perf_counter() < until:
            _waited(multiply, device)
            count += 1

    found = meter.joules(repeated)
    return None if found is None else found / count


def _waited(multiply: Multiply, device: str) -> None:
    import torch

    multiply()
    if device == "cuda":
        torch.cuda.synchronize()


def recording(machine: str, device: str = "cpu", meter: Meter | None = None) -> dict[str, Any]:
    """What `make examples` writes."""
    found = [one for layer in LAYERS for one in products(layer, TOKENS, device, meter)]
    return {"machine": machine, "ceilings": asdict(ceilings(device)), "products": [asdict(one) for one in found]}


@cache
def _read() -> tuple[str, Ceilings | None, tuple[Product, ...]]:
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    limits = Ceilings(**found["ceilings"]) if found.get("ceilings") else None
    return found["machine"], limits, tuple(Product(**one) for one in found["products"])


def recorded() -> tuple[str, tuple[Product, ...]]:
    """The machine that the lesson's products were recorded on, and these."""
    machine, _, found = _read()
    return machine, tuple(one for one in found if one.layer == LAYER and one.tokens in BATCHES)


def recorded_layer(layer: str) -> Timed | None:
    """What was recorded of a layer; None where nothing was."""
    machine, limits, found = _read()
    kept = tuple(one for one in found if one.layer == layer)
    return Timed(limits, kept, machine) if limits and kept else None
