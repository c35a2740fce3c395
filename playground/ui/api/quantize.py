"""
The quantization lab's named endpoints: formats, one number, one module, accumulators, the whole model, the ladder of
algorithms.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions.formats import add_up, describe_number, list_formats
from playground.actions.ladder import climbed, start_layer
from playground.actions.quantize import measured, start_survey
from playground.actions.tensor import round_module
from playground.actions.work import check_ended, own_place
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import changes, gone


def format_list() -> list[Any]:
    """
    The number formats: id, name, kind, bits per parameter (of large matrices, scales included), range, source.

    Returns:
        a list of {id, name, kind, bits_per_parameter, accumulates_in, dynamic_range_db, granularity, block, runs,
            source}; runs: where it computes faster, and where it only saves memory

    Raises:
        nothing
    """
    return list_formats()


def anatomy(
    format: str, value: float, request: gr.Request, scale: float = 0.0, zero_point: int | None = None
) -> dict[str, Any]:
    """
    One number in one format: what is stored, its error, its bits, its neighbours.

    Args:
        format: a format id
        value: the number
        scale: what a code is worth; 0 reaches from -1 to 1 (float formats have none)
        zero_point: the code of 0, for formats that may have one

    Returns:
        {stored, error, bits, lower, upper, saturated, …}

    Raises:
        an unknown format, a number that is none, a scale or zero point that this format cannot have
    """
    return describe_number(format, value, scale or None, zero_point)


def quantize(
    base: str,
    request: gr.Request,
    module: str = "",
    formats: list[Any] = [],  # noqa: B006
    granularity: str = "",
    block: int = 64,
    zero_point: bool = False,
) -> list[Any]:
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

    Returns:
        a list of {format, bits_per_parameter, bytes, mae, rmse, max_error, sqnr_db, zeros, saturated, …}, errors in
            the unit of the weights

    Raises:
        an unknown base, module or format, a granularity or block that is not possible
    """
    return round_module(base, module, formats, granularity, block, zero_point)


def accumulate(
    request: gr.Request,
    a: int = 127,
    b: int = 127,
    accumulator: str = "int8",
    overflow: str = "wrap",
    operands: str = "positive",
    length: int = 4096,
    seed: int = 0,
) -> dict[str, Any]:
    """
    a + b in an integer accumulator, bit by bit, and a dot product in every pair of operand and accumulator: where each
    overflows (`overflow_at`), first loses a product (`lost_at`) or stops growing (`stall_at`); a sum of null is infinite.

    Args:
        a: from -128 to 127
        b: from -128 to 127
        accumulator: of a + b: int8, int16 or int32
        overflow: what integers do: wrap or saturate
        operands: of the dot product: ones, largest (127), positive (0 to 127) or random (-127 to 127); int16's reach 32767
        length: of the dot product
        seed: decides the operands

    Returns:
        {addition: {exact, result, overflowed, bits_a, carries, …}, dots: [{pair, sum, exact, error, overflow_at,
            lost_at, stall_at}]}, the last three as numbers of products

    Raises:
        a value outside its range, an unknown accumulator or kind of operands
    """
    return add_up(a, b, accumulator, overflow, operands, length, seed)


def survey(base: str, request: gr.Request, formats: list[Any] = []) -> list[Any]:  # type: ignore[misc]  # noqa: B006
    """
    A whole base in each format: size, SQNR of every linear layer, loss and perplexity on the shipped text, KL from the
    base; a stream of lists that grow, the base as loaded first.

    Args:
        base: a plain base id
        formats: format ids; empty: all

    Returns:
        a stream of lists of {format, real, bits, memory, disk, sqnr_db, modules, reading: {loss, perplexity,
            kl_from_base, same_top}}: memory and disk in bytes, loss and KL in nats a token, same_top a share

    Raises:
        an unknown base or format, a base in a form
    """
    key, sent = key_of(request), 0
    with own_place(key) as place:
        run = start_survey(key, base, formats, place)
        for _ in changes(run):
            found = measured(run.events[-1]) if run.events else []
            if len(found) > sent:
                sent = len(found)
                yield found
        if not gone():
            check_ended(run)


def ladder(base: str, request: gr.Request, module: str = "", bits: int = 4, block: int = 64) -> dict[str, Any]:  # type: ignore[misc]
    """
    One layer under ten algorithms from rounding to GPTQ: relative errors of its weight, and of what it puts out on the
    calibration text (`seen`) and on a new one (`unseen`), seconds; a stream that grows by a rung.

    Args:
        base: a plain base id
        module: the path of a linear layer in the base; empty: a middle MLP one
        bits: of a weight, without its scale: 2, 3, 4, 8 or 16
        block: weights that share a scale

    Returns:
        a stream of {base, module, shape: [out, in], bits, block, seen, unseen, steps: [{rung, bits, weight, seen,
            unseen, both, seconds}]}; both is unseen with activations in int8 too; errors are relative, of norms

    Raises:
        an unknown base or module, bits or a block that is not possible, a layer that is too wide for GPTQ
    """
    key, sent = key_of(request), 0
    with own_place(key) as place:
        run = start_layer(key, base, module, bits, block, place)
        for _ in changes(run):
            found = climbed(run.events[-1]) if run.events else {"steps": []}
            if len(found["steps"]) > sent:
                sent = len(found["steps"])
                yield found
        if not gone():
            check_ended(run)


ENDPOINTS: dict[str, Callable[..., Any]] = {
    "formats": format_list,
    "anatomy": anatomy,
    "quantize": quantize,
    "accumulate": accumulate,
    "survey": survey,
    "ladder": ladder,
}
