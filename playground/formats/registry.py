"""
Which number formats there are.

One record a format: add one to FORMATS, and every room follows. How each of them rounds is in `roundtrip`, one number
bit by bit in `bits`. Imports no torch before it has work to do. Knows nothing about models, adapters or the page.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from playground.bounds import Bound
from playground.formats.format import GRANULARITIES, LARGEST, Format, Layout, plain_scales
from playground.formats.gguf import blocks
from playground.formats.roundtrip import cast, four_bit, integers, scaled_cast, ternary, vectorwise

NESTED = 256  # scales of a double quantization that share a scale (Dettmers et al. 2023, section 3)
FOUR_BIT_BLOCKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)  # all that bitsandbytes has
# What bitsandbytes.functional.get_4bit_type gives (a test compares), in the order of the codes
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
# Not quite the E2M1 of the QLoRA paper, whose smallest level is 1/12 and not 0.0625/12; the others are the same.
FP4 = tuple(sign * level / 12 for sign in (1.0, -1.0) for level in (0, 0.0625, 8, 12, 4, 6, 2, 3))
E2M1 = tuple(sign * level for sign in (1.0, -1.0) for level in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0))
# In the order of their patterns; the two that are NaN, and that no rounding gives, as zeros
E4M3 = tuple(
    sign * (mantissa / 8 + (exponent > 0)) * 2.0 ** (max(exponent, 1) - 7) * ((exponent, mantissa) != (15, 7))
    for sign in (1.0, -1.0) for exponent in range(16) for mantissa in range(8)
)  # fmt: skip


def _double_scales(groups: int) -> int:
    """Dettmers et al. 2023, section 3: 8 bits a scale, a float32 for 256 of those, and one for their mean."""
    return 8 * groups + 32 * math.ceil(groups / NESTED) + 32


# The registry
_AFFINE, _QLORA = "Krishnamoorthi 2018, arXiv 1806.08342", "Dettmers et al. 2023, arXiv 2305.14314"
_BITSANDBYTES = "bitsandbytes.functional.get_4bit_type"
_LLAMA, _MX = "llama.cpp, gguf 0.19 (quants.py)", "OCP Microscaling Formats 1.0, 2023"
_FP8 = "Micikevicius et al. 2022, arXiv 2209.05433"


def _float(
    id: str, bits: int, exponent: int, mantissa: int, largest: float, source: str, runs: str, dtype: str = ""
) -> Format:
    return Format(
        id, "float", source, bits, "float32", cast, largest, dtype or id, exponent_bits=exponent, mantissa_bits=mantissa,
        runs=runs,
    )  # fmt: skip


def _integer(
    id: str, bits: int, layout: Layout, source: str = _AFFINE, runs: str = "read_back", usual: bool = True
) -> Format:
    return Format(
        id, "integer", source, bits, "int32", integers, 2 ** (bits - 1) - 1, layout=layout,
        granularities=GRANULARITIES, zero_points=True, runs=runs, usual=usual,
    )  # fmt: skip


def _table(id: str, kind: str, levels: tuple[float, ...], source: str, double: bool = False) -> Format:
    """Read back before it is computed with, hence added up as the floats are."""
    return Format(
        id, "table", source, 4, "float32", partial(four_bit, kind=kind, double=double), 1.0, levels=levels,
        layout=Layout("block", 64), granularities=("block",), blocks=FOUR_BIT_BLOCKS,
        scale_bits=_double_scales if double else plain_scales,
    )  # fmt: skip


def _gguf(
    id: str, bits: float, kind: str, largest: float, levels: tuple[float, ...] = (), block: int = 32, scale_bits: int = 16,
    minimum: bool = False, runs: str = "gguf", source: str = "", accumulates_in: str = "int32",
) -> Format:  # fmt: skip
    """`scale_bits` are those of a block: its scale, and its minimum where it has one."""
    return Format(
        id, kind, source or _LLAMA, bits, accumulates_in, blocks, largest, id.upper(), levels=levels,
        layout=Layout("block", block), granularities=("block",), blocks=(block,),
        scale_bits=lambda groups: scale_bits * groups, minimum=minimum, runs=runs, usual=False,
    )  # fmt: skip


def _steps(codes: int, middle: float) -> tuple[float, ...]:
    """What codes from 0 stand for, one step apart, if `middle` stands for 0."""
    return tuple(code - middle for code in range(codes))


FORMATS: dict[str, Format] = {
    one.id: one
    for one in (
        _float("float32", 32, 8, 23, LARGEST, "IEEE 754-2019", "everywhere"),
        _float("float16", 16, 5, 10, 65504.0, "IEEE 754-2019", "float16"),
        _float("bfloat16", 16, 8, 7, 3.3895313892515355e38, "Kalamkar et al. 2019, arXiv 1905.12322", "bfloat16"),
        _float("float8_e4m3", 8, 4, 3, 448.0, _FP8, "fp8", "float8_e4m3fn"),
        _float("float8_e5m2", 8, 5, 2, 57344.0, _FP8, "fp8"),
        _integer("int16", 16, Layout("tensor"), runs="int16"),
        _integer("int8", 8, Layout("tensor"), runs="int8"),
        Format(
            "int8_vectorwise", "integer", "Dettmers et al. 2022, arXiv 2208.07339", 8, "int32", vectorwise, 127,
            layout=Layout("channel"), granularities=("channel",), runs="int8",
        ),
        _integer("int4", 4, Layout("block", 64), "Dettmers & Zettlemoyer 2022, arXiv 2212.09720", "int4"),
        _table("nf4", "nf4", NF4, _QLORA),
        _table("nf4_double", "nf4", NF4, _QLORA, double=True),
        _table("fp4", "fp4", FP4, _BITSANDBYTES),
        Format(
            "ternary", "integer", "Ma et al. 2024, arXiv 2402.17764", math.log2(3), "int32", ternary, 1,
            layout=Layout("tensor"), granularities=("tensor",),
        ),
        Format(
            "float8_block", "table", "DeepSeek-AI 2024, arXiv 2412.19437", 8, "float32", scaled_cast, 448.0,
            "float8_e4m3fn", levels=E4M3, layout=Layout("block", 128), granularities=GRANULARITIES, runs="fp8",
            usual=False,
        ),
        _integer("int3", 3, Layout("block", 64), "Dettmers & Zettlemoyer 2022, arXiv 2212.09720", usual=False),
        _integer("int2", 2, Layout("block", 64), usual=False),
        _gguf("q8_0", 8, "integer", 127),
        _gguf("q5_1", 5, "table", 15.5, _steps(32, 15.5), scale_bits=32, minimum=True),
        _gguf("q5_0", 5, "table", 16, _steps(32, 16)),
        _gguf("q4_1", 4, "table", 7.5, _steps(16, 7.5), scale_bits=32, minimum=True),
        _gguf("q4_0", 4, "table", 8, _steps(16, 8)),
        replace(
            _gguf("mxfp4", 4, "table", 6.0, E2M1, scale_bits=8, runs="mxfp4", source=_MX, accumulates_in="float32"),
            powers=True,
        ),
        _gguf("tq2_0", 2, "integer", 1, block=256),
        _gguf("tq1_0", 1.625, "integer", 1, block=256),
    )
}  # fmt: skip
USUAL = tuple(one.id for one in FORMATS.values() if one.usual)
FORMAT = Bound("format", "float32", choices=tuple(FORMATS))


def format_of(format_id: str) -> Format:
    """One of FORMATS. Raises PlaygroundError for an id that does not exist."""
    return FORMATS[FORMAT.check(format_id)]
