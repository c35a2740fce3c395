"""
The quantization lab's named endpoints: formats, one number, one module, accumulators, the whole model.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr

from playground import locales
from playground.formats.registry import FORMATS
from playground.model.bases import BASES
from playground.model.catalogue import FORMS, split_id
from playground.ui.api.endpoints import explained, key_of, result
from playground.work.lanes import MEASURE
from playground.work.sessions import SESSIONS


def formats() -> list:
    """The number formats: id, name, kind, bits per parameter (of large matrices, scales included), range, source."""
    return [
        {
            "id": one.id,
            "name": locales.text(locales.DEFAULT, f"formats.{one.id}"),
            "kind": one.kind,
            "bits_per_parameter": one.bits_per_parameter(),
            "accumulates_in": one.accumulates_in,
            "dynamic_range_db": one.dynamic_range_db,
            "granularity": one.layout.granularity,
            "block": one.layout.block if one.layout.granularity == "block" else None,
            "source": one.source,
        }
        for one in FORMATS.values()
    ]


def anatomy(format: str, value: float, request: gr.Request, scale: float = 0.0, zero_point: int | None = None) -> dict:
    """
    One number in one format: what is stored, its error, its bits, its neighbours.

    Args:
        format: a format id
        value: the number
        scale: what a code is worth; 0 reaches from -1 to 1 (float formats have none)
        zero_point: the code of 0, for formats that may have one
    """
    from playground.formats.bits import anatomy as parts

    with explained(request):
        return asdict(parts(format, value, scale or None, zero_point))


def quantize(
    base: str,
    request: gr.Request,
    module: str = "",
    formats: list = [],  # noqa: B006
    granularity: str = "",
    block: int = 64,
    zero_point: bool = False,
) -> list:
    """
    What each format does to the weights of one module: bits per parameter, bytes, MAE, RMSE, largest error, SQNR in dB.

    Args:
        base: a base id
        module: the module's path in the base; empty: a middle MLP one
        formats: format ids; empty: all
        granularity: what shares a scale, "tensor", "channel" (a row) or "block", where a format has it; empty: each
            format's own, whatever block and zero_point say
        block: numbers that share a scale
        zero_point: whether ranges need not be symmetric, where a format has it
    """
    from playground.formats.format import Layout
    from playground.quantize import tensor

    with explained(request):
        layout = Layout(granularity, block, zero_point) if granularity else None
        return tensor.rows(BASES.get(base), module, formats, layout)


def accumulate(
    request: gr.Request,
    a: int = 127,
    b: int = 127,
    accumulator: str = "int8",
    overflow: str = "wrap",
    operands: str = "positive",
    length: int = 4096,
    seed: int = 0,
) -> dict:
    """
    a + b in an integer accumulator, bit by bit, and a dot product in every pair of operand and accumulator: where each
    overflows (`overflow_at`), first loses a product (`lost_at`) or stops growing (`stall_at`); a sum of null is infinite.

    Args:
        a: from -128 to 127
        b: from -128 to 127
        accumulator: of a + b: int8, int16 or int32
        overflow: what integers do: wrap or saturate
        operands: of the dot product: ones, largest (127), positive (0 to 127) or random (-127 to 127)
        length: of the dot product
        seed: decides the operands
    """
    from playground.formats import accumulators

    def row(one: accumulators.DotProduct) -> dict[str, Any]:
        found = {name: getattr(one, name) for name in ("overflow", "overflow_at", "lost_at", "stall_at", "error")}
        last = one.sums[-1] if math.isfinite(one.sums[-1]) else None
        return {"pair": one.pair.id, **asdict(one.pair), "sum": last, "exact": one.exact[-1], **found}

    with explained(request):
        addition = accumulators.add(a, b, accumulator, overflow)
        return {
            "addition": asdict(addition),
            "dots": [row(one) for one in accumulators.dots(operands, length, overflow, seed)],
        }


def survey(base: str, request: gr.Request, formats: list = []) -> list:  # type: ignore[misc]  # noqa: B006
    """
    A whole base in each format: size, SQNR of every linear layer, loss and perplexity on the shipped text, KL from the
    base; a stream of lists that grow, the base as loaded first.

    Args:
        base: a plain base id
        formats: format ids; empty: all
    """
    from playground.quantize.wholemodel import WholeJob
    from playground.quantize.wholemodel import survey as measure

    with explained(request):
        job = WholeJob(split_id(base)[0].id, tuple(formats or FORMS)).checked()
        run = SESSIONS.submit(key_of(request), MEASURE, lambda stop: measure(job, BASES.get), job, "survey")
        yield from _surveys(run)


def _surveys(run: Any) -> Iterator[list]:
    sent = 0
    for _ in run.changes():
        found = run.events[-1].found if run.events else ()
        if len(found) > sent:
            sent = len(found)
            yield [{**asdict(one), "sqnr_db": one.sqnr_db} for one in found]
    result(run)


ENDPOINTS: dict[str, Callable] = {
    "formats": formats,
    "anatomy": anatomy,
    "quantize": quantize,
    "accumulate": accumulate,
    "survey": survey,
}
