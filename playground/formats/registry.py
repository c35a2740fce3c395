"""
Which number formats there are.

One record a format: add one to FORMATS, and every room follows. How each of them rounds is in `roundtrip`, one number
bit by bit in `bits`. Imports no torch before it has work to do. Knows nothing about models, adapters or the page.
"""

from __future__ import annotations

import math
from functools import partial

from playground.bounds import Bound
from playground.formats.format import GRANULARITIES, LARGEST, Format, Layout, plain_scales
from playground.formats.roundtrip import cast, four_bit, integers, ternary, vectorwise

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


def _double_scales(groups: int) -> int:
    """Dettmers et al. 2023, section 3: 8 bits a scale, a float32 for 256 of those, and one for their mean."""
    return 8 * groups + 32 * math.ceil(groups / NESTED) + 32


# The registry
_AFFINE, _QLORA = "Krishnamoorthi 2018, arXiv 1806.08342", "Dettmers et al. 2023, arXiv 2305.14314"
_BITSANDBYTES = "bitsandbytes.functional.get_4bit_type"
_FP8 = "Micikevicius et al. 2022, arXiv 2209.05433"


def _float(id: str, bits: int, exponent: int, mantissa: int, largest: float, source: str, dtype: str = "") -> Format:
    return Format(
        id, "float", source, bits, "float32", cast, largest, dtype or id, exponent_bits=exponent, mantissa_bits=mantissa
    )


def _integer(id: str, bits: int, layout: Layout, source: str = _AFFINE) -> Format:
    return Format(
        id, "integer", source, bits, "int32", integers, 2 ** (bits - 1) - 1, layout=layout,
        granularities=GRANULARITIES, zero_points=True,
    )  # fmt: skip


def _table(id: str, kind: str, levels: tuple[float, ...], source: str, double: bool = False) -> Format:
    """Read back before it is computed with, hence added up as the floats are."""
    return Format(
        id, "table", source, 4, "float32", partial(four_bit, kind=kind, double=double), 1.0, levels=levels,
        layout=Layout("block", 64), granularities=("block",), blocks=FOUR_BIT_BLOCKS,
        scale_bits=_double_scales if double else plain_scales,
    )  # fmt: skip


FORMATS: dict[str, Format] = {
    one.id: one
    for one in (
        _float("float32", 32, 8, 23, LARGEST, "IEEE 754-2019"),
        _float("float16", 16, 5, 10, 65504.0, "IEEE 754-2019"),
        _float("bfloat16", 16, 8, 7, 3.3895313892515355e38, "Kalamkar et al. 2019, arXiv 1905.12322"),
        _float("float8_e4m3", 8, 4, 3, 448.0, _FP8, "float8_e4m3fn"),
        _float("float8_e5m2", 8, 5, 2, 57344.0, _FP8),
        _integer("int16", 16, Layout("tensor")),
        _integer("int8", 8, Layout("tensor")),
        Format(
            "int8_vectorwise", "integer", "Dettmers et al. 2022, arXiv 2208.07339", 8, "int32", vectorwise, 127,
            layout=Layout("channel"), granularities=("channel",),
        ),
        _integer("int4", 4, Layout("block", 64), "Dettmers & Zettlemoyer 2022, arXiv 2212.09720"),
        _table("nf4", "nf4", NF4, _QLORA),
        _table("nf4_double", "nf4", NF4, _QLORA, double=True),
        _table("fp4", "fp4", FP4, _BITSANDBYTES),
        Format(
            "ternary", "integer", "Ma et al. 2024, arXiv 2402.17764", math.log2(3), "int32", ternary, 1,
            layout=Layout("tensor"), granularities=("tensor",),
        ),
    )
}  # fmt: skip
FORMAT = Bound("format", "float32", choices=tuple(FORMATS))


def format_of(format_id: str) -> Format:
    """One of FORMATS. Raises PlaygroundError for an id that does not exist."""
    return FORMATS[FORMAT.check(format_id)]
