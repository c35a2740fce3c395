"""
The block formats of GGUF files: encoded and read back by the `gguf` package, llama.cpp's own reference in Python.

A block of 32 or 256 numbers is a run of bytes with its scale, in some its minimum, and its packed codes. None of numpy,
torch and gguf is imported before it is needed. The package reads more types than it can write: see `read_only`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.bounds import Bound
from playground.errors import PlaygroundError
from playground.formats.format import Format, Layout, Quantized, finite

if TYPE_CHECKING:
    import numpy as np
    import torch


HALF = 65504.0  # the largest float16: what a scale or a minimum can be
ONE, ZERO = (0x00, 0x3C), (0x00, 0x00)  # the bytes of two float16
AT_ONCE = 2**13  # blocks; MXFP4's encoder holds 16 float32 for every number


def encode(format: Format, weights: np.ndarray) -> np.ndarray:
    """
    The bytes that the reference writes for float32 numbers in reading order: (blocks, bytes of a block) uint8. Before, what
    no scale in 16 bits could reach becomes the largest that one can; the reference would write infinity. A shorter last
    block is filled up with its last number, which changes no range; files have none, as no row may end within a block.
    """
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    size = format.layout.block
    flat = np.pad(_within(format, weights).reshape(-1), (0, -weights.size % size), mode="edge").reshape(-1, size)
    kind = GGMLQuantizationType[format.dtype]
    with np.errstate(all="ignore"):  # subnormal scales have no inverse; the reference stores them as 0
        parts = [quants.quantize(part.reshape(-1), kind) for part in np.array_split(flat, -(-len(flat) // AT_ONCE))]
    return np.concatenate(parts).reshape(len(flat), -1)


def decode(format: Format, packed: np.ndarray) -> np.ndarray:
    """The numbers that blocks stand for, as the reference reads them: (blocks, numbers of a block) float32."""
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    return quants.dequantize(np.ascontiguousarray(packed), GGMLQuantizationType[format.dtype])


def blocks(format: Format, weights: torch.Tensor, layout: Layout) -> Quantized:
    """The reference's round trip; see `encode`."""
    import torch

    numbers = weights.numpy()
    packed = encode(format, numbers)
    scales, minima = _scales(format, packed)

    def shaped(found: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(found.reshape(-1)[: weights.numel()].copy()).view(weights.shape)

    return Quantized(
        format, layout, shaped(decode(format, packed)), shaped(_codes(format, packed)), torch.from_numpy(scales),
        minima=None if minima is None else torch.from_numpy(minima),
        saturated=int((_within(format, numbers) != numbers).sum()),
    )  # fmt: skip


def _within(format: Format, weights: np.ndarray) -> np.ndarray:
    """What a scale, and a minimum, in 16 bits can reach; those of 8 bits are powers up to 2¹²⁷."""
    import numpy as np

    reach = np.float32(HALF * (1 if format.minimum else format.largest))
    return weights if format.powers else weights.clip(-reach, reach)


def _scales(format: Format, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(blocks,) float32 each: the scales, in units of the format's levels, and the minima."""
    import numpy as np

    if format.powers:  # E8M0: 2^(e − 127); the lowest two are subnormal
        # Of a block below the least power, whose codes are all zero, the reference's exponent begins again from above
        exponents = np.where(packed[:, 1:].any(axis=1), packed[:, 0], 0).astype(np.int32)
        return np.ldexp(np.float32(1), exponents - 127).astype(np.float32), None
    at = _scale_at(format)
    halves = packed[:, at : at + 4 if format.minimum else at + 2].copy().view("<f2").astype(np.float32)
    return halves[:, 0].copy(), halves[:, 1].copy() if format.minimum else None


def _scale_at(format: Format) -> int:
    """The ternary types keep their scale behind the codes."""
    return {"TQ1_0": 52, "TQ2_0": 64}.get(format.dtype, 0)


def _codes(format: Format, packed: np.ndarray) -> np.ndarray:
    """The code of every number: what is read back with a scale of 1 and a minimum of 0 is its level."""
    import numpy as np

    plain, at = packed.copy(), _scale_at(format)
    if format.powers:
        plain[:, 0] = 127
    else:
        plain[:, at : at + 2] = ONE
        if format.minimum:
            plain[:, at + 2 : at + 4] = ZERO
    found = decode(format, plain)
    if not format.levels:
        whole: np.ndarray = found.astype(np.int32)
        return whole
    levels = np.array(format.levels, np.float32) - np.float32(format.levels[0] if format.minimum else 0)
    rising, codes = np.unique(levels, return_index=True)
    placed: np.ndarray = codes[np.searchsorted(rising, found)].astype(np.int32)
    return placed


# One block


@dataclass(frozen=True)
class Block:
    """One block as a file holds it: its bytes, and what is in them. The scale is in units of the format's levels."""

    format: str
    stored: bytes
    scale: float
    minimum: float | None
    codes: tuple[int, ...]
    numbers: tuple[float, ...]


def block_of(format: Format, weights: torch.Tensor, place: int = 0) -> Block:
    """
    The block at a place, in reading order, of a weight in a format of GGUF files. Raises PlaygroundError for a format that
    is none of them and a place that does not exist.
    """
    if format.quantize is not blocks:
        raise PlaygroundError("no_blocks", format=format.id)
    size = format.layout.block
    Bound("block", 0, 0, -(-weights.numel() // size) - 1).check(place)
    packed = encode(format, finite(weights.reshape(-1)[place * size : (place + 1) * size]).numpy())
    scales, minima = _scales(format, packed)
    return Block(
        format.id, packed.tobytes(), float(scales[0]), None if minima is None else float(minima[0]),
        tuple(_codes(format, packed)[0].tolist()), tuple(decode(format, packed)[0].tolist()),
    )  # fmt: skip


# Packing


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """
    Codes of 2 or 4 bits, from 0, as bytes: (numbers,) to (numbers · bits / 8,) uint8. As in GGUF's Q4 and TQ2 blocks a byte
    holds numbers that stand far apart, number i and i + n/2 of 4 bits, the first in the lowest bits, so that one mask and
    one shift unpack a whole register. Raises PlaygroundError for other widths, codes too large and bytes not filled.
    """
    import numpy as np

    a_byte = _in_a_byte(bits)
    codes = np.asarray(codes)
    if codes.size % a_byte or (codes < 0).any() or (codes >= 2**bits).any():
        raise PlaygroundError("not_packable", bits=bits, most=2**bits - 1, multiple=a_byte)
    parts = codes.astype(np.uint8).reshape(a_byte, -1)
    shifted = parts << (np.arange(a_byte, dtype=np.uint8)[:, None] * np.uint8(bits))
    return np.asarray(np.bitwise_or.reduce(shifted, axis=0), np.uint8)


def unpack(packed: np.ndarray, bits: int) -> np.ndarray:
    """What `pack` was given: a mask and a shift. Raises PlaygroundError for other widths than 2 and 4 bits."""
    import numpy as np

    shifts = np.arange(_in_a_byte(bits), dtype=np.uint8)[:, None] * np.uint8(bits)
    return (np.asarray(packed, np.uint8)[None] >> shifts & np.uint8(2**bits - 1)).reshape(-1)


def _in_a_byte(bits: int) -> int:
    return 8 // int(Bound("bits", 4, choices=(2, 4)).check(bits))


# What can only be read


@dataclass(frozen=True)
class ReadOnly:
    """A type of GGUF files that the package decodes and cannot encode. `bits` per weight, scales included."""

    name: str
    bits: float
    block: int


def read_only() -> tuple[ReadOnly, ...]:
    """
    Q2_K to Q6_K, IQ and NVFP4: their encoders search for scales, in llama.cpp's C++ alone. The fewest bits first.
    """
    from gguf import GGML_QUANT_SIZES, quants

    kinds: dict[Any, Any] = quants._type_traits
    found = []
    for kind, traits in kinds.items():
        if "quantize_blocks" not in vars(traits):
            size, stored = GGML_QUANT_SIZES[kind]
            found.append(ReadOnly(kind.name, 8 * stored / size, size))
    return tuple(sorted(found, key=lambda one: one.bits))
