"""
One product of the embedded base, timed here in each type: how long, how many operations a second, how many bytes moved.

The layer is `up_proj`; it reads one token, as in writing, and 64 at once, as in reading a prompt. Weights in fewer bits are
held as bitsandbytes holds them (its own NF4, int8 with a scale for each row) and turned back into floats before they are
multiplied; int8 itself is the product of integers alone, with int32 sums. `make examples` records a run in RECORD.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.learn.families import model

if TYPE_CHECKING:
    import torch

RECORD = settings.EXAMPLES / "products.json"
LAYER = "up_proj"
BATCHES = (1, 64)  # tokens
# By type: what torch calls the instructions that a processor may have for its products (torch.cpu.get_capabilities)
INSTRUCTIONS = {
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"), "float16": ("avx512_fp16", "amx_fp16", "fp16_arith"),
}  # fmt: skip
SECONDS, LEAST, MOST = 0.12, 3, 50  # for one product, and how often it is repeated
Multiply = Callable[[], object]


@dataclass(frozen=True)
class Product:
    """
    The product of `tokens` with the layer's weight in one of KINDS: `seconds`, the shortest of several times (what disturbs
    only adds to one, as the documentation of `timeit` says), None where this machine has no such product; operations; and
    the bytes that it has to move: weights as they are held (and, where they are turned back into float32, that copy written
    and read), what goes in and what comes out. `native`: whether torch finds instructions for such products on this
    processor; None for what it is not asked about.
    """

    kind: str
    tokens: int
    seconds: float | None
    operations: int
    moved: int
    native: bool | None = None

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds if self.seconds else 0.0


def layer() -> tuple[int, int]:
    """Inputs and outputs of the layer."""
    one = next(one for one in model().linears if one.name == LAYER)
    return one.inputs, one.outputs


def products(device: str = "cpu") -> Iterator[Product]:
    """Every kind with every number of tokens; somebody else may have a turn in between."""
    import torch

    inputs, outputs = layer()
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(outputs, inputs, generator=generator).to(device)
    for tokens in BATCHES:
        x = torch.randn(tokens, inputs, generator=generator).to(device)
        for kind, make in KINDS.items():
            held, multiply = make(weight, x)
            width = 1 if kind == "int8" else 2 if kind in ("bfloat16", "float16") else 4
            out = 4 if kind == "int8" else width  # int32 sums
            moved = held + tokens * (inputs * width + outputs * out)
            spent, operations = _shortest(multiply, device), 2 * tokens * inputs * outputs
            yield Product(kind, tokens, spent, operations, moved, native(kind, device))


def native(kind: str, device: str) -> bool | None:
    """Whether torch finds instructions of its own for products of a type; None on what is no processor, and for others."""
    import torch

    if device != "cpu" or kind not in INSTRUCTIONS:
        return None
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in INSTRUCTIONS[kind])


def _shortest(multiply: Multiply, device: str) -> float | None:
    """Seconds of one product, undisturbed as far as that can be had; None where there is none for this machine."""
    import torch

    spent: list[float] = []
    try:
        multiply()  # the first time prepares
        while len(spent) < LEAST or (sum(spent) < SECONDS and len(spent) < MOST):
            began = time.perf_counter()
            multiply()
            if device == "cuda":
                torch.cuda.synchronize()
            spent.append(time.perf_counter() - began)
    except (RuntimeError, NotImplementedError):  # torch's for a type or a size without a kernel
        return None
    return min(spent)


def _floats(name: str) -> Callable[[torch.Tensor, torch.Tensor], tuple[int, Multiply]]:
    def make(weight: torch.Tensor, x: torch.Tensor) -> tuple[int, Multiply]:
        import torch

        dtype: torch.dtype = getattr(torch, name)
        w, given = weight.to(dtype), x.to(dtype)
        return w.nbytes, lambda: torch.nn.functional.linear(given, w)

    return make


def _codes(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 and a scale for each row."""
    import torch

    scales = weight.abs().amax(1, keepdim=True) / 127
    return (weight / scales).round().to(torch.int8), scales


def _int8(weight: torch.Tensor, x: torch.Tensor) -> tuple[int, Multiply]:
    import torch

    codes, given = _codes(weight)[0], _codes(x)[0]
    return codes.nbytes, lambda: torch._int_mm(given, codes.t())


def _int8_read_back(weight: torch.Tensor, x: torch.Tensor) -> tuple[int, Multiply]:
    import torch

    codes, scales = _codes(weight)
    held = codes.nbytes + scales.nbytes + 2 * weight.nbytes
    return held, lambda: torch.nn.functional.linear(x, codes.float() * scales)


def _nf4(weight: torch.Tensor, x: torch.Tensor) -> tuple[int, Multiply]:
    import torch
    from bitsandbytes import functional

    codes, state = functional.quantize_4bit(weight, quant_type="nf4", blocksize=64)
    held = codes.nbytes + state.absmax.nbytes + 2 * weight.nbytes
    return held, lambda: torch.nn.functional.linear(x, functional.dequantize_4bit(codes, state))


KINDS: dict[str, Callable[[torch.Tensor, torch.Tensor], tuple[int, Multiply]]] = {
    "float32": _floats("float32"),
    "bfloat16": _floats("bfloat16"),
    "float16": _floats("float16"),
    "int8": _int8,
    "int8_read_back": _int8_read_back,
    "nf4": _nf4,
}


def recording(machine: str, device: str = "cpu") -> dict[str, Any]:
    """What `make examples` writes."""
    return {"machine": machine, "products": [asdict(one) for one in products(device)]}


@cache
def recorded() -> tuple[str, tuple[Product, ...]]:
    """The machine that it was recorded on, and the products."""
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    return found["machine"], tuple(Product(**one) for one in found["products"])
