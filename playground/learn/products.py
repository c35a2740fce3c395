"""
A layer's product with the tokens that it reads, in each type that torch multiplies.

Weights in fewer bits are multiplied in three ways: turned back into floats first, as bitsandbytes holds them (its own NF4,
int8 with a scale for each row); by kernels that read the codes and compute in bfloat16 (torch's int8 with a scale for each
row, int4 with a scale and a zero for GROUP); as integers alone, with int32 sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

GROUP = 64  # int4 codes with one scale and one zero
MIDDLE = 8  # the int4 code of the zero


@dataclass(frozen=True)
class Made:
    """A weight as it is `held`, which `multiply` takes, and the bytes that a product moves of it besides."""

    held: tuple[torch.Tensor, ...]
    multiply: Callable[..., object]
    more: int = 0

    @property
    def bytes(self) -> int:
        """What is held."""
        return sum(one.nbytes for one in self.held)


@dataclass(frozen=True)
class Kind:
    """`make` takes a float32 weight (out, in) and what it reads (tokens, in); bytes of a number in and out."""

    make: Callable[[torch.Tensor, torch.Tensor], Made]
    given: int = 4
    out: int = 4


def codes(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8, and a scale for each row (out, 1)."""
    import torch

    scales = weight.abs().amax(1, keepdim=True) / 127
    return (weight / scales).round().to(torch.int8), scales


def grouped(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    int4 codes 0 to 15, (out, in) int32; and of each GROUP its scale and its zero as torch's kernel wants them, (in / GROUP,
    out, 2) bfloat16: a number is (code − MIDDLE) · scale + zero.
    """
    import torch

    groups = weight.view(len(weight), -1, GROUP)
    low = groups.amin(2)
    scales = (groups.amax(2) - low) / 15
    found = ((groups - low[..., None]) / scales[..., None]).round().clamp(0, 15)
    both = torch.stack([scales, low + MIDDLE * scales], 2).transpose(0, 1).contiguous()
    return found.view_as(weight).int(), both.bfloat16()


def _floats(name: str) -> Callable[[torch.Tensor, torch.Tensor], Made]:
    def make(weight: torch.Tensor, x: torch.Tensor) -> Made:
        import torch

        dtype: torch.dtype = getattr(torch, name)
        given = x.to(dtype)
        return Made((weight.to(dtype),), lambda w: torch.nn.functional.linear(given, w))

    return make


def _int8(weight: torch.Tensor, x: torch.Tensor) -> Made:
    import torch

    given = codes(x)[0]
    return Made((codes(weight)[0],), lambda held: torch._int_mm(given, held.t()))


def _int8_weights(weight: torch.Tensor, x: torch.Tensor) -> Made:
    import torch

    held, scales = codes(weight)
    given, kernel = x.bfloat16(), torch.ops.aten._weight_int8pack_mm
    return Made((held, scales.flatten().bfloat16()), lambda held, scales: kernel(given, held, scales))


def _int4_weights(weight: torch.Tensor, x: torch.Tensor) -> Made:
    import torch

    aten: Any = torch.ops.aten
    found, both = grouped(weight)
    given, packed = x.bfloat16(), aten._convert_weight_to_int4pack_for_cpu(found, 1)
    return Made((packed, both), lambda packed, both: aten._weight_int4pack_mm_for_cpu(given, packed, GROUP, both))


def _int8_read_back(weight: torch.Tensor, x: torch.Tensor) -> Made:
    import torch

    multiply = torch.nn.functional.linear
    return Made(codes(weight), lambda held, scales: multiply(x, held.float() * scales), 2 * weight.nbytes)


def _nf4(weight: torch.Tensor, x: torch.Tensor) -> Made:
    import torch
    from bitsandbytes import functional

    held, state = functional.quantize_4bit(weight, quant_type="nf4", blocksize=64)
    multiply = torch.nn.functional.linear
    more = state.absmax.nbytes + 2 * weight.nbytes
    return Made((held,), lambda held: multiply(x, functional.dequantize_4bit(held, state)), more)


KINDS = {
    "float32": Kind(_floats("float32")),
    "bfloat16": Kind(_floats("bfloat16"), 2, 2),
    "float16": Kind(_floats("float16"), 2, 2),
    "int8": Kind(_int8, 1, 4),
    "int8_weights": Kind(_int8_weights, 2, 2),
    "int4_weights": Kind(_int4_weights, 2, 2),
    "int8_read_back": Kind(_int8_read_back),
    "nf4": Kind(_nf4),
}
