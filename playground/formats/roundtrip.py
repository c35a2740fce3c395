"""
Round trips: weights to codes and back, one function for each way to round.

torch does the casts of the float formats, bitsandbytes the codes of NF4, FP4 and vector-wise int8; the rest is ours. Neither
is imported before it is needed. Weights come in as finite, contiguous float32 on the CPU and are not written to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.formats.format import LARGEST, SMALLEST, Format, Layout, Quantized

if TYPE_CHECKING:
    import torch


TINY_ROW = 1e-36  # below it bitsandbytes' 127 / absmax overflows


def cast(format: Format, weights: torch.Tensor, layout: Layout) -> Quantized:
    """torch's cast, to nearest and ties to even, after clipping to the largest number."""
    import torch

    clipped = weights.clamp(-format.largest, format.largest)
    values = clipped.to(getattr(torch, format.dtype)).float()
    return Quantized(format, layout, values, saturated=int((clipped != weights).sum()))


def scaled_cast(format: Format, weights: torch.Tensor, layout: Layout) -> Quantized:
    """torch's cast to the format's dtype of one byte after a division by max|w| / largest; codes are its patterns."""
    import torch

    groups = _grouped(weights, layout)
    scales = (groups.abs().amax(1, keepdim=True) / format.largest).clamp(min=SMALLEST)
    cast = (groups / scales).clamp(-format.largest, format.largest).to(getattr(torch, format.dtype))
    values = (cast.float() * scales).clamp(-LARGEST, LARGEST)
    codes, values = (
        part.reshape(-1)[: weights.numel()].view(weights.shape) for part in (cast.view(torch.uint8).int(), values)
    )
    return Quantized(format, layout, values, codes, scales[:, 0])


def _grouped(weights: torch.Tensor, layout: Layout) -> torch.Tensor:
    """(groups, numbers in a group); a shorter last block is filled up with zeros, which change no range."""
    import torch

    if layout.granularity == "block":
        size = min(layout.block, weights.numel())
        return torch.nn.functional.pad(weights.reshape(-1), (0, -weights.numel() % size)).view(-1, size)
    return (
        weights.reshape(-1, weights.shape[-1])
        if layout.granularity == "channel" and weights.dim()
        else weights.reshape(1, -1)
    )


def integers(format: Format, weights: torch.Tensor, layout: Layout) -> Quantized:
    """
    Absmax: scale = max|w| / largest, codes from −largest to largest. Zero-point: scale = (max − min) / (2 largest + 1)
    over a range that includes 0, codes from −largest − 1 (Krishnamoorthi 2018, section 2).
    """
    groups, high = _grouped(weights, layout), int(format.largest)
    if layout.zero_point:
        low = -high - 1
        least, most = groups.amin(1, keepdim=True).clamp(max=0), groups.amax(1, keepdim=True).clamp(min=0)
        scales = (most / (high - low) - least / (high - low)).clamp(min=SMALLEST)
        zeros = (low - (least / scales).round()).clamp(low, high)
    else:
        low = -high
        scales = (groups.abs().amax(1, keepdim=True) / high).clamp(min=SMALLEST)
        zeros = scales.new_zeros(())
    codes = ((groups / scales).round() + zeros).clamp(low, high)  # (groups, size)
    values = ((codes - zeros) * scales).clamp(-LARGEST, LARGEST)
    codes, values = (part.reshape(-1)[: weights.numel()].view(weights.shape) for part in (codes.int(), values))
    return Quantized(format, layout, values, codes, scales[:, 0], zeros[:, 0].int() if layout.zero_point else None)


def ternary(format: Format, weights: torch.Tensor, layout: Layout) -> Quantized:
    """Ma et al. 2024, equations 1 to 3: divide by the mean of |w|, round, clip to −1, 0, 1."""
    scale = weights.abs().double().mean().float().clamp(min=SMALLEST)
    wanted = (weights / scale).round()
    codes = wanted.clamp(-1, 1)
    return Quantized(format, layout, codes * scale, codes.int(), scale.view(1), saturated=int((wanted != codes).sum()))


def four_bit(format: Format, weights: torch.Tensor, layout: Layout, kind: str, double: bool = False) -> Quantized:
    """
    bitsandbytes.functional.quantize_4bit with its `kind` "nf4" or "fp4"; `double` quantizes the scales as well.

    Read back as level · scale, which is what its dequantize_4bit computes. That one, on CPUs, compiles its fallback for
    a minute at blocks of 2048 or more and rows of odd length, and takes a neighbour's scale in rows that no block divides.
    """
    import torch
    from bitsandbytes.functional import dequantize_blockwise, quantize_4bit

    packed, state = quantize_4bit(weights.view(-1), blocksize=layout.block, quant_type=kind, compress_statistics=double)
    scales = dequantize_blockwise(state.absmax, state.state2) + state.offset if double else state.absmax
    codes = torch.stack([packed.view(-1) >> 4, packed.view(-1) & 15], dim=1)  # the first of two is the high half
    codes = codes.view(-1)[: weights.numel()].view(weights.shape).int()
    levels = _grouped(torch.tensor(format.levels)[codes], layout)
    values = (levels * scales[:, None]).view(-1)[: weights.numel()].view(weights.shape)
    return Quantized(format, layout, values, codes, scales)


def vectorwise_codes(matrix: torch.Tensor, threshold: float = 0.0) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """
    bitsandbytes.functional.int8_vectorwise_quant of a float32 (rows, columns): codes int8, the absmax of each row, and
    the columns with a number of at least `threshold` (0: none), whose codes are 0. Rows below 1e-36 become 0.
    """
    from bitsandbytes.functional import int8_vectorwise_quant

    tiny = matrix.abs().amax(1) < TINY_ROW
    codes, absmax, outliers = int8_vectorwise_quant(matrix.masked_fill(tiny[:, None], 0.0), threshold)
    codes, absmax = codes.masked_fill(tiny[:, None], 0), absmax.masked_fill(tiny, 0.0)  # 0 / 0 has no code
    return codes, absmax, [] if outliers is None else outliers.tolist()


def vectorwise(format: Format, weights: torch.Tensor, layout: Layout) -> Quantized:
    """LLM.int8()'s weights: absmax of every row. bitsandbytes' own layer rounds them to float16 before."""
    from bitsandbytes.functional import int8_vectorwise_dequant

    codes, absmax, _ = vectorwise_codes(_grouped(weights, layout))
    values = int8_vectorwise_dequant(codes, absmax).clamp(-LARGEST, LARGEST)
    return Quantized(format, layout, values.view(weights.shape), codes.int().view(weights.shape), absmax / 127)
