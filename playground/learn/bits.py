"""
The figures of the lessons on fewer bits: sums that overflow, outliers, NF4 and QLoRA, energy, mixed precision, ternary.
"""

from __future__ import annotations

import json
import math
from functools import cache
from statistics import fmean
from typing import Any

from playground import settings
from playground.adapt.cost import cost
from playground.adapt.published import PUBLISHED
from playground.formats.accumulators import INTEGERS, add, rounded
from playground.formats.distributions import sample
from playground.formats.format import Format, Layout
from playground.formats.registry import FORMATS
from playground.learn.adapting import gigabytes
from playground.learn.figures import Bar, Figure, Figures
from playground.quantize.energy import MULTIPLY

LARGEST = 127  # code of int8 with one scale and no zero point
SIDE, SIZE = 256, 100.0  # of the tensor with one outlier, and of that outlier in standard deviations


def fewer_bits() -> Figures:
    """How far off the embedded base's weights are in 16 and in 8 bits, what they take and cost; recorded."""
    found = {one["format"]: one for one in _survey()}
    errors = {name: _error(found[name]) for name in ("float16", "bfloat16", "int8_vectorwise", "int8")}
    bars = tuple(
        Bar(name, Figure(100 * error, "%", 1 if name.startswith("int") else 3), "quantized")
        for name, error in errors.items()
    )
    ways = {"32": "float32", "16": "float16", "8": "int8_vectorwise"}
    more = {f"held_{bits}": Figure(found[name]["memory"] / 1e6, "MB") for bits, name in ways.items()}
    more |= {f"loss_{bits}": Figure(found[name]["reading"]["loss"], "", 3) for bits, name in ways.items()}
    more |= {f"digits_{name}": Figure(FORMATS[name].mantissa_bits) for name in ("float32", "float16", "bfloat16")}
    more["reach_float16"] = Figure(FORMATS["float16"].largest)
    more["reach_bfloat16"] = Figure(FORMATS["bfloat16"].largest)
    more["modules"] = Figure(len(found["float16"]["modules"]))
    smaller = 0 if errors["float16"] < errors["bfloat16"] else 1
    return Figures(smaller, bars, more, origin="measured")


def _error(measured: dict[str, Any]) -> float:
    """Size of the error beside that of the weights: from the mean of the layers' signal-to-noise ratios in decibels."""
    return float(10 ** (-fmean(one["sqnr_db"] for one in measured["modules"]) / 20))


def sums() -> Figures:
    """127 + 127 in three accumulators, and how many products of 127 · 127 two of them hold."""
    kept = {
        "int8": add(LARGEST, LARGEST, "int8").result,
        "saturating": add(LARGEST, LARGEST, "int8", "saturate").result,
        "int32": add(LARGEST, LARGEST, "int32").result,
    }
    bars = tuple(Bar(name, Figure(value), "quantized") for name, value in kept.items())
    fit = {name: (2 ** (INTEGERS[name] - 1) - 1) // LARGEST**2 for name in ("int16", "int32")}
    return Figures(kept["int8"], bars, {"in_int16": Figure(fit["int16"]), "in_int32": Figure(fit["int32"])})


def nf4() -> Figures:
    """Bits that NF4 stores for a weight, scales included, and memory to train LLaMA-65B over it."""
    kept = {name: FORMATS[name].bits_per_parameter() for name in ("float16", "nf4", "nf4_double")}
    drawn = {"float16": (0, "base"), "nf4": (1, "quantized"), "nf4_double": (3, "qlora")}
    bars = tuple(Bar(name, Figure(kept[name], "bits", digits), method) for name, (digits, method) in drawn.items())
    model = PUBLISHED["llama-65b"].architecture
    full, _, qlora = cost(model, "lora", {"rank": 64, "targets": "all_linear"}).memory
    saved = kept["nf4"] - kept["nf4_double"]
    more = {
        "saved": Figure(saved, "bits", 3),
        "saved_65b": gigabytes(saved / 8 * model.parameters),
        "full": gigabytes(full.total, 0),
        "qlora": gigabytes(qlora.total, 0),
    }
    return Figures(kept["nf4"], bars, more)


@cache
def outlier() -> Figures:
    """One number of 65,536 is huge: how far off int8 is on the others, with one scale for all and with one for 64."""
    import torch

    plain, spoilt = (torch.from_numpy(sample("normal", SIDE, SIDE, 0, share, SIZE)) for share in (0.0, 1 / SIDE**2))
    others = plain == spoilt
    int8 = FORMATS["int8"]

    def off(weights: torch.Tensor, layout: Layout) -> float:
        return float((int8.round_trip(weights, layout).values - weights)[others].abs().mean())

    tensor, block = Layout("tensor"), Layout("block", 64)
    found = {"without": off(plain, tensor), "one_scale": off(spoilt, tensor), "blocks": off(spoilt, block)}
    bars = tuple(Bar(name, Figure(error, "", 4), "quantized") for name, error in found.items())
    times = found["one_scale"] / found["without"]
    more = {"times": Figure(times), "numbers": Figure(SIDE**2), "size": Figure(SIZE)}
    return Figures(times, bars, more)


# Han et al. 2016, arXiv 1602.01528, table 1, and for int8 Horowitz 2014: picojoules of one operation in 45 nm CMOS
ENERGY = {"memory": 640.0, "cache": 5.0, **{one: MULTIPLY[one] for one in ("float32", "int8")}}
METHOD = {"int8": "quantized"}


def energy() -> Figures:
    """How many multiplications cost what reading a number from memory costs; bytes of the embedded base, recorded."""
    bars = tuple(Bar(name, Figure(joules, "pJ", 1), METHOD.get(name, "base")) for name, joules in ENERGY.items())
    held = {one["format"]: Figure(one["memory"] / 1e6, "MB") for one in _survey()}
    more = {"held": held["float32"], "held_int8": held["int8_vectorwise"]}
    return Figures(ENERGY["memory"] / ENERGY["float32"], bars, more, origin="published")


STEPS, STEP = 1000, 0.0001  # of the weight that stands at 1


def mixed() -> Figures:
    """A weight after many small steps, each sum rounded to a format; the gap above 1, and the smallest float16 above 0."""
    ends = {name: _walked(FORMATS[name]) for name in ("float32", "float16", "bfloat16")}
    bars = tuple(Bar(name, Figure(end, "", 4), "quantized") for name, end in ends.items())
    half = FORMATS["float16"]
    more = {"steps": Figure(STEPS), "gap": Figure(2.0**-half.mantissa_bits, "", 5), "least": Figure(half.smallest)}
    return Figures(ends["float16"], bars, more)


def _walked(format: Format) -> float:
    weight = 1.0
    for _ in range(STEPS):
        weight = rounded(weight + STEP, format.mantissa_bits + 1, format.largest)
    return weight


# Ma et al. 2024, arXiv 2402.17764, perplexity of 3B models trained alike, as its reproduction card repeats them
FLOAT_3B, BITNET_3B = 10.04, 9.91
VOCABULARY = 49152  # of the embedded base (playground.model.catalogue)


def ternary() -> Figures:
    """Losses of the embedded base rounded after training, recorded; and of a model that was trained in three values."""
    found = {one["format"]: one["reading"]["loss"] for one in _survey()}
    names = {"float32": "base", "int8_vectorwise": "quantized", "nf4": "quantized", "ternary": "full_fine_tuning"}
    bars = tuple(Bar(name, Figure(found[name], "", 2), method) for name, method in names.items())
    blind = {"vocabulary": Figure(VOCABULARY), "blind": Figure(math.log(VOCABULARY), "", 2)}
    more = {"float_3b": Figure(FLOAT_3B, "", 2), "bitnet_3b": Figure(BITNET_3B, "", 2), **blind}
    return Figures(found["ternary"], bars, more, origin="measured")


ROUNDINGS = ("nearest", "hqq", "gptq", "gptq_act_order", "awq")


def answer_error() -> Figures:
    """How far the embedded base is from itself after each rounding to 4 bits, and how far one layer's weights; recorded."""
    found = json.loads((settings.EXAMPLES / "ladder.json").read_text(encoding="utf-8"))
    nats = {one["rung"]: one["reading"]["kl_from_base"] for one in found["rungs"]}
    steps = next(one["steps"] for one in found["layers"] if one["grid"]["bits"] == 4)
    weight = {one["rung"]: Figure(100 * one["weight"], "%") for one in steps}
    bars = tuple(
        Bar(name, Figure(nats[name], "nats", 2), "base" if name == "nearest" else "quantized") for name in ROUNDINGS
    )
    more = {"nearest_weight": weight["nearest"], "gptq_weight": weight["gptq_act_order"]}
    return Figures(nats["gptq_act_order"], bars, more, origin="measured")


@cache
def _survey() -> list[Any]:
    """What `make examples` measured of every format on the embedded base."""
    found: list[Any] = json.loads((settings.EXAMPLES / "survey.json").read_text(encoding="utf-8"))["found"]
    return found
